"""Provider packages in a folder, for tests of `init`: it installs and checks them, and never starts them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path


def platform_name() -> str:
    """`linux_amd64`, `darwin_arm64`: how Terraform calls this machine."""
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{platform.system().lower()}_{names[machine]}"


def make_mirror(folder: Path, packages: Iterable[tuple[str, str]], *, size: int = 0) -> Path:
    """A filesystem mirror with `acme/NAME` in the given versions, and the CLI configuration that names it.

    `packages` are (name, version); returns the CLI configuration's path.
    """
    for name, version in packages:
        for host in ("registry.terraform.io", "registry.opentofu.org"):
            package = folder / "mirror" / host / "acme" / name / version / platform_name()
            package.mkdir(parents=True)
            program = package / f"terraform-provider-{name}_v{version}"
            program.write_bytes(b"#!/bin/sh\nexit 1\n" + os.urandom(size))
            program.chmod(0o755)
    config = folder / "terraform.rc"
    config.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder / "mirror"}"\n  }}\n}}\n'
    )
    return config


def requires(**versions: str) -> str:
    """A `terraform` block that requires `acme/NAME` in a version: `requires(x="1.0.0")`."""
    lines = [f'    {name} = {{ source = "acme/{name}", version = "{v}" }}' for name, v in versions.items()]
    return "terraform {\n  required_providers {\n" + "\n".join(lines) + "\n  }\n}\n"

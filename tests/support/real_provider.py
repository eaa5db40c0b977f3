"""Real providers: where a binary is, and how it is started once for every Terraform."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def mirrored(cli_config: str, name: str) -> Path | None:
    """A provider of HashiCorp's in the filesystem mirror that Terraform's CLI configuration names."""
    text = Path(cli_config).read_text() if cli_config and Path(cli_config).is_file() else ""
    mirrors = [Path(path) for path in re.findall(r'^\s*path\s*=\s*"([^"]+)"', text, re.MULTILINE)]
    below = f"*/hashicorp/{name}/*/*/terraform-provider-{name}_*"
    return next((path for mirror in mirrors for path in sorted(mirror.glob(below))), None)


@contextmanager
def attached(binary: Path, folder: Path) -> Iterator[str]:
    """The provider as one process for every Terraform; gives the value of TF_REATTACH_PROVIDERS."""
    with subprocess.Popen(
        [str(binary), "-debug"],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            matches = (re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line) for line in process.stdout or ())
            yield next(match[1] for match in matches if match)
        finally:
            process.kill()

"""Resolves what infra needs, for every supported Python and platform, and writes `orchestrator/locks/`.

`make upgrade` runs it. uv resolves everything at once, so that all lock files agree on every version; each
file then lists what its set of extras needs. Only wheels count, so that installing runs no code of a package;
a package without any is listed with its sdist and with `--no-binary`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "orchestrator/locks"
# What installs and builds: infra itself, editable installs included, and the packages that have no wheel.
BUILD = ("pip", "hatchling>=1.26", "editables", "setuptools>=77")
SDISTS = ("python-terraform",)
# File → extras of pyproject.toml; the others list the requirements themselves.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "runtime": (),
    "rego": ("rego",),
    "telemetry": ("telemetry",),
    "terraform": ("embedded", "rego", "warm"),
    "demo": ("catalog", "embedded", "sandbox"),
    "dev": ("dev",),
}
REQUIREMENTS = {"build": BUILD, "upgrade": ("uv",)}
PYTHONS = ("311", "312", "313", "314")
PLATFORMS = {
    "linux": re.compile(r"manylinux\w*_(x86_64|aarch64)"),
    "darwin": re.compile(r"macosx_\w+_(x86_64|arm64|universal2)"),
}
HEADER = "# Written by `make upgrade` from pyproject.toml; do not edit.\n"


def main() -> None:
    """Resolve, and write every lock file."""
    LOCKS.mkdir(exist_ok=True)
    everything = resolve([*BUILD, *REQUIREMENTS["upgrade"]], ["--all-extras"])
    pins = [f"{package['name']}=={package['version']}" for package in everything]
    for name, extras in EXTRAS.items():
        options = [word for extra in extras for word in ("--extra", extra)]
        write(name, resolve([], options, pins))
    for name, requirements in REQUIREMENTS.items():
        write(name, resolve(requirements, None, pins))


def resolve(
    requirements: Sequence[str], extras: Sequence[str] | None, pins: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The packages that uv selects; without `extras` pyproject.toml is left out."""
    with tempfile.TemporaryDirectory() as folder:
        requirements_file, constraints, output = (
            Path(folder) / name for name in ("in.txt", "pins.txt", "pylock.toml")
        )
        requirements_file.write_text("\n".join(requirements))
        constraints.write_text("\n".join(pins))
        project = [] if extras is None else [str(ROOT / "pyproject.toml"), *extras]
        subprocess.run(
            [
                *(os.environ.get("UV", "uv"), "pip", "compile", "--quiet", "--universal", "--upgrade"),
                *("--python-version", "3.11", "--format", "pylock.toml", "--only-binary", ":all:"),
                *(word for name in SDISTS for word in ("--no-binary", name)),
                *("--constraints", constraints, "--output-file", output, requirements_file, *project),
            ],
            check=True,
            cwd=folder,
        )
        packages = tomllib.loads(output.read_text())["packages"]
    return [package for package in packages if package.get("marker") != "sys_platform == 'win32'"]


def write(name: str, packages: Sequence[Mapping[str, Any]]) -> None:
    """One lock file."""
    entries = [entry for package in packages for entry in lines(package)]
    sdists = [f"--no-binary {package['name']}\n" for package in packages if not package.get("wheels")]
    text = "".join([HEADER, "--require-hashes\n", "--only-binary :all:\n", *sdists, *entries])
    (LOCKS / f"{name}.txt").write_text(text)


def lines(package: Mapping[str, Any]) -> Iterator[str]:
    """A package's entries: one, or one for each platform where its wheels differ."""
    marker = package.get("marker", "")
    wheels = package.get("wheels", [])
    if not wheels:
        yield entry(package, marker, [package["sdist"]])
        return
    anywhere = [wheel for wheel in wheels if file_name(wheel).endswith("-any.whl")]
    if len(anywhere) == len(wheels):
        yield entry(package, marker, anywhere)
        return
    for platform, pattern in PLATFORMS.items():
        own = [wheel for wheel in wheels if pattern.search(file_name(wheel)) and is_usable(wheel)]
        if own or anywhere:
            yield entry(package, narrowed(marker, platform), [*own, *anywhere])


def is_usable(wheel: Mapping[str, Any]) -> bool:
    """Whether one of the supported interpreters installs this wheel."""
    python, abi = file_name(wheel).removesuffix(".whl").split("-")[-3:-1]
    if abi == "abi3":
        return any(int(tag.removeprefix("cp")) <= int(PYTHONS[-1]) for tag in python.split("."))
    return python.startswith("py") or any(f"cp{version}" == python == abi for version in PYTHONS)


def narrowed(marker: str, platform: str) -> str:
    """A marker that holds on one platform only."""
    own = f"sys_platform == '{platform}'"
    return f"({marker}) and {own}" if marker else own


def entry(package: Mapping[str, Any], marker: str, files: Sequence[Mapping[str, Any]]) -> str:
    """One requirement with the hashes of its files."""
    hashes = sorted({file["hashes"]["sha256"] for file in files})
    condition = f" ; {marker}" if marker else ""
    return (
        " \\\n".join(
            [
                f"{package['name']}=={package['version']}{condition}",
                *(f"    --hash=sha256:{digest}" for digest in hashes),
            ]
        )
        + "\n"
    )


def file_name(file: Mapping[str, Any]) -> str:
    """The name of a wheel or sdist."""
    return str(file.get("name") or file["url"].rpartition("/")[2])


if __name__ == "__main__":
    sys.exit(main())

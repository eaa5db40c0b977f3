"""Finds the Terraform binary and its version: configured, `terraform`, `tofu`, or embedded."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orchestrator.atomic_files import write_private
from orchestrator.errors import BinaryError
from orchestrator.process import Command, Supervisor
from orchestrator.terraform.embedded import embedded_executable
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.version import ConstraintError, Version, satisfies

Flavour = Literal["terraform", "tofu"]
Source = Literal["configured", "PATH", "embedded"]

# The first line of `version` is the only place where the product says which of the two it is.
_PRODUCT = re.compile(r"(Terraform|OpenTofu) v(\S+)")
_MACHINE_CODE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
EMBEDDED = "embedded"
# Seconds: a version manager may fetch a program first.
VERSION_DEADLINE = 60.0


@dataclass(frozen=True)
class Binary:
    """A usable Terraform or OpenTofu."""

    argv: tuple[str, ...]
    version: str
    flavour: Flavour
    source: Source
    path: Path

    @property
    def product(self) -> str:
        """Its name to people."""
        return "OpenTofu" if self.flavour == "tofu" else "Terraform"

    def is_older_than(self, version: str) -> bool:
        """True when `version` (of whoever wrote a state) is newer than this one's.

        Pre-releases count as their release: Terraform writes 1.12.0 into a state that 1.12.0-beta1 made.
        """
        try:
            return Version.parse(self.version).release.order < Version.parse(version).release.order
        except ConstraintError:
            return False

    @property
    def is_program(self) -> bool:
        """False for a script, which may be a version manager: its version depends on where it is run."""
        return self.source == "embedded" or _is_machine_code(self.path)

    @property
    def identity(self) -> str:
        """Differs when another program, or another build, is used."""
        return "|".join((*self.argv, self.flavour, self.version, _stamp(self.path)))


def find_binary(
    configured: str | None,
    env: Mapping[str, str],
    supervisor: Supervisor,
    cache_dir: Path,
    *,
    root: Path | None = None,
) -> Binary:
    """The Terraform to use. The first one found decides: one that does not fit is an error, not passed over.

    `configured` is a name on PATH, a path (relative to `root`), or `embedded`. `env` is ours; PATH is taken
    from it. `root` is also where the binary is asked for its version, since version managers look there.
    Raises BinaryError.
    """
    path, source = _locate(configured, env, cache_dir, root)
    path = _behind_wrapper(path)
    version, flavour = _version_of(path, source, env, supervisor, cache_dir, root)
    return Binary((str(path),), version, flavour, source, path)


def binary_in(
    binary: Binary, folder: Path, env: Mapping[str, str], supervisor: Supervisor, cache_dir: Path
) -> Binary:
    """The same program as it answers in a folder: a version manager may choose another version there."""
    version, flavour = _version_of(binary.path, binary.source, env, supervisor, cache_dir, folder)
    return replace(binary, version=version, flavour=flavour)


def check_version(binary: Binary, constraint: str, where: str) -> None:
    """Raise BinaryError when a version constraint (found at `where`) is malformed or not met."""
    try:
        fits = satisfies(binary.version, constraint)
    except ConstraintError as error:
        raise BinaryError(f"The version constraint in {where} is wrong: {error}.", file=where) from error
    if not fits:
        raise BinaryError(
            f"{where} asks for {binary.product} {constraint}, and {binary.path} is {binary.version}.",
            advice=f"Install one that fits and have it first on PATH, name it under terraform.binary in "
            f"infra.yaml, or change {where}.",
        )


def _locate(
    configured: str | None, env: Mapping[str, str], cache_dir: Path, root: Path | None
) -> tuple[Path, Source]:
    search = env.get("PATH", os.defpath)
    if configured == EMBEDDED:
        return embedded_executable(cache_dir), "embedded"
    if configured:
        named = str((root or Path()) / Path(configured).expanduser()) if "/" in configured else configured
        program = shutil.which(named, path=search)
        if program is None:
            raise BinaryError(
                f"terraform.binary in infra.yaml names {configured}, which is not a program here.",
                advice="Install it, correct the name, or remove the key: then `terraform`, `tofu` and the "
                "embedded one are tried.",
                file="infra.yaml",
                key="terraform.binary",
            )
        return Path(program).absolute(), "configured"
    for name in ("terraform", "tofu"):
        program = shutil.which(name, path=search)
        if program:
            return Path(program).absolute(), "PATH"
    return embedded_executable(cache_dir), "embedded"


def _behind_wrapper(path: Path) -> Path:
    """setup-terraform and setup-opentofu put a JavaScript wrapper first that has lost exit code 2."""
    real = path.with_name(f"{path.name}-bin")
    return real if real.is_file() and os.access(real, os.X_OK) else path


def _version_of(
    path: Path,
    source: Source,
    env: Mapping[str, str],
    supervisor: Supervisor,
    cache_dir: Path,
    root: Path | None,
) -> tuple[str, Flavour]:
    """Version and product, remembered by path, size and time of change: asking costs 60 ms and more."""
    memory = cache_dir / "binary-versions.json"
    # A script may be a version manager, whose answer depends on more than its own bytes.
    lasting = source == "embedded" or _is_machine_code(path)
    key = f"{path}|{_stamp(path)}"
    remembered = _remembered(memory)
    if lasting and key in remembered:
        version, product = remembered[key]
    else:
        version, product = _ask(path, env, supervisor, root or cache_dir)
        if lasting:
            _remember(memory, {**remembered, key: [version, product]})
    return version, "tofu" if product == "OpenTofu" else "terraform"


def _ask(path: Path, env: Mapping[str, str], supervisor: Supervisor, cwd: Path) -> tuple[str, str]:
    cwd.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = Command((str(path), "version"), cwd, child_environment(env), deadline=VERSION_DEADLINE, grace=2)
    done = supervisor.run(command)
    if done.ended == "deadline":
        raise BinaryError(
            f"{path} did not answer to `version` within {VERSION_DEADLINE:.0f} seconds, and was ended.",
            advice="Run it by hand to see why. Name another Terraform or OpenTofu under terraform.binary in "
            "infra.yaml, or `embedded`.",
        )
    match = _PRODUCT.match(done.text)
    if not done.ok or match is None:
        lines = (done.error_text or done.text).strip().splitlines()
        raise BinaryError(
            f"{path} does not behave as Terraform: `version` ended with {done.returncode}"
            + (f" and said: {lines[0]}" if lines else "."),
            advice="Name a Terraform or OpenTofu under terraform.binary in infra.yaml, or `embedded`.",
        )
    return match[2], match[1]


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "gone"
    return f"{status.st_size}-{status.st_mtime_ns}"


def _is_machine_code(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_MACHINE_CODE)
    except OSError:
        return False


def _remembered(memory: Path) -> dict[str, list[str]]:
    try:
        document = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _remember(memory: Path, versions: Mapping[str, list[str]]) -> None:
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(memory, json.dumps(versions).encode())

"""Chooses the Terraform for a root module: the default, or a configured one that meets its constraints."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import BinaryError
from orchestrator.terraform.binary import Binary, check_version
from orchestrator.terraform.version import (
    ConstraintError,
    Version,
    constraint_of_version_file,
    satisfies,
)

VERSION_FILE = ".terraform-version"


@dataclass(frozen=True)
class Constraint:
    """A version constraint in Terraform's grammar, and the file or key that states it."""

    text: str
    source: str


@dataclass
class Binaries:
    """The Terraform binaries of one run. Thread-safe.

    `default` is what `find_binary` gives. `configured` maps versions to programs (`terraform.binaries`),
    which `open_binary(program)` finds and asks for their version. A default that is a script may be a version
    manager, whose version depends on the folder: `ask(default, folder)` gives it as it is there.
    """

    default: Binary
    configured: Mapping[str, str]
    open_binary: Callable[[str], Binary]
    ask: Callable[[Binary, Path], Binary]
    _opened: dict[str, Binary] = field(default_factory=dict)
    _asked: dict[Path, Binary] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, constraints: Sequence[Constraint], folder: Path) -> Binary:
        """The Terraform for a root in `folder` that all constraints allow: the default where it fits.

        Of several configured ones that fit the newest is taken. Raises BinaryError, naming the constraint
        that is not met or that is malformed.
        """
        default = self._default_in(folder, constraints)
        if _fits(default.version, constraints):
            return default
        for version in sorted(self.configured, key=lambda text: Version.parse(text).order, reverse=True):
            if _fits(version, constraints):
                return self._open(version)
        for constraint in constraints:
            check_version(default, constraint.text, constraint.source)
        raise BinaryError(f"No Terraform fits {folder}.")

    def _default_in(self, folder: Path, constraints: Sequence[Constraint]) -> Binary:
        """The default; a version manager is asked in the folder when what it gave elsewhere does not fit."""
        if self.default.is_program or _fits(self.default.version, constraints):
            return self.default
        with self._lock:
            if folder not in self._asked:
                self._asked[folder] = self.ask(self.default, folder)
            return self._asked[folder]

    def _open(self, version: str) -> Binary:
        with self._lock:
            if version not in self._opened:
                binary = self.open_binary(self.configured[version])
                if Version.parse(binary.version).order != Version.parse(version).order:
                    raise BinaryError(
                        f"terraform.binaries calls {binary.path} {version}, and it is {binary.version}.",
                        advice="Correct the version or the path.",
                        file="infra.yaml",
                        key="terraform.binaries",
                    )
                self._opened[version] = binary
            return self._opened[version]


def version_file(root: Path, folder: Path) -> Constraint | None:
    """What the nearest `.terraform-version` at or above a folder asks for, up to the project's root.

    None where there is no such file, or where it leaves the version open. Raises BinaryError for a file that
    holds no version.
    """
    inside = folder.relative_to(root)
    for above in (inside, *inside.parents):
        path = root / above / VERSION_FILE
        if not path.is_file():
            continue
        source = (above / VERSION_FILE).as_posix()
        try:
            text = constraint_of_version_file(path.read_text(encoding="utf-8", errors="replace"))
        except ConstraintError as error:
            raise BinaryError(
                f"{source} holds no version: {error}.", advice="Write one such as 1.11.4.", file=source
            ) from error
        return Constraint(text, source) if text else None
    return None


def _fits(version: str, constraints: Sequence[Constraint]) -> bool:
    try:
        return all(satisfies(version, constraint.text) for constraint in constraints)
    except ConstraintError:
        return False

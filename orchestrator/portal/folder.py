"""The folder of a portal: ours by a marker, each file written whole, and only where it differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.jsontext import MALFORMED, mapping, read_object

MARKER = ".infra-portal.json"
VERSION = 1
DRAFT = ".infra-new"
FOLDERS = ("assets", "stacks", "runs", "pull-requests")


@dataclass
class PortalFolder:
    """A folder that pages are written to. `files` maps paths to what they were made of and their hash."""

    path: Path
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    _written: dict[str, tuple[str, str]] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def open(cls, path: Path) -> PortalFolder:
        """The folder, made where it is not there. UsageError for one that is not a portal's."""
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise UsageError(f"{path} is not a folder.", advice="Name a folder that is new or empty.")
        names = {entry.name for entry in path.iterdir()} if path.exists() else set()
        if names and not _is_marked(path):
            raise UsageError(
                f"{path} is not a portal: it has files and no {MARKER}.",
                advice="Name a folder that is new or empty, or one that `infra portal build` made.",
            )
        for name in FOLDERS:
            folder = path / name
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise UsageError(f"{folder} is a link or a file.", advice="Remove it, and build again.")
            folder.mkdir(parents=True, exist_ok=True)
        opened = cls(path, _read_marker(path))
        # First of all: a build that is killed leaves a folder that the next one knows.
        if not _is_marked(path):
            opened._write_marker({})
        return opened

    def is_current(self, path: str, digest: str) -> bool:
        """True where a file was made of the same, and is still as it was written; it is then kept."""
        made_of, content = self.files.get(path, ("", ""))
        if made_of != digest or _hash_of(self.path / path) != content:
            return False
        self._written[path] = (made_of, content)
        return True

    def write(self, path: str, data: bytes, digest: str = "") -> None:
        """Write a file whole, if it differs; `digest` says what it was made of."""
        content = hashlib.sha256(data).hexdigest()
        target = self.path / path
        if _hash_of(target) != content:
            draft = target.with_name(f"{target.name}{DRAFT}")
            draft.unlink(missing_ok=True)
            draft.write_bytes(data)
            draft.chmod(0o644)
            draft.replace(target)
            self.count += 1
        self._written[path] = (digest, content)

    def finish(self) -> int:
        """Remove pages that are no more and what a killed build left; returns how many files were removed."""
        former = self.files.keys() - self._written.keys()
        drafts = [path for name in ("", *FOLDERS) for path in (self.path / name).glob(f"*{DRAFT}")]
        pages = {
            f"{name}/{path.name}" for name in FOLDERS for path in (self.path / name).iterdir()
        } - self._written.keys()
        removed = 0
        for path in {*(self.path / name for name in former | pages), *drafts}:
            if path.is_file() or path.is_symlink():
                path.unlink()
                removed += 1
        self._write_marker(self._written)
        self.files = dict(self._written)
        return removed

    def _write_marker(self, files: Mapping[str, tuple[str, str]]) -> None:
        document = {"infra_portal": VERSION, "files": {path: list(files[path]) for path in sorted(files)}}
        data = json.dumps(document, indent=0).encode()
        marker = self.path / MARKER
        if not marker.is_file() or marker.read_bytes() != data:
            draft = self.path / f"{MARKER}{DRAFT}"
            draft.write_bytes(data)
            draft.replace(marker)


def _is_marked(path: Path) -> bool:
    marker = path / MARKER
    try:
        return not marker.is_symlink() and "infra_portal" in read_object(marker.read_bytes())
    except (OSError, *MALFORMED):
        return False


def _read_marker(path: Path) -> dict[str, tuple[str, str]]:
    """What a portal's files were made of; nothing for a marker of another version: all is written again."""
    try:
        document = read_object((path / MARKER).read_bytes())
    except (OSError, *MALFORMED):
        return {}
    if document.get("infra_portal") != VERSION:
        return {}
    return {
        name: (str(parts[0]), str(parts[1]))
        for name, parts in mapping(document.get("files")).items()
        if isinstance(parts, list) and len(parts) == 2 and _is_ours(name)
    }


def _is_ours(name: str) -> bool:
    """True for a path that a portal can have: what a changed marker names elsewhere is not touched."""
    folder, _, file = name.rpartition("/")
    return (not folder or folder in FOLDERS) and file not in ("", ".", "..")


def _hash_of(path: Path) -> str:
    try:
        return "" if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""

"""The provider packages that a stack's lock file names, verified as Terraform verifies them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.repository.lock_file import read_lock_file

# Providers whose whole work is files and programs of the folder that Terraform runs in.
WORKING_FOLDER = frozenset(
    f"{registry}/hashicorp/{name}"
    for registry in ("registry.terraform.io", "registry.opentofu.org")
    for name in ("archive", "external", "helm", "local", "null", "template")
)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ProviderPackage:
    """An installed provider: its source address, the folder of its package and the program in it."""

    source: str
    version: str
    folder: Path
    program: Path
    checksum: str


def find_packages(
    lock_file: bytes, providers_folder: Path, checksums: ChecksumCache
) -> tuple[ProviderPackage, ...]:
    """The packages below TF_DATA_DIR/providers that the lock file names and whose checksum it has.

    What is missing, ambiguous or not as locked is left out: Terraform then says so itself.
    """
    packages = []
    for provider in read_lock_file(lock_file):
        if provider.source in WORKING_FOLDER or not provider.version:
            continue
        folders = sorted((providers_folder / provider.source / provider.version).glob("*_*"))
        if len(folders) != 1:
            continue
        folder = folders[0].resolve()
        programs = list(_programs(folder, provider.source.rpartition("/")[2]))
        checksum = checksums.of(folder)
        if len(programs) == 1 and checksum in provider.checksums:
            packages.append(ProviderPackage(provider.source, provider.version, folder, programs[0], checksum))
    return tuple(packages)


def _programs(folder: Path, name: str) -> Iterator[Path]:
    """The files that Terraform takes for the provider's program."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            is_named = path.name == f"terraform-provider-{name}" or path.name.startswith(
                f"terraform-provider-{name}_"
            )
            if is_named and path.is_file() and os.access(path, os.X_OK):
                yield path


class ChecksumCache:
    """`h1:` checksums of packages, remembered in a file as long as no file of the package changes.

    What identifies a file is its inode, size and both of its times: whoever writes to it moves them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checksums: dict[str, str] | None = None

    def of(self, folder: Path) -> str:
        """The package's checksum, empty when it cannot be read."""
        try:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            key = _identity(folder, files)
            checksums = self._read()
            if key not in checksums:
                checksums[key] = h1_checksum(folder, files)
                self._write(checksums)
            return checksums[key]
        except OSError:
            return ""

    def _read(self) -> dict[str, str]:
        if self._checksums is None:
            try:
                document = read_object(self._path.read_bytes())
                self._checksums = {str(key): str(value) for key, value in document.items()}
            except (OSError, *MALFORMED):
                self._checksums = {}
        return self._checksums

    def _write(self, checksums: Mapping[str, str]) -> None:
        """Best effort: without the file the checksum is computed again."""
        with contextlib.suppress(OSError):
            write_private(self._path, json.dumps(dict(checksums)).encode())


def _identity(folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape"))
    for path in files:
        stat = path.stat()
        parts = (path.relative_to(folder), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        digest.update(repr((*map(str, parts), stat.st_ctime_ns)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def h1_checksum(folder: Path, files: Sequence[Path]) -> str:
    """The checksum of a folder's files as lock files have it: Go's `dirhash.Hash1`."""
    names = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    total = hashlib.sha256()
    for name, path in names:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        total.update(f"{digest.hexdigest()}  {name}\n".encode("utf-8", "surrogateescape"))
    return "h1:" + base64.b64encode(total.digest()).decode()

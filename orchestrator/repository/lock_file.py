"""Reads `.terraform.lock.hcl`: which provider packages `init` installs."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.repository.hcl import read

LOCK_FILE = ".terraform.lock.hcl"


@dataclass(frozen=True)
class LockedProvider:
    """A provider of a lock file: its source address, version, and the checksums of its packages."""

    source: str
    version: str | None
    checksums: frozenset[str]


def read_lock_file(data: bytes) -> tuple[LockedProvider, ...]:
    """The providers of a lock file, in its order."""
    providers = []
    for block in read(LOCK_FILE, data).of("provider"):
        version = block.attributes.get("version")
        checksums = frozenset(string.text for string in block.strings() if string.path == ("hashes",))
        providers.append(LockedProvider(block.name, version.value if version else None, checksums))
    return tuple(providers)

"""The storage interface: objects with generations, conditional writes and custom metadata.

`gcs.Bucket` is a Google Cloud Storage bucket, `folder.Folder` a folder that behaves like one, and
`folder.Files` reads single files wherever they lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from orchestrator.errors import StateError

# The generation of an object that does not exist: what a write that must create is conditional on.
ABSENT = "0"


@dataclass(frozen=True)
class Blob:
    """An object or file at one moment.

    `generation` changes with every write, `metageneration` with every change of `metadata`; compare them,
    nothing else. `created` is when this generation was written, `updated` when it or its metadata last
    changed, by the clock of where it is stored, RFC 3339 in UTC;
    `deleted` when a newer generation or a deletion replaced this one, empty for the live one.
    """

    name: str
    generation: str
    size: int
    data: bytes = b""
    metageneration: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    deleted: str = ""


class PreconditionFailed(StateError):  # noqa: N818 - the service's own word
    """A conditional write found another generation than it was told; nothing was written."""


class ObjectReader(Protocol):
    """Where states lie. Names are object names in a bucket, or paths. Safe from many threads."""

    def stat(self, name: str) -> Blob | None:
        """What is there, without its content; None when nothing is. One request."""

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        """What is there with its content, both of one generation; None when nothing is."""

    def content(self, name: str, generation: str) -> bytes | None:
        """The content of one generation, as a listing names it; None when it is not kept. One request."""

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Remove it, only while it has that generation; nothing to remove is PreconditionFailed then."""

    def versions(self, name: str) -> list[Blob]:
        """Every generation that is kept, the live one included, oldest first, without content."""

    def now(self) -> datetime:
        """The time there, in UTC."""


class Storage(ObjectReader, Protocol):
    """A place that a ledger can be kept in."""

    def write(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Blob:
        """Write an object with its custom metadata; returns it with `data`.

        `if_generation` is the generation it must have now, ABSENT for none, None for whatever is there.
        Raises PreconditionFailed when it has another one.
        """

    def patch_metadata(self, name: str, metadata: Mapping[str, str], *, if_metageneration: str) -> Blob:
        """Set keys of the custom metadata and keep the others; no new generation."""

    def list(self, prefix: str) -> list[Blob]:
        """The live objects whose names begin with `prefix`, by name, without content; a request a page."""


def timestamp(storage: ObjectReader) -> str:
    """The time by the storage's clock, RFC 3339 in UTC, in whole seconds."""
    return f"{storage.now():%Y-%m-%dT%H:%M:%SZ}"


def precondition_failed(name: str) -> PreconditionFailed:
    """The error of a conditional write that came too late."""
    return PreconditionFailed(
        f"{name} was changed by somebody else meanwhile.", advice="Look again: `infra status`."
    )

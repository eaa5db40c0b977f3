"""Storage in a folder: generations, conditional writes and metadata, as a bucket has them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.errors import StateError
from orchestrator.state.storage import ABSENT, Blob, precondition_failed

# What is not an object begins with this: the lock file, and each object's properties.
HIDDEN = ".infra-"


class Files:
    """Single files on this machine's disk, such as states."""

    def stat(self, name: str) -> Blob | None:
        """The file; its generation is a digest of what it holds, since a file has no other."""
        blob = self.read(name)
        return replace(blob, data=b"") if blob else None

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        """The file and its content; None when it is not there, or no longer that generation."""
        try:
            data = Path(name).read_bytes()
            changed = Path(name).stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(name, error) from error
        if not data:
            # Terraform makes the file to lock it, long before the first state is written there.
            return None
        digest = hashlib.sha256(data).hexdigest()[:16]
        if generation not in (None, digest):
            return None
        moment = _moment(changed)
        return Blob(name, digest, len(data), data, created=moment, updated=moment)

    def content(self, name: str, generation: str) -> bytes | None:
        """What the file holds; None when it is no longer that generation."""
        blob = self.read(name, generation)
        return blob.data if blob else None

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Remove the file if it is still what it was."""
        stat = self.stat(name)
        if if_generation is not None and (stat is None or stat.generation != if_generation):
            raise precondition_failed(name)
        Path(name).unlink(missing_ok=True)

    def versions(self, name: str) -> list[Blob]:
        """The file alone: a disk keeps no older ones."""
        stat = self.stat(name)
        return [stat] if stat else []

    def now(self) -> datetime:
        """This machine's time."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class _Properties:
    """What stands beside an object. `digest` is of the content that they belong to."""

    generation: int = 0
    metageneration: int = 0
    digest: str = ""
    created: str = ""
    updated: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Folder:
    """A folder that behaves as a bucket does, for one machine. Old generations are not kept.

    `clock` gives the times that objects are written with.
    """

    def __init__(self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.root = root
        self._clock = clock

    def stat(self, name: str) -> Blob | None:
        """The object without its content."""
        blob = self.read(name)
        return replace(blob, data=b"") if blob else None

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        """The object and its content."""
        with self._shared():
            blob = self._read(name)
        return blob if blob and generation in (None, blob.generation) else None

    def content(self, name: str, generation: str) -> bytes | None:
        """What the object holds; None when it is no longer that generation."""
        blob = self.read(name, generation)
        return blob.data if blob else None

    def write(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Blob:
        """Write an object, content first: a digest shows properties that do not belong to it."""
        with self._alone():
            before = self._read(name)
            if if_generation is not None and if_generation != (before.generation if before else ABSENT):
                raise precondition_failed(str(self._path(name)))
            last = int(self._properties(name).generation)
            moment = _moment(self._clock().timestamp())
            properties = _Properties(
                generation=max(last + 1, int(datetime.now(UTC).timestamp() * 1e6)),
                metageneration=1,
                digest=_digest(data),
                created=moment,
                updated=moment,
                metadata=dict(metadata or {}),
            )
            self._put(self._path(name), data)
            self._put(self._beside(name), _encode(properties))
        return _as_blob(name, properties, data)

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Remove an object. Its properties go first: content alone is an object, they alone are none."""
        with self._alone():
            before = self._read(name)
            if if_generation is not None and if_generation != (before.generation if before else ABSENT):
                raise precondition_failed(str(self._path(name)))
            self._beside(name).unlink(missing_ok=True)
            self._path(name).unlink(missing_ok=True)

    def patch_metadata(self, name: str, metadata: Mapping[str, str], *, if_metageneration: str) -> Blob:
        """Set keys of an object's metadata."""
        with self._alone():
            before = self._read(name)
            if before is None or before.metageneration != if_metageneration:
                raise precondition_failed(str(self._path(name)))
            properties = _Properties(
                generation=int(before.generation),
                metageneration=int(before.metageneration) + 1,
                digest=_digest(before.data),
                created=before.created,
                updated=_moment(self._clock().timestamp()),
                metadata={**before.metadata, **metadata},
            )
            self._put(self._beside(name), _encode(properties))
        return _as_blob(name, properties, before.data)

    def versions(self, name: str) -> list[Blob]:
        """The object alone: no older generations are kept here."""
        stat = self.stat(name)
        return [stat] if stat else []

    def list(self, prefix: str) -> list[Blob]:
        """The objects whose names begin with a prefix, by name."""
        start = self._path(prefix) if prefix.endswith("/") else self._path(prefix).parent
        names = sorted(
            path.relative_to(self.root).as_posix()
            for path in (start.rglob("*") if start.is_dir() else ())
            if path.is_file() and not path.name.startswith(HIDDEN)
        )
        blobs = (self.stat(name) for name in names if name.startswith(prefix))
        return [blob for blob in blobs if blob]

    def now(self) -> datetime:
        """This machine's time."""
        return self._clock()

    def _path(self, name: str) -> Path:
        return self.root / name

    def _beside(self, name: str) -> Path:
        path = self._path(name)
        return path.with_name(f"{HIDDEN}{path.name}")

    def _read(self, name: str) -> Blob | None:
        try:
            data = self._path(name).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(str(self._path(name)), error) from error
        beside = self._properties(name)
        if beside.digest != _digest(data):
            # Cut off between the two writes: the content is new, and nothing is known of it but its time.
            changed = self._path(name).stat().st_mtime
            moment = _moment(changed)
            beside = _Properties(int(changed * 1e6), 1, _digest(data), moment, moment)
        return _as_blob(name, beside, data)

    def _properties(self, name: str) -> _Properties:
        try:
            return _Properties(**json.loads(self._beside(name).read_bytes()))
        except (OSError, ValueError, TypeError):
            return _Properties()

    def _put(self, path: Path, data: bytes) -> None:
        """Write a file that only its owner may read, whole or not at all."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, data)
        except OSError as error:
            raise _unwritable(path, error) from error

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """No writer meanwhile. Where nothing was ever written there is nothing to wait for."""
        try:
            descriptor = os.open(self.root / f"{HIDDEN}lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, among threads and processes; the kernel frees the lock of one that died."""
        lock = self.root / f"{HIDDEN}lock"
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(lock, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _as_blob(name: str, beside: _Properties, data: bytes) -> Blob:
    return Blob(
        name=name,
        generation=str(beside.generation),
        size=len(data),
        data=data,
        metageneration=str(beside.metageneration),
        metadata=beside.metadata,
        created=beside.created,
        updated=beside.updated,
    )


def _encode(properties: _Properties) -> bytes:
    content: dict[str, Any] = vars(properties) | {"metadata": dict(properties.metadata)}
    return json.dumps(content).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unreadable(name: str, error: OSError) -> StateError:
    return StateError(f"{name} cannot be read: {error.strerror}.", advice="Check who owns the file.")


def _unwritable(path: Path, error: OSError) -> StateError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "Free disk space, then run the same command again." if is_full else "Check who owns the folder."
    return StateError(f"{path} cannot be written: {error.strerror}.", advice=advice)

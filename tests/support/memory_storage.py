"""A bucket in memory that answers as the port `Storage` promises, and fails when a test tells it to."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.errors import StateError
from orchestrator.state.storage import ABSENT, Blob, precondition_failed


class MemoryStorage:
    """Objects with generations and metadata; a call for which `fails(call, name)` is true is a StateError."""

    def __init__(self) -> None:
        self.objects: dict[str, Blob] = {}
        self.fails: Callable[[str, str], bool] = lambda call, name: False
        self.clock = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
        self.calls: list[tuple[str, str]] = []
        self._generation = 0
        self._lock = threading.RLock()

    def stat(self, name: str) -> Blob | None:
        self._begin("stat", name)
        blob = self.objects.get(name)
        return replace(blob, data=b"") if blob else None

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        self._begin("read", name)
        blob = self.objects.get(name)
        return blob if blob and generation in (None, blob.generation) else None

    def content(self, name: str, generation: str) -> bytes | None:
        self._begin("content", name)
        blob = self.objects.get(name)
        return blob.data if blob and blob.generation == generation else None

    def list(self, prefix: str) -> builtins.list[Blob]:
        self._begin("list", prefix)
        names = sorted(name for name in self.objects if name.startswith(prefix))
        return [replace(self.objects[name], data=b"") for name in names]

    def versions(self, name: str) -> builtins.list[Blob]:
        blob = self.stat(name)
        return [blob] if blob else []

    def now(self) -> datetime:
        return self.clock

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        with self._lock:
            self._begin("delete", name)
            blob = self.objects.get(name)
            if if_generation is not None and (blob is None or blob.generation != if_generation):
                raise precondition_failed(name)
            self.objects.pop(name, None)

    def write(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Blob:
        with self._lock:
            self._begin("write", name)
            blob = self.objects.get(name)
            if if_generation is not None and (blob.generation if blob else ABSENT) != if_generation:
                raise precondition_failed(name)
            self._generation += 1
            moment = self._moment()
            blob = Blob(
                name,
                str(self._generation),
                len(data),
                data,
                "1",
                dict(metadata or {}),
                created=moment,
                updated=moment,
            )
            self.objects[name] = blob
            return blob

    def patch_metadata(self, name: str, metadata: Mapping[str, str], *, if_metageneration: str) -> Blob:
        with self._lock:
            self._begin("patch", name)
            blob = self.objects.get(name)
            if blob is None or blob.metageneration != if_metageneration:
                raise precondition_failed(name)
            blob = replace(
                blob,
                metageneration=str(int(blob.metageneration) + 1),
                metadata={**blob.metadata, **metadata},
                updated=self._moment(),
            )
            self.objects[name] = blob
            return blob

    def _moment(self) -> str:
        return f"{self.clock:%Y-%m-%dT%H:%M:%SZ}"

    def _begin(self, call: str, name: str) -> None:
        self.calls.append((call, name))
        if self.fails(call, name):
            raise StateError(f"{call} of {name}: the bucket does not answer.", advice="Try again.")

"""Checks that a memory folder belongs to this repository, and marks it before the first write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.engine.origin import origin_of
from orchestrator.errors import BucketMissingError, ForbiddenError, NewerMarkerError, OwnershipError
from orchestrator.repository.git import Repository
from orchestrator.state.marker import (
    Identity,
    Marker,
    marker_name,
    normalised_origin,
    read_marker,
    write_marker,
)
from orchestrator.state.storage import ABSENT, PreconditionFailed, Storage, timestamp


@dataclass(frozen=True, order=True)
class MemoryFolder:
    """Where an environment is remembered: a bucket, the repository's folder in it (`prefix`, may be empty),
    and the environment's own folder (`base`), which begins with it."""

    bucket: str
    prefix: str
    base: str

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.base.rpartition("/")[2]

    @property
    def marker_url(self) -> str:
        """The marker's address."""
        return f"gs://{self.bucket}/{marker_name(self.prefix)}"


@dataclass
class Ownership:
    """Compares markers with the repository at hand; each folder is looked at once. Safe from many threads."""

    repository: Repository
    environ: Mapping[str, str]
    _ours: dict[tuple[str, str], bool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def _address(self) -> Identity:
        """The repository at hand without its first commit, for which Git walks through the whole history."""
        in_job = self.environ.get("GITHUB_ACTIONS") == "true"
        return Identity(
            self.environ.get("GITHUB_REPOSITORY_ID", "") if in_job else "",
            normalised_origin(self.repository.configured_url() or "", str(self.repository.top)),
        )

    @cached_property
    def identity(self) -> Identity:
        """The repository at hand; its number is known only in a job of GitHub Actions."""
        first = "" if self.repository.is_shallow else self.repository.first_commit() or ""
        return replace(self._address, first_commit=first)

    def check(self, storage: Storage, folder: MemoryFolder) -> None:
        """Raise OwnershipError where the marker is another repository's, or cannot be understood.

        Without a marker the folder may be used: nothing was written yet, or by an infra that knew none. The
        same holds where it may not be read: so it is in a bucket that was set up before there were markers,
        and for accounts that may not read the ledger either.
        """
        self._once(folder, lambda: self._is_ours(storage, folder))

    def mark(self, storage: Storage, folder: MemoryFolder) -> None:
        """Write the marker where there is none; called before the first ledger entry is written.

        Raises OwnershipError as `check` does, also when another repository was quicker.
        """
        if self._once(folder, lambda: self._is_ours(storage, folder)):
            return
        with self._lock:
            origin = origin_of(self.environ)
            marker = Marker(self.identity, timestamp(storage), origin.person)
            try:
                write_marker(storage, folder.prefix, marker)
            except PreconditionFailed:
                self._is_ours(storage, folder)
            except ForbiddenError:
                # A bucket that was set up before there were markers; `infra doctor` names the grant.
                return
            self._ours[folder.bucket, folder.prefix] = True

    def marker(self, storage: Storage, folder: MemoryFolder) -> Marker | None:
        """The marker as it is now, whoever's it is; one that is broken names no repository."""
        try:
            return read_marker(storage, folder.prefix)
        except NewerMarkerError:
            raise
        except OwnershipError:
            blob = storage.stat(marker_name(folder.prefix))
            return Marker(Identity(), generation=blob.generation) if blob else None

    def claim(self, storage: Storage, folder: MemoryFolder, reason: str) -> Marker:
        """Write this repository's marker in place of what is there, which is kept in it by name."""
        before = self.marker(storage, folder)
        identity = self.identity
        if before and not identity.id and before.repository.is_same(identity):
            identity = replace(identity, id=before.repository.id)
        marker = Marker(
            identity,
            timestamp(storage),
            origin_of(self.environ).person,
            reason,
            before.repository if before else None,
            before.generation if before else ABSENT,
        )
        write_marker(storage, folder.prefix, marker)
        return marker

    def _once(self, folder: MemoryFolder, look: Callable[[], bool]) -> bool:
        key = folder.bucket, folder.prefix
        with self._lock:
            if key not in self._ours:
                self._ours[key] = look()
            return self._ours[key]

    def _is_ours(self, storage: Storage, folder: MemoryFolder) -> bool:
        """Whether there is a marker of this repository; False for none. OwnershipError for another's."""
        try:
            marker = read_marker(storage, folder.prefix)
        except (ForbiddenError, BucketMissingError):
            return False
        if marker is None:
            return False
        # Where both have a number or an origin the first commit decides nothing.
        if not (marker.repository.is_same(self._address) or marker.repository.is_same(self.identity)):
            raise _of_another(folder, marker, self.identity)
        return True


def _of_another(folder: MemoryFolder, marker: Marker, identity: Identity) -> OwnershipError:
    return OwnershipError(
        f"{folder.marker_url}: this memory belongs to {marker.repository.words}, and this repository is "
        f"{identity.words}.",
        advice="Give this repository a folder of its own: `memory: {prefix: NAME}` (`memory.prefix`) in "
        "infra.yaml, and a prefix for its states too (`backend.gcs.prefix`). If it is that repository under "
        "a new name: `infra ledger claim`.",
        key="memory.prefix",
    )

"""Reads the states of a project's stacks: existence, generation, outputs and locks."""

from __future__ import annotations

import os.path
import posixpath
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError
from orchestrator.repository.model import Project, Stack
from orchestrator.state.factory import open_bucket
from orchestrator.state.folder import Files
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo, read_lock
from orchestrator.state.statefile import StateFile, read_state
from orchestrator.state.storage import Blob, ObjectReader
from orchestrator.terraform.environment import dropped_names, in_sandbox

if TYPE_CHECKING:
    from orchestrator.state.gcs import Bucket

# Where Google's libraries and Terraform's gcs backend look for Cloud Storage instead.
EMULATOR = "STORAGE_EMULATOR_HOST"


@dataclass(frozen=True)
class WaitingReason:
    """Why a stack cannot be planned yet, and what would change that."""

    reason: str
    advice: str


class States:
    """Looks at states before Terraform does: Terraform would write one that it does not find."""

    def __init__(
        self,
        project: Project,
        environ: Mapping[str, str],
        open_bucket: Callable[[Location, Mapping[str, str]], Bucket] = open_bucket,
    ) -> None:
        self._project = project
        self._environ = environ
        self._open_bucket = open_bucket
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._files = Files()
        # The head of a state by URL, with the generation that it belongs to.
        self._read: dict[str, tuple[str, StateFile]] = {}

    def of(self, project: Project) -> States:
        """The same states for the same project at another commit; what was read is shared."""
        other = States(project, self._environ, self._open_bucket)
        other._lock, other._buckets = self._lock, self._buckets
        other._files, other._read = self._files, self._read
        return other

    def location(self, stack: Stack) -> Location | None:
        """Where a stack's state lies; None when that cannot be told."""
        return self.at(stack.state) if stack.state is not None else None

    def at(self, url: str) -> Location:
        """The location that `Stack.state` names: a `gs://` URL, or a path from the project's root."""
        location = Location.parse(url)
        return location if location.is_remote else Location("", str(self._project.root / location.name))

    def storage(self, location: Location) -> ObjectReader:
        """What answers for a location."""
        return self.bucket(location) if location.is_remote else self._files

    def bucket(self, location: Location) -> Bucket:
        """The bucket of a location; one connection pool each. ConfigError where it would be a simulated one
        for infra and the real one for Terraform."""
        with self._lock:
            if location.bucket not in self._buckets:
                refuse_half_simulated(self._project, self._environ)
                self._buckets[location.bucket] = self._open_bucket(location, self._environ)
            return self._buckets[location.bucket]

    def is_remote(self, stack: Stack) -> bool:
        """True for a state in a bucket."""
        location = self.location(stack)
        return location is not None and location.is_remote

    def stat(self, stack: Stack) -> Blob | None:
        """The state without its content; None when there is none, or none that we can look at."""
        location = self.location(stack)
        return self.storage(location).stat(location.name) if location else None

    def generation(self, stack: Stack) -> str | None:
        """The state's generation now; None when there is no state, or none that we can look at."""
        stat = self.stat(stack)
        return stat.generation if stat else None

    def generations(self, stacks: Iterable[Stack]) -> dict[str, str]:
        """The generations of the states that exist, by stack id, by one listing for each bucket."""
        by_bucket: dict[str, dict[str, str]] = {}
        generations = {}
        for stack in stacks:
            location = self.location(stack)
            if location is None:
                continue
            if location.is_remote:
                by_bucket.setdefault(location.bucket, {})[location.name] = stack.id
            elif (stat := self._files.stat(location.name)) is not None:
                generations[stack.id] = stat.generation
        for bucket, ids in by_bucket.items():
            prefix = os.path.commonprefix([*ids])  # noqa: RUF071 - of names, which need not be paths
            for blob in self.bucket(Location(bucket, "")).list(prefix):
                if blob.name in ids:
                    generations[ids[blob.name]] = blob.generation
        return generations

    def head(self, stack: Stack) -> StateFile | None:
        """What a stack's state says; None when there is none. Read once per generation."""
        location = self.location(stack)
        return self.head_at(location) if location else None

    def head_before_move(self, stack: Stack) -> StateFile | None:
        """The same, of the state that the stack takes over (`moved_from`) as long as it has none itself."""
        head = self.head(stack)
        return self.head_at(self.at(stack.moved_from)) if head is None and stack.moved_from else head

    def head_at(self, location: Location) -> StateFile | None:
        """What the state at a location says; None when there is none."""
        stat = self.storage(location).stat(location.name)
        if stat is None:
            return None
        with self._lock:
            cached = self._read.get(location.url)
        if cached and cached[0] == stat.generation:
            return cached[1]
        blob = self.storage(location).read(location.name)
        if blob is None:
            return None
        head = read_state(blob.data, location.url)
        with self._lock:
            self._read[location.url] = (blob.generation, head)
        return head

    def raw(self, stack: Stack) -> bytes | None:
        """A stack's state as it lies there; None when there is none."""
        location = self.location(stack)
        blob = self.storage(location).read(location.name) if location else None
        return blob.data if blob else None

    def lock(self, stack: Stack) -> LockInfo | None:
        """Who holds the stack's state; None when nobody does."""
        location = self.location(stack)
        return read_lock(self.storage(location), location) if location else None

    def upstreams(self, stack: Stack) -> dict[str, str] | WaitingReason:
        """The generation of every state that a stack reads, by stack id, or why it must wait."""
        generations: dict[str, str] = {}
        for edge in self._project.upstreams(stack.id):
            source = self._project.stacks[edge.source]
            waiting = _missing(edge.source, edge.outputs, edge.optional, self.head(source))
            if waiting:
                advice = f"{stack.id} reads {edge.source}: apply that first, "
                return WaitingReason(waiting, f"{advice}or `infra apply {edge.source} {stack.id}`.")
            generations[edge.source] = self.generation(source) or ""
        for foreign in self._project.foreign:
            if foreign.target != stack.id:
                continue
            waiting = _missing(
                foreign.url, foreign.outputs, foreign.optional, self.head_at(Location.parse(foreign.url))
            )
            if waiting:
                return WaitingReason(
                    waiting, f"{stack.id} reads it; whoever it belongs to has to apply it first."
                )
        return generations

    def moved(self, upstreams: Mapping[str, str]) -> bool:
        """Whether one of these states (id → generation) is no longer what it was."""
        return any(self.generation(self._project.stacks[id]) != was for id, was in upstreams.items())


def refuse_half_simulated(project: Project, environ: Mapping[str, str]) -> None:
    """Raise ConfigError where STORAGE_EMULATOR_HOST is set and an environment's Terraform does not get it."""
    if not environ.get(EMULATOR):
        return
    lacking = [
        name
        for name in project.environments
        if EMULATOR
        in dropped_names(environ, passed=project.config.environment(name).env, sandbox=in_sandbox(environ))
    ]
    if lacking:
        raise ConfigError(
            f"{EMULATOR} is set, and Terraform does not get it in {', '.join(lacking)}: infra would read a "
            "simulated bucket, and Terraform the real one",
            key=f"environments.{lacking[0]}.env",
            advice=f"Unset it, use `infra sandbox exec`, or name it under `environments.{lacking[0]}.env`.",
        )


def listing_folders(locations: Iterable[Location]) -> list[tuple[str, str]]:
    """The folders that hold some states, one for each bucket where they have one in common."""
    by_bucket: dict[str, list[str]] = {}
    for location in locations:
        by_bucket.setdefault(location.bucket, []).append(posixpath.dirname(location.name))
    folders_by_bucket = []
    for bucket, folders in sorted(by_bucket.items()):
        shared = posixpath.commonpath(folders) if all(folders) else ""
        if shared:
            folders_by_bucket.append((bucket, f"{shared}/"))
        else:
            # Nothing in common: listing the whole bucket would cost more than asking for each.
            folders_by_bucket.extend(
                (bucket, f"{folder}/" if folder else "") for folder in sorted(set(folders))
            )
    return folders_by_bucket


def _missing(
    source: str, outputs: frozenset[str] | None, optional: frozenset[str], head: StateFile | None
) -> str:
    """Why a state is not enough for what is read of it; empty when it is."""
    if head is None or head.is_empty:
        return f"{source} was never applied"
    lacking = sorted((outputs or frozenset()) - optional - head.outputs.keys())
    return f"{source} has no output {', '.join(lacking)} yet" if lacking else ""

"""Which ledger a stack's memory is in: beside its state in the bucket, else in a folder of this machine."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path

from orchestrator.config import GcsBackend
from orchestrator.engine.states import States
from orchestrator.process.identity import is_alive
from orchestrator.project.model import Project, Stack
from orchestrator.state.drift import DriftLog
from orchestrator.state.folder import Folder
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.promotion import PromotionStore
from orchestrator.state.records import Entry, Operation
from orchestrator.state.storage import Storage


class Ledgers:
    """The ledgers of a project's stacks, one object each."""

    def __init__(self, project: Project, states: States, environ: Mapping[str, str]) -> None:
        self._project = project
        self._states = states
        self._local = Folder(local_folder(project.root, environ))
        self._made: dict[tuple[str, str], Ledger] = {}
        self._logs: dict[tuple[str, str], DriftLog] = {}
        self._lock = threading.Lock()
        self._forgotten: Mapping[str, str] = {}

    def forgetting(self, stacks: Mapping[str, str]) -> Ledgers:
        """The same ledgers, by whose entries some stacks (id → reason) have no state that must be there.

        Only `entry` tells so; nothing is written.
        """
        other = copy(self)
        other._forgotten = {**self._forgotten, **stacks}
        return other

    def of(self, stack: Stack) -> Ledger:
        """The ledger that a stack is in."""
        return self._at(stack.environment, self._states.location(stack))

    def before_move(self, stack: Stack) -> Ledger | None:
        """The ledger beside the state that a stack takes over (`moved_from`), where that is another one."""
        if stack.moved_from is None:
            return None
        ledger = self._at(stack.environment, self._states.at(stack.moved_from))
        return None if ledger is self.of(stack) else ledger

    def _at(self, environment: str, location: Location | None) -> Ledger:
        storage, bucket, base = self._place(environment, location)
        with self._lock:
            if (bucket, base) not in self._made:
                self._made[bucket, base] = Ledger(storage, environment, base, presence=presence)
            return self._made[bucket, base]

    def drift_log(self, stack: Stack) -> DriftLog:
        """The memory of drift that a stack is in: beside its ledger. Equal for all stacks that share it."""
        storage, bucket, base = self._place(stack.environment, self._states.location(stack))
        with self._lock:
            if (bucket, base) not in self._logs:
                self._logs[bucket, base] = DriftLog(storage, stack.environment, base)
            return self._logs[bucket, base]

    def promotions(self, environment: str) -> PromotionStore | None:
        """The promotion records of an environment, beside its ledger; None when it has no stacks."""
        locations = [
            self._place(environment, self._states.location(stack)) for stack in self._project.of(environment)
        ]
        if not locations:
            return None
        storage, _, base = next((found for found in locations if found[1]), locations[0])
        return PromotionStore(storage, environment, base)

    def _place(self, environment: str, location: Location | None) -> tuple[Storage, str, str]:
        """Where a stack with its state at a location is remembered: the storage, its bucket's name, and the
        environment's folder in it."""
        if location is None or not location.bucket:
            return self._local, "", environment
        return self._states.bucket(location), location.bucket, base_of(location.name, environment)

    def entry(self, stack: Stack) -> Entry | None:
        """What is known of a stack, also under the id that it had before (`moved:`), or in the ledger beside
        the state that it takes over (`moved_from`). Writes nothing."""
        entry = self._entry(stack)
        if entry and stack.id in self._forgotten:
            return replace(entry, state_generation="", forgotten=self._forgotten[stack.id])
        return entry

    def _entry(self, stack: Stack) -> Entry | None:
        entry, old, other = self.of(stack).entry(stack.id), self.earlier_id(stack), self.before_move(stack)
        if entry is None and old:
            before = self.of(stack).entry(old)
            return replace(before, stack=stack.id, moved_from=old, generation="") if before else None
        if _is_new(entry) and other and (before := other.entry(stack.id)):
            return replace(before, generation="")
        return entry

    def carry(self, stack: Stack) -> Entry | None:
        """What is known of a stack; an entry that is elsewhere comes to the stack's own ledger."""
        old, other = self.earlier_id(stack), self.before_move(stack)
        entry = self.of(stack).move(old, stack.id) if old else self.of(stack).entry(stack.id)
        return self.of(stack).receive(stack.id, other, entry) if _is_new(entry) and other else entry

    def of_environment(self, environment: str) -> list[Ledger]:
        """The ledgers of an environment's stacks; where none is left, the one in infra.yaml's bucket."""
        ledgers = list(self.among(stack.id for stack in self._project.of(environment)))
        backend = self._project.config.backend
        if ledgers or not isinstance(backend, GcsBackend):
            return ledgers
        settings = backend.settings(environment, "any")
        return [self._at(environment, Location(settings["bucket"], settings["prefix"]))]

    def note_move(self, stack: Stack) -> None:
        """Note in the ledger beside the state that a stack took over where it is now."""
        other = self.before_move(stack)
        if other and stack.state:
            other.note_state(stack.id, stack.state)

    def earlier_id(self, stack: Stack) -> str | None:
        """The id that a stack had before, as `moved:` in infra.yaml says."""
        return self._project.config.earlier_id(stack.id)

    def among(self, stacks: Iterable[str]) -> dict[Ledger, list[str]]:
        """The ledgers of some stacks, each with those that are in it."""
        found: dict[Ledger, list[str]] = {}
        for stack in stacks:
            found.setdefault(self.of(self._project.stacks[stack]), []).append(stack)
        return found


def _is_new(entry: Entry | None) -> bool:
    """Whether a ledger knows nothing of a stack."""
    return entry is None or entry.is_blank


def this_machine() -> str:
    """This machine as `Operation.host` has it: its name, and the process namespace, as containers differ."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def presence(operation: Operation) -> bool | None:
    """Whether an operation's process runs; None for another machine's."""
    if not operation.pid or operation.host != this_machine():
        return None
    return is_alive(operation.pid, operation.pid_started)


def base_of(state: str, environment: str) -> str:
    """The environment's folder in a bucket: `acme/prod` for the state `acme/prod/state/net/default.tfstate`.

    So two projects that share a bucket by prefixes do not share a ledger. A state whose name does not hold
    the environment's has its ledger below the environment's name alone.
    """
    parts = state.split("/")
    if environment not in parts:
        return environment
    return "/".join(parts[: parts.index(environment) + 1])


def folders_in(project: Project, states: States, bucket: str) -> list[str]:
    """The folders of the environments in a bucket: of those with stacks, and of those infra.yaml names."""
    found = set()
    for stack in project.stacks.values():
        location = states.location(stack)
        if location and location.bucket == bucket:
            found.add(base_of(location.name, stack.environment))
    backend = project.config.backend
    if isinstance(backend, GcsBackend):
        given = {name: backend.settings(name, "any") for name in project.config.environments}
        found |= {base_of(one["prefix"], name) for name, one in given.items() if one["bucket"] == bucket}
    return sorted(found)


def local_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/infra/ledger/` with a name that stands for the checkout."""
    home = Path(environ.get("HOME") or Path.home())
    state_home = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return state_home / "infra" / "ledger" / f"{root.name}-{name}"

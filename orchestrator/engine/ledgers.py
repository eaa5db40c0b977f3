"""The ledgers of a project's stacks: beside the states in a bucket, or in a folder of this machine."""

from __future__ import annotations

import hashlib
import itertools
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path

from orchestrator.config import Config, FileBackend
from orchestrator.engine.ownership import MemoryFolder, Ownership
from orchestrator.engine.states import States
from orchestrator.process.identity import is_alive
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.state.backends import backend_kind
from orchestrator.state.drift_store import DriftLog
from orchestrator.state.folder import Folder
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.marker import Identity, Marker
from orchestrator.state.promotion_store import PromotionStore
from orchestrator.state.records import LedgerEntry, Operation
from orchestrator.state.storage import Storage

# The folders of an environment's memory.
MEMORY_PARTS = frozenset({"ledger", "plans", "attestations", "promotion", "drift"})


class Ledgers:
    """The ledgers of a project's stacks, one object each."""

    def __init__(
        self,
        project: Project,
        states: States,
        environ: Mapping[str, str],
        *,
        rules: Config | None = None,
    ) -> None:
        """`rules` is the configuration that says where the memory is, when not the project's own."""
        self._project = project
        self._states = states
        self._environ = environ
        self._rules = rules or project.config
        self._ownership = Ownership(project.repository, environ)
        self._local = Folder(local_folder(project.root, environ))
        self._made: dict[tuple[str, str], Ledger] = {}
        self._logs: dict[tuple[str, str], DriftLog] = {}
        self._folders: dict[tuple[str, Location | None], MemoryFolder | None] = {}
        self._lock = threading.Lock()
        self._forgotten: Mapping[str, str] = {}

    def forgetting(self, stacks: Mapping[str, str]) -> Ledgers:
        """The same ledgers, by whose entries some stacks (id → reason) have no state that must be there.

        Only `entry` tells so; nothing is written.
        """
        other = copy(self)
        other._forgotten = {**self._forgotten, **stacks}
        return other

    def forgotten(self, stack: Stack) -> str:
        """Why a stack's state is given up by this run; empty where it is not."""
        return self._forgotten.get(stack.id, "")

    def for_commit(self, project: Project, states: States) -> Ledgers:
        """The ledgers of the same repository at another commit; where they are is not for that one to say."""
        other = Ledgers(project, states, self._environ, rules=self._rules)
        other._ownership = self._ownership
        return other

    def check(self, stacks: Iterable[Stack]) -> None:
        """Raise OwnershipError where the memory of one of these stacks is another repository's."""
        for stack in stacks:
            self.of(stack)

    def check_folder(self, folder: MemoryFolder) -> None:
        """Raise OwnershipError where a folder is another repository's memory."""
        self._ownership.check(self.storage(folder), folder)

    def mark_of(self, stack: Stack) -> None:
        """Note whose memory the ledger of a stack is in, where nothing says so yet."""
        folder = self.folder(stack.environment, self._states.location(stack))
        if folder:
            self.mark(folder)

    def mark(self, folder: MemoryFolder) -> None:
        """Note whose memory a folder is, where nothing says so yet."""
        self._ownership.mark(self.storage(folder), folder)

    def claim(self, folder: MemoryFolder, reason: str) -> None:
        """Make a folder this repository's."""
        self._ownership.claim(self.storage(folder), folder, reason)

    def marker(self, folder: MemoryFolder) -> Marker | None:
        """Whose memory a folder is; None where nothing says so."""
        return self._ownership.marker(self.storage(folder), folder)

    @property
    def identity(self) -> Identity:
        """The repository at hand."""
        return self._ownership.identity

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
        storage, bucket, base = self._find_folder(environment, location)
        with self._lock:
            if (bucket, base) not in self._made:
                self._made[bucket, base] = Ledger(storage, environment, base, presence=presence)
            return self._made[bucket, base]

    def drift_log(self, stack: Stack) -> DriftLog:
        """The memory of drift that a stack is in: beside its ledger. Equal for all stacks that share it."""
        storage, bucket, base = self._find_folder(stack.environment, self._states.location(stack))
        with self._lock:
            if (bucket, base) not in self._logs:
                self._logs[bucket, base] = DriftLog(storage, stack.environment, base)
            return self._logs[bucket, base]

    def promotions(self, environment: str) -> PromotionStore | None:
        """The promotion records of an environment, beside its ledger; None when it has no stacks."""
        locations = [
            self._find_folder(environment, self._states.location(stack))
            for stack in self._project.of(environment)
        ]
        if not locations:
            return None
        storage, _, base = next((location for location in locations if location[1]), locations[0])
        return PromotionStore(storage, environment, base)

    def folder(self, environment: str, location: Location | None) -> MemoryFolder | None:
        """The folder that remembers an environment's stack with its state at a location; None for this
        machine's own."""
        return memory_folder(self._rules, environment, location)

    def folders(self) -> tuple[MemoryFolder, ...]:
        """The folders in buckets of all environments, those that only infra.yaml names included."""
        return _memory_folders(self._project, self._states, self._rules)

    def storage(self, folder: MemoryFolder) -> Storage:
        """The bucket that a folder is in."""
        return self._states.bucket(Location(folder.bucket, ""))

    def _find_folder(self, environment: str, location: Location | None) -> tuple[Storage, str, str]:
        """Where a stack with its state at a location is remembered: the storage, its bucket's name, and the
        environment's folder in it. OwnershipError where that is another repository's."""
        key = environment, location
        if key not in self._folders:
            self._folders[key] = self.folder(environment, location)
        folder = self._folders[key]
        if folder is None:
            return self._local, "", environment
        self.check_folder(folder)
        return self.storage(folder), folder.bucket, folder.base

    def entry(self, stack: Stack) -> LedgerEntry | None:
        """What is known of a stack, also under the id that it had before (`moved:`), or in the ledger beside
        the state that it takes over (`moved_from`). Writes nothing."""
        entry = self._entry(stack)
        if entry and stack.id in self._forgotten:
            return replace(entry, state_generation="", forgotten=self._forgotten[stack.id])
        return entry

    def _entry(self, stack: Stack) -> LedgerEntry | None:
        entry, old, other = self.of(stack).entry(stack.id), self.earlier_id(stack), self.before_move(stack)
        if entry is None and old:
            before = self.of(stack).entry(old)
            return replace(before, stack=stack.id, moved_from=old, generation="") if before else None
        if _is_new(entry) and other and (before := other.entry(stack.id)):
            return replace(before, generation="")
        return entry

    def move_entry(self, stack: Stack) -> LedgerEntry | None:
        """What is known of a stack; an entry that is elsewhere comes to the stack's own ledger."""
        old, other = self.earlier_id(stack), self.before_move(stack)
        entry = self.of(stack).move(old, stack.id) if old else self.of(stack).entry(stack.id)
        return self.of(stack).receive(stack.id, other, entry) if _is_new(entry) and other else entry

    def of_environment(self, environment: str) -> list[Ledger]:
        """The ledgers of an environment's stacks; where none is left, the one in infra.yaml's bucket."""
        ledgers = list(self.among(stack.id for stack in self._project.of(environment)))
        location = configured_location(self._project.config, environment)
        if ledgers or self.folder(environment, location) is None:
            return ledgers
        return [self._at(environment, location)]

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
        by_ledger: dict[Ledger, list[str]] = {}
        for stack in stacks:
            by_ledger.setdefault(self.of(self._project.stacks[stack]), []).append(stack)
        return by_ledger


def _is_new(entry: LedgerEntry | None) -> bool:
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


def configured_location(config: Config, environment: str) -> Location | None:
    """Where the states of an environment are by infra.yaml alone; None where it names no bucket."""
    backend = config.backend_of(environment)
    if backend is None or isinstance(backend, FileBackend):
        return None
    return backend_kind(backend.kind).folder(backend.settings(environment, "any"))


def memory_folder(config: Config, environment: str, state: Location | None) -> MemoryFolder | None:
    """The folder that remembers an environment's stack: as `memory` says, else beside its state; None where
    neither names a bucket."""
    settings = config.memory_of(environment)
    beside = state.bucket if state else ""
    bucket = settings.bucket or beside
    if not bucket:
        return None
    if settings.prefix is not None or settings.bucket is not None or state is None:
        prefix = settings.prefix or ""
        return MemoryFolder(bucket, prefix, f"{prefix}/{environment}" if prefix else environment)
    base = base_of(state.name, environment)
    return MemoryFolder(bucket, base.removesuffix(environment).rstrip("/"), base)


def _memory_folders(project: Project, states: States, rules: Config) -> tuple[MemoryFolder, ...]:
    """The folders of the environments: of those with stacks, and of those that infra.yaml names."""
    locations = [(stack.environment, states.location(stack)) for stack in project.stacks.values()]
    locations += [(name, configured_location(rules, name)) for name in rules.environments]
    folders = (memory_folder(rules, *each) for each in locations)
    return tuple(sorted({folder for folder in folders if folder}))


def memory_findings(project: Project) -> Iterator[Finding]:
    """What is wrong with the locations of memories and states, as far as the repository shows it."""
    folders: dict[str, MemoryFolder] = {}
    for stack in project.stacks.values():
        state = Location.parse(stack.state or "")
        folder = memory_folder(project.config, stack.environment, state if state.is_remote else None)
        if folder:
            folders[stack.environment] = folder
            yield from _state_findings(stack, state, folder)
    for name in project.environments:
        if name not in folders and project.config.memory_of(name).prefix is not None:
            yield Finding(
                "warning",
                "memory-unused",
                f"`memory.prefix` has no effect for {name}: its states are in no bucket.",
                "Give `memory.bucket` too, or drop it.",
                "infra.yaml",
            )
    for inner, outer in itertools.permutations(sorted(folders.values()), 2):
        if inner.bucket == outer.bucket and inner.base.startswith(f"{outer.base}/"):
            yield Finding(
                "error",
                "memory-nested",
                f"{inner.environment} is remembered in {inner.base}/, inside the folder of "
                f"{outer.environment}, {outer.base}/: whoever may write the one may write the other.",
                "Choose a `memory.prefix` that no environment's name begins.",
                "infra.yaml",
            )


def _state_findings(stack: Stack, state: Location, folder: MemoryFolder) -> Iterator[Finding]:
    """What is wrong with a state's location beside the memory of its environment."""
    if state.bucket != folder.bucket:
        return
    part = state.name.removeprefix(f"{folder.base}/").partition("/")[0]
    if state.name.startswith(f"{folder.base}/") and part in MEMORY_PARTS:
        yield Finding(
            "error",
            "memory-state",
            f"{stack.id} keeps its state in {folder.base}/{part}/, a folder of the memory: accounts that may "
            f"write there could change it.",
            "Choose another prefix, such as `{environment}/state/{stack}`.",
            stack.path,
            stack=stack.id,
        )
    elif folder.prefix and not state.name.startswith(f"{folder.prefix}/"):
        yield Finding(
            "warning",
            "memory-apart",
            f"{stack.id} keeps its state at {state.name}, outside of {folder.prefix}/, the repository's "
            "folder: another repository in the bucket may use the same location, and the bootstrap lets no "
            "account read it.",
            f"Begin `backend.gcs.prefix` with {folder.prefix}/.",
            stack.path,
            stack=stack.id,
        )


def local_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/infra/ledger/` with a name that stands for the checkout."""
    home = Path(environ.get("HOME") or Path.home())
    state_home = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return state_home / "infra" / "ledger" / f"{root.name}-{name}"

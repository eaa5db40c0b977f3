"""`infra status`: compares trunk, ledger and states, by a few listings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from orchestrator.config import FILE_NAME
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.pending import pending_reason, upstream_hashes
from orchestrator.engine.promotion_lookup import PromotionLookup
from orchestrator.engine.state_location import StateLocations
from orchestrator.engine.states import States, listing_folders
from orchestrator.errors import BlockedError, GitError, StateError
from orchestrator.report.status import (
    AppliedCommit,
    DriftStatus,
    LastRun,
    LockStatus,
    PromotionStatus,
    RunningOperation,
    StackStatus,
    StateStatus,
    StatusKind,
)
from orchestrator.repository.advice import advice_for
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project, Stack
from orchestrator.state.drift_store import DriftLog, DriftRecord
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo, read_lock
from orchestrator.state.records import LedgerEntry, base_commit
from orchestrator.state.storage import Blob

# Requests that may be under way at once.
WORKERS = 16
# Commits of trunk that are counted.
FAR_BEHIND = 10_000


@dataclass(frozen=True)
class TrunkView:
    """What trunk says. Where there is no trunk, the working tree stands for it."""

    project: Project
    commits: Mapping[str, int]

    @classmethod
    def of(cls, project: Project) -> TrunkView:
        """Trunk as it is known here, which is as of the last fetch."""
        try:
            ref = project.repository.trunk(project.config.trunk)
        except GitError:
            return cls(project, {})
        line = project.repository.first_parents(ref, FAR_BEHIND)
        return cls(_project_at(project, ref), {commit: index for index, commit in enumerate(line)})


def _project_at(project: Project, ref: str) -> Project:
    """The project as a commit has it. Where the working tree has the same files, they are not read again."""
    tree, own = project.repository.commit_tree(ref, project.coverage.source.memo), project.tree
    is_same = (tree.ids, tree.links) == (own.ids, own.links) and not (tree.submodules or own.submodules)
    if is_same and FILE_NAME in tree.ids:
        return replace(project, tree=tree)
    return load_commit(project, ref)


@dataclass
class StatusListing:
    """What the listings show, by stack id: ledger entries, state objects, locks, checks for drift."""

    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    states: dict[str, Blob] = field(default_factory=dict)
    locks: dict[str, LockInfo] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    drift: dict[str, DriftRecord] = field(default_factory=dict)


class StatusReader:
    """Looks at the stacks of a project; nothing is written, and Terraform is not needed."""

    def __init__(self, project: Project, states: States, ledgers: Ledgers) -> None:
        self._project = project
        self._states = states
        self._ledgers = ledgers

    @cached_property
    def trunk(self) -> TrunkView:
        """What trunk says, read once."""
        return TrunkView.of(self._project)

    def of(self, stacks: Collection[str] | None = None) -> list[StackStatus]:
        """The status of some stacks of the working tree, or of all: there, on trunk and in the ledger."""
        stacks_by_id = {**self.trunk.project.stacks, **self._project.stacks}
        emptied = self._without_stacks(stacks_by_id.values()) if stacks is None else []
        listing = self._look(
            stacks_by_id if stacks is None else {id: stacks_by_id[id] for id in stacks}, emptied
        )
        selected = list(stacks_by_id) if stacks is None else list(stacks)
        renamed = self._project.config.earlier_ids
        deleted = sorted(listing.entries.keys() - stacks_by_id.keys() - renamed) if stacks is None else []
        statuses = [self._status(stacks_by_id[id], listing) for id in selected]
        statuses += [
            _deleted(self._project, listing.entries[id], listing.ledgers[id])
            for id in deleted
            if listing.entries[id].result != "destroyed"
        ]
        return [replace(status, advice=advice_for(self._project, status.advice)) for status in statuses]

    def promotions(self, environments: Collection[str]) -> list[PromotionStatus]:
        """Whether trunk has passed each of some environments; those without checks and soak are left out."""
        lookup = PromotionLookup(self.trunk.project, self._ledgers.promotions)
        return [
            _promotion(lookup, name)
            for name in self.trunk.project.order.names
            if name in environments and not lookup.requirements(name).is_empty
        ]

    def _without_stacks(self, stacks: Iterable[Stack]) -> list[Ledger]:
        """The ledgers of environments that infra.yaml names and whose last stack was deleted."""
        names = self._project.config.environments.keys() - {stack.environment for stack in stacks}
        return [ledger for name in sorted(names) for ledger in self._ledgers.of_environment(name)]

    def _look(self, stacks: Mapping[str, Stack], emptied: Iterable[Ledger]) -> StatusListing:
        """Every listing that is needed, side by side; `emptied` are ledgers of no known stack."""
        status_listing = StatusListing()
        by_ledger: dict[Ledger, list[Stack]] = {ledger: [] for ledger in emptied}
        for stack in stacks.values():
            by_ledger.setdefault(self._ledgers.of(stack), []).append(stack)
        with ThreadPoolExecutor(WORKERS) as pool:
            listings = [(ledger, pool.submit(ledger.entries)) for ledger in by_ledger]
            states = [pool.submit(self._look_at_states, members) for members in by_ledger.values()]
            by_log: dict[DriftLog, list[str]] = {}
            for stack in stacks.values():
                by_log.setdefault(self._ledgers.drift_log(stack), []).append(stack.id)
            checks = [pool.submit(_look_at_drift, log, ids) for log, ids in by_log.items()]
            for ledger, listing in listings:
                # An entry in the ledger where a stack was before its state moved is not about it any more.
                entries = {
                    id: entry
                    for id, entry in listing.result().items()
                    if id not in stacks or self._ledgers.of(stacks[id]) is ledger
                }
                status_listing.entries.update(entries)
                status_listing.ledgers.update(dict.fromkeys(entries, ledger))
            for records in checks:
                status_listing.drift.update(records.result())
            locked: list[Stack] = []
            for looked in states:
                blobs, locked_stacks = looked.result()
                status_listing.states.update(blobs)
                locked.extend(locked_stacks)
            status_listing.locks.update(
                zip((stack.id for stack in locked), pool.map(self._lock, locked), strict=True)
            )
        return status_listing

    def _look_at_states(self, stacks: Iterable[Stack]) -> tuple[dict[str, Blob], list[Stack]]:
        """The states of some stacks, and which of them are locked."""
        located = {
            stack.id: (stack, location) for stack in stacks if (location := self._states.location(stack))
        }
        remote = {id: (stack, location) for id, (stack, location) in located.items() if location.is_remote}
        names: dict[tuple[str, str], Blob] = {}
        for bucket, folder in listing_folders([location for _, location in remote.values()]):
            listed = self._states.bucket(Location(bucket, "")).list(folder)
            names.update({(bucket, blob.name): blob for blob in listed})
        states: dict[str, Blob] = {}
        locked = []
        for id, (stack, location) in located.items():
            if location.is_remote:
                blob, lock = (
                    names.get((location.bucket, location.name)),
                    (location.bucket, location.lock_name) in names,
                )
            else:
                storage = self._states.storage(location)
                blob, lock = storage.stat(location.name), storage.stat(location.lock_name) is not None
            if blob:
                states[id] = blob
            if lock:
                locked.append(stack)
        return states, locked

    def _lock(self, stack: Stack) -> LockInfo:
        location = self._states.location(stack)
        lock = read_lock(self._states.storage(location), location) if location else None
        return lock or LockInfo("", "", "", "", "", "", "")

    def _status(self, stack: Stack, listing: StatusListing) -> StackStatus:
        ledger = self._ledgers.of(stack)
        entry = listing.entries.get(stack.id) or listing.entries.get(self._ledgers.earlier_id(stack) or "")
        blob = listing.states.get(stack.id)
        entry, is_live = ledger.check_liveness(entry) if entry else (None, False)
        status, why, advice = self._classify(stack, entry, blob, listing, is_live=is_live)
        lock = listing.locks.get(stack.id)
        if lock and status not in ("running", "unfinished") and not advice:
            advice = _advise_on_lock(stack, lock)
        return StackStatus(
            id=stack.id,
            environment=stack.environment,
            status=status,
            why=why,
            advice=advice,
            state=_state(entry, blob),
            lock=_lock_status(lock, ledger) if lock and lock.generation else None,
            drift=_drift_status(listing.drift.get(stack.id), ledger),
            **self._recorded(entry, ledger, is_live=is_live),  # type: ignore[arg-type]
        )

    def _recorded(self, entry: LedgerEntry | None, ledger: Ledger, *, is_live: bool) -> dict[str, object]:
        """What the ledger alone says of a stack."""
        if entry is None:
            return {}
        behind = self.trunk.commits.get(base_commit(entry.commit))
        return _recorded(entry, ledger, behind, is_live=is_live)

    def _classify(
        self,
        stack: Stack,
        entry: LedgerEntry | None,
        blob: Blob | None,
        listing: StatusListing,
        *,
        is_live: bool,
    ) -> tuple[StatusKind, str, str]:
        """Where a stack stands, why, and what to do."""
        if entry is not None and entry.problem:
            return "unreadable", entry.problem.rstrip("."), entry.remedy
        if not (entry and (entry.operation or entry.is_unfinished)):
            elsewhere = self._elsewhere(stack, entry, blob)
            if elsewhere:
                return elsewhere
        if is_live:
            return "running", "", ""
        if blob is not None and (entry is None or _is_interrupted_adoption(entry)):
            why = "it has a state, and nothing says which commit made it"
            return "unrecorded", why, f"`infra adopt {stack.id}`, when its plan is empty."
        if entry is None:
            return "new", "", ""
        if entry.is_unfinished:
            advice = f"`infra resume {stack.id}` finds out what was applied and does the rest."
            return "unfinished", "a run was interrupted in the middle of it", advice
        if entry.result == "destroyed":
            return "destroyed", "", ""
        reason = self._pending_reason(stack, entry, blob, listing)
        return ("pending", reason, "") if reason else ("up-to-date", "", "")

    def _elsewhere(
        self, stack: Stack, entry: LedgerEntry | None, blob: Blob | None
    ) -> tuple[StatusKind, str, str] | None:
        """What a plan says of a state that is not the recorded one at its location; None when it is.

        A state that is as the ledger recorded it is not looked at again.
        """
        if blob is not None and (entry is None or entry.state_generation == blob.generation):
            return None
        project = self._project if stack.id in self._project.stacks else self.trunk.project
        try:
            move = StateLocations(Memory(project, self._states, self._ledgers)).check(stack)
        except BlockedError as error:
            return "blocked", error.message.rstrip("."), error.advice
        except StateError:  # a bucket that is not there yet, or no state at all: a plan says what is wrong
            return None
        return ("pending", str(move), f"`infra apply {stack.id}` moves it.") if move else None

    def _pending_reason(
        self, stack: Stack, entry: LedgerEntry, blob: Blob | None, listing: StatusListing
    ) -> str:
        """Why a stack is pending; empty when it is not."""
        if blob is None and entry.state_generation:
            return "its state is gone"
        trunk = self.trunk.project
        if stack.id not in trunk.stacks:
            # What trunk does not have cannot differ from it: only how its last run ended counts.
            return pending_reason(entry, entry.fingerprint, entry.upstreams)
        sources = {edge.source for edge in trunk.upstreams(stack.id)}
        upstream_generations = entry.upstream_generations
        # A state that is still what it was when the stack was applied need not be read.
        same = all(
            id in listing.states and listing.states[id].generation == upstream_generations.get(id)
            for id in sources
        )
        now = entry.upstreams if same else upstream_hashes(trunk, self._states, trunk.stacks[stack.id])
        return pending_reason(entry, trunk.fingerprint(stack.id), now)


def _advise_on_lock(stack: Stack, lock: LockInfo) -> str:
    """What to do about a lock on a stack that nobody is known to work on."""
    if lock.is_of_move(stack.id):
        return "A move of its state was interrupted: the same command again finishes it."
    return f"If nobody is at work: `infra unlock {stack.id}`."


def _is_interrupted_adoption(entry: LedgerEntry) -> bool:
    is_adoption = entry.operation is not None and entry.operation.kind == "adopt"
    return is_adoption and not (entry.is_known or entry.result)


def _promotion(lookup: PromotionLookup, environment: str) -> PromotionStatus:
    """One environment's; a record that cannot be read hides nothing else."""
    try:
        decision, newest = lookup.decision(environment), lookup.newest(environment)
    except StateError as error:
        return PromotionStatus(environment, "unknown", f"{error.message} {error.advice}".strip())
    record = decision.record or newest
    skip = newest.skipped if newest else None
    return PromotionStatus(
        environment,
        decision.state,
        decision.reason,
        record.commit if record else "",
        {name: check.result for name, check in record.checks.items()} if record else {},
        f"checks skipped by {skip.by}: {skip.reason}" if skip else "",
    )


def _deleted(project: Project, entry: LedgerEntry, ledger: Ledger) -> StackStatus:
    """A stack that the ledger knows and trunk no longer has; `unfinished` where a run was interrupted."""
    if entry.problem:
        why = entry.problem.rstrip(".")
        return StackStatus(entry.stack, ledger.environment, "unreadable", why, entry.remedy)
    entry, is_live = ledger.check_liveness(entry)
    is_unfinished = entry.is_unfinished and not is_live
    cause = "a run was interrupted in the middle of it" if is_unfinished else "what it made is still there"
    command = f"`infra destroy {entry.stack}`"
    if project.config.environment(ledger.environment).apply != "ci":
        command = f"`infra resume {entry.stack}`" if is_unfinished else command
        commit = base_commit(entry.attempted if is_unfinished else entry.commit)
        command = f"`git switch --detach {commit[:10]}`, then {command}" if commit else command
    return StackStatus(
        id=entry.stack,
        environment=ledger.environment,
        status="unfinished" if is_unfinished else "deleted",
        why=f"trunk no longer has it, and {cause}",
        advice=f"{command}.",
        state=None,
        **_recorded(entry, ledger, None, is_live=is_live),  # type: ignore[arg-type]
    )


def _recorded(entry: LedgerEntry, ledger: Ledger, behind: int | None, *, is_live: bool) -> dict[str, object]:
    applied = last = None
    if entry.is_known:
        applied = AppliedCommit(
            entry.commit,
            entry.subject,
            entry.author,
            entry.applied_at,
            entry.applied_run,
            _age(entry.applied_at, ledger),
            behind,
        )
    if entry.result:
        last = LastRun(entry.run, entry.result, entry.attempted, entry.at)
    return {
        "applied": applied,
        "last": last,
        "operation": _running_operation(entry, ledger, is_live=is_live),
        "rescued": entry.rescued,
        "break_glass": entry.break_glass,
    }


def _running_operation(entry: LedgerEntry, ledger: Ledger, *, is_live: bool) -> RunningOperation | None:
    operation = entry.operation
    if operation is None:
        return None
    return RunningOperation(
        run=operation.run,
        kind=operation.kind,
        phase=operation.phase,
        who=operation.who,
        where=operation.where,
        commit=operation.commit,
        started=operation.started,
        silent=ledger.silence(entry),
        live=is_live,
    )


def _state(entry: LedgerEntry | None, blob: Blob | None) -> StateStatus | None:
    if blob is None:
        return None
    moved = entry is not None and bool(entry.state_generation) and entry.state_generation != blob.generation
    return StateStatus(entry.serial if entry else None, blob.size, blob.generation, moved)


def _lock_status(lock: LockInfo, ledger: Ledger) -> LockStatus:
    age = _age(lock.written or lock.created, ledger)
    return LockStatus(lock.who, lock.operation, lock.created, age, lock.generation)


def _look_at_drift(log: DriftLog, stacks: Sequence[str]) -> dict[str, DriftRecord]:
    """The checks of some stacks; those that cannot be read hide nothing else."""
    try:
        return log.records()
    except StateError as error:
        return {stack: DriftRecord(stack, reason=error.message) for stack in stacks}


def _drift_status(record: DriftRecord | None, ledger: Ledger) -> DriftStatus | None:
    if record is None:
        return None
    age = _age(record.checked_at, ledger) if record.checked_at else 0.0
    return DriftStatus(record.checked_at, record.result, record.severity, record.reason, age)


def _age(moment: str, ledger: Ledger) -> float:
    """Seconds since a moment of the ledger's clock."""
    try:
        then = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (ledger.storage.now() - then).total_seconds())

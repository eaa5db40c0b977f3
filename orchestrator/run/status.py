"""`infra status`: what trunk says, what the ledger says and where the states are, seen by a few listings."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.promotion_lookup import PromotionLookup
from orchestrator.engine.state_location import StateLocations
from orchestrator.engine.states import States
from orchestrator.errors import BlockedError, GitError, StateError
from orchestrator.project import load_commit
from orchestrator.project.model import Project, Stack
from orchestrator.report.status import (
    AppliedCommit,
    LastRun,
    LockNow,
    PromotionStatus,
    StackStatus,
    Standing,
    StateNow,
    UnderWay,
)
from orchestrator.run.pending import owed, upstream_hashes
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo, read_lock
from orchestrator.state.records import Entry, base_commit
from orchestrator.state.storage import Blob

# Requests that may be under way at once.
WORKERS = 16
# Commits of trunk that are counted.
FAR_BEHIND = 10_000


@dataclass(frozen=True)
class Trunk:
    """What trunk says. Where there is no trunk, the working tree stands for it."""

    project: Project
    commits: Mapping[str, int]

    @classmethod
    def of(cls, project: Project) -> Trunk:
        """Trunk as it is known here, which is as of the last fetch."""
        try:
            ref = project.repository.trunk(project.config.trunk)
        except GitError:
            return cls(project, {})
        line = project.repository.first_parents(ref, FAR_BEHIND)
        return cls(load_commit(project, ref), {commit: place for place, commit in enumerate(line)})


@dataclass
class Seen:
    """What the listings show, by stack id: ledger entries, state objects, locks, and the time there."""

    entries: dict[str, Entry] = field(default_factory=dict)
    states: dict[str, Blob] = field(default_factory=dict)
    locks: dict[str, LockInfo] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)


class Statuses:
    """Looks at the stacks of a project; nothing is written, and Terraform is not needed."""

    def __init__(self, project: Project, states: States, ledgers: Ledgers) -> None:
        self._project = project
        self._states = states
        self._ledgers = ledgers

    @cached_property
    def trunk(self) -> Trunk:
        """What trunk says, read once."""
        return Trunk.of(self._project)

    def of(self, stacks: Collection[str] | None = None) -> list[StackStatus]:
        """The status of some stacks of the working tree, or of all: there, on trunk and in the ledger."""
        known = {**self.trunk.project.stacks, **self._project.stacks}
        emptied = self._without_stacks(known.values()) if stacks is None else []
        seen = self._look(known if stacks is None else {id: known[id] for id in stacks}, emptied)
        wanted = list(known) if stacks is None else list(stacks)
        renamed = self._project.config.earlier_ids
        gone = sorted(seen.entries.keys() - known.keys() - renamed) if stacks is None else []
        found = [self._status(known[id], seen) for id in wanted]
        return found + [
            _deleted(seen.entries[id], seen.ledgers[id])
            for id in gone
            if seen.entries[id].result != "destroyed"
        ]

    def promotions(self, environments: Collection[str]) -> list[PromotionStatus]:
        """Whether trunk has passed each of some environments; those without checks and soak are left out."""
        lookup = PromotionLookup(self.trunk.project, self._ledgers.promotions)
        return [
            _promotion(lookup, name)
            for name in self.trunk.project.order.names
            if name in environments and not lookup.requirements(name).is_empty
        ]

    def _without_stacks(self, known: Iterable[Stack]) -> list[Ledger]:
        """The ledgers of environments that infra.yaml names and whose last stack was deleted."""
        names = self._project.config.environments.keys() - {stack.environment for stack in known}
        return [ledger for name in sorted(names) for ledger in self._ledgers.of_environment(name)]

    def _look(self, stacks: Mapping[str, Stack], emptied: Iterable[Ledger]) -> Seen:
        """Every listing that is needed, side by side; `emptied` are ledgers of no known stack."""
        seen = Seen()
        by_ledger: dict[Ledger, list[Stack]] = {ledger: [] for ledger in emptied}
        for stack in stacks.values():
            by_ledger.setdefault(self._ledgers.of(stack), []).append(stack)
        with ThreadPoolExecutor(WORKERS) as pool:
            listings = [(ledger, pool.submit(ledger.entries)) for ledger in by_ledger]
            states = [pool.submit(self._look_at_states, members) for members in by_ledger.values()]
            for ledger, listing in listings:
                # An entry in the ledger where a stack was before its state moved is not about it any more.
                entries = {
                    id: entry
                    for id, entry in listing.result().items()
                    if id not in stacks or self._ledgers.of(stacks[id]) is ledger
                }
                seen.entries.update(entries)
                seen.ledgers.update(dict.fromkeys(entries, ledger))
            locked: list[Stack] = []
            for looked in states:
                found, held = looked.result()
                seen.states.update(found)
                locked.extend(held)
            seen.locks.update(zip((one.id for one in locked), pool.map(self._lock, locked), strict=True))
        return seen

    def _look_at_states(self, stacks: Iterable[Stack]) -> tuple[dict[str, Blob], list[Stack]]:
        """The states of some stacks, and which of them are locked."""
        located = {one.id: (one, place) for one in stacks if (place := self._states.location(one))}
        remote = {id: (one, place) for id, (one, place) in located.items() if place.is_remote}
        names: dict[tuple[str, str], Blob] = {}
        for bucket, folder in _folders([place for _, place in remote.values()]):
            listed = self._states.bucket(Location(bucket, "")).list(folder)
            names.update({(bucket, blob.name): blob for blob in listed})
        states: dict[str, Blob] = {}
        locked = []
        for id, (stack, place) in located.items():
            if place.is_remote:
                blob, lock = names.get((place.bucket, place.name)), (place.bucket, place.lock_name) in names
            else:
                storage = self._states.storage(place)
                blob, lock = storage.stat(place.name), storage.stat(place.lock_name) is not None
            if blob:
                states[id] = blob
            if lock:
                locked.append(stack)
        return states, locked

    def _lock(self, stack: Stack) -> LockInfo:
        place = self._states.location(stack)
        found = read_lock(self._states.storage(place), place) if place else None
        return found or LockInfo("", "", "", "", "", "", "")

    def _status(self, stack: Stack, seen: Seen) -> StackStatus:
        ledger = self._ledgers.of(stack)
        entry = seen.entries.get(stack.id) or seen.entries.get(self._ledgers.earlier_id(stack) or "")
        blob = seen.states.get(stack.id)
        entry, is_live = ledger.judge(entry) if entry else (None, False)
        standing, why, advice = self._standing(stack, entry, blob, seen, is_live=is_live)
        lock = seen.locks.get(stack.id)
        if lock and standing not in ("running", "unfinished") and not advice:
            advice = f"If nobody is at work: `infra unlock {stack.id}`."
        return StackStatus(
            id=stack.id,
            environment=stack.environment,
            standing=standing,
            why=why,
            advice=advice,
            state=_state(entry, blob),
            lock=_lock_now(lock, ledger) if lock and lock.generation else None,
            **self._recorded(entry, ledger, is_live=is_live),  # type: ignore[arg-type]
        )

    def _recorded(self, entry: Entry | None, ledger: Ledger, *, is_live: bool) -> dict[str, object]:
        """What the ledger alone says of a stack."""
        if entry is None:
            return {}
        behind = self.trunk.commits.get(base_commit(entry.commit))
        return _recorded(entry, ledger, behind, is_live=is_live)

    def _standing(
        self, stack: Stack, entry: Entry | None, blob: Blob | None, seen: Seen, *, is_live: bool
    ) -> tuple[Standing, str, str]:
        """Where a stack stands, why, and what to do."""
        if entry is not None and entry.problem:
            return "unreadable", entry.problem.rstrip("."), entry.remedy
        if not (entry and (entry.operation or entry.is_unfinished)):
            elsewhere = self._elsewhere(stack, entry, blob)
            if elsewhere:
                return elsewhere
        if entry is None:
            if blob is None:
                return "new", "", ""
            why = "it has a state, and nothing says which commit made it"
            return "unrecorded", why, f"`infra adopt {stack.id}`, when its plan is empty."
        if is_live:
            return "running", "", ""
        if entry.is_unfinished:
            advice = f"`infra resume {stack.id}` finds out what was applied and does the rest."
            return "unfinished", "a run was cut off in the middle of it", advice
        if entry.result == "destroyed":
            return "destroyed", "", ""
        owed = self._owed(stack, entry, blob, seen)
        return ("pending", owed, "") if owed else ("up-to-date", "", "")

    def _elsewhere(
        self, stack: Stack, entry: Entry | None, blob: Blob | None
    ) -> tuple[Standing, str, str] | None:
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

    def _owed(self, stack: Stack, entry: Entry, blob: Blob | None, seen: Seen) -> str:
        """Why trunk owes a stack something; empty when it does not."""
        if blob is None and entry.state_generation:
            return "its state is gone"
        trunk = self.trunk.project
        if stack.id not in trunk.stacks:
            return ""
        sources = {edge.source for edge in trunk.upstreams(stack.id)}
        known = entry.upstream_generations
        # A state that is still what it was when the stack was applied need not be read.
        same = all(id in seen.states and seen.states[id].generation == known.get(id) for id in sources)
        now = entry.upstreams if same else upstream_hashes(trunk, self._states, trunk.stacks[stack.id])
        return owed(entry, trunk.fingerprint(stack.id), now)


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


def _deleted(entry: Entry, ledger: Ledger) -> StackStatus:
    """A stack that the ledger knows and trunk no longer has."""
    if entry.problem:
        why = entry.problem.rstrip(".")
        return StackStatus(entry.stack, ledger.environment, "unreadable", why, entry.remedy)
    entry, is_live = ledger.judge(entry)
    return StackStatus(
        id=entry.stack,
        environment=ledger.environment,
        standing="deleted",
        why="trunk no longer has it, and what it made is still there",
        advice="Check out the commit that it is at and destroy it.",
        state=None,
        **_recorded(entry, ledger, None, is_live=is_live),  # type: ignore[arg-type]
    )


def _recorded(entry: Entry, ledger: Ledger, behind: int | None, *, is_live: bool) -> dict[str, object]:
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
        "operation": _under_way(entry, ledger, is_live=is_live),
        "rescued": entry.rescued,
        "break_glass": entry.break_glass,
    }


def _under_way(entry: Entry, ledger: Ledger, *, is_live: bool) -> UnderWay | None:
    one = entry.operation
    if one is None:
        return None
    return UnderWay(
        run=one.run,
        kind=one.kind,
        phase=one.phase,
        who=one.who,
        where=one.where,
        commit=one.commit,
        started=one.started,
        silent=ledger.silence(entry),
        live=is_live,
    )


def _state(entry: Entry | None, blob: Blob | None) -> StateNow | None:
    if blob is None:
        return None
    moved = entry is not None and bool(entry.state_generation) and entry.state_generation != blob.generation
    return StateNow(entry.serial if entry else None, blob.size, blob.generation, moved)


def _lock_now(lock: LockInfo, ledger: Ledger) -> LockNow:
    age = _age(lock.written or lock.created, ledger)
    return LockNow(lock.who, lock.operation, lock.created, age, lock.generation)


def _age(moment: str, ledger: Ledger) -> float:
    """Seconds since a moment of the ledger's clock."""
    try:
        then = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (ledger.storage.now() - then).total_seconds())


def _folders(places: Iterable[Location]) -> list[tuple[str, str]]:
    """The folders that hold some states, one for each bucket where they have one in common."""
    by_bucket: dict[str, list[str]] = {}
    for place in places:
        by_bucket.setdefault(place.bucket, []).append(posixpath.dirname(place.name))
    found = []
    for bucket, folders in sorted(by_bucket.items()):
        shared = posixpath.commonpath(folders) if all(folders) else ""
        if shared:
            found.append((bucket, f"{shared}/"))
        else:
            # Nothing in common: listing the whole bucket would cost more than asking for each.
            found.extend((bucket, f"{folder}/" if folder else "") for folder in sorted(set(folders)))
    return found

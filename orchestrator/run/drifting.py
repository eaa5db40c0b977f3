"""`infra drift`: every stack checked, the longest unchecked first; what was found is told and remembered."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator.errors import GitError, InfraError
from orchestrator.plan.drift_model import Rule
from orchestrator.project import load_commit
from orchestrator.project.model import Project, Stack
from orchestrator.report.drift import DriftReport, RuleFinding, StackDrift
from orchestrator.report.model import RunInfo
from orchestrator.run.drift_check import Terms, check_stack, unchecked
from orchestrator.run.drift_memory import after_check, event_of, remembered
from orchestrator.run.drift_pace import PAUSES, Pace
from orchestrator.run.origin import origin_of
from orchestrator.run.pending import entries_of, owed, upstream_hashes
from orchestrator.run.schedule import run_in_order
from orchestrator.run.schemas import Schemas
from orchestrator.run.session import Session
from orchestrator.state.drift import DriftLog, DriftRecord, DriftRun, heartbeat_of
from orchestrator.state.records import Entry
from orchestrator.state.storage import PreconditionFailed


@dataclass(frozen=True)
class DriftRequest:
    """What to check. `budget` is in seconds, None for as long as it takes; `shard` is (number from 1, of)."""

    stacks: tuple[str, ...]
    budget: float | None = None
    shard: tuple[int, int] = (1, 1)
    pauses: tuple[float, ...] = PAUSES

    def of_shard(self) -> tuple[str, ...]:
        """The stacks of this shard: every so-manyth, so that each shard has some of every kind."""
        number, of = self.shard
        return self.stacks[number - 1 :: of]


def check_drift(session: Session, request: DriftRequest, *, now: datetime | None = None) -> DriftReport:
    """Check the stacks of a request and remember what was found. Reads the world; changes none of it.

    What cannot be remembered is a note, and no failure.
    """
    moment = now or datetime.now(UTC)
    memory = Memory(session, moment)
    ids = request.of_shard()
    memory.read(ids)
    pace = Pace(request.budget, request.pauses, lambda: session.supervisor.interrupted)
    checks = _Checks(session, memory, pace, moment)
    session.progress.begin(ids)
    try:
        done = run_in_order(memory.oldest_first(ids), {}, checks.check, workers=session.workers)
    finally:
        session.progress.end()
    stacks = tuple(done[id_] for id_ in session.in_order(ids))
    memory.finish(stacks)
    report = session.report("drift", ())
    return DriftReport(
        run=report.run,
        stacks=stacks,
        rules=rule_findings(session.project, stacks, moment, whole=_is_whole(session, ids, stacks)),
        stale=memory.stale(stacks),
        notes=tuple(memory.problems),
        interrupted=session.supervisor.interrupted,
        complete=memory.complete,
    )


@dataclass
class _Checks:
    """One run's checks, done by its threads."""

    session: Session
    memory: Memory
    pace: Pace
    moment: datetime
    has_begun: bool = False

    def __post_init__(self) -> None:
        self.terms = Terms(
            settings=self.session.project.config.drift,
            schemas=Schemas(self.session.folders.cache),
            pace=self.pace,
            today=self.moment.date(),
            is_live=lambda stack, entry: self.session.ledgers.of(stack).is_live(entry),
        )
        self.trunk = trunk_of(self.session.project)

    def not_begun(self, stack: Stack) -> StackDrift | None:
        """The result of a stack whose turn does not come any more; None when it comes."""
        if self.session.supervisor.interrupted:
            return unchecked(stack, "the run was interrupted")
        # However short the time, a run gets one stack further.
        first, self.has_begun = not self.has_begun, True
        if first or not self.pace.is_used_up:
            return None
        record = self.memory.records.get(stack.id)
        reason = "the time of this run was used up; its turn comes first in the next one"
        return replace(
            unchecked(stack, reason), result="skipped", last_checked=record.checked_at if record else ""
        )

    def check(self, id_: str) -> StackDrift:
        """Check one stack and remember what was found."""
        stack = self.session.project.stacks[id_]
        left_out = self.not_begun(stack)
        if left_out:
            return left_out
        entry = self.memory.entries.get(id_)
        found = check_stack(self.session, stack, entry, self.terms)
        found = remembered(found, self.memory.records.get(id_))
        if not self.session.supervisor.interrupted:
            found = self.memory.keep(stack, found, entry)
        found = replace(found, pending=self.pending(id_, entry))
        self.session.progress.done(found)
        return found

    def pending(self, id_: str, entry: Entry | None) -> str:
        """Why trunk owes the stack something; empty when it does not, or when trunk has no such stack."""
        trunk = self.trunk
        if id_ not in trunk.stacks:
            return "" if trunk is self.session.project else "trunk no longer has it"
        try:
            now = upstream_hashes(trunk, self.session.states, trunk.stacks[id_])
            return owed(entry, trunk.fingerprint(id_), now)
        except InfraError as error:
            return f"it cannot be told: {self.session.mask(error.message)}"


def trunk_of(project: Project) -> Project:
    """What trunk says; the checkout itself where it is what trunk says."""
    try:
        ref = project.repository.trunk(project.config.trunk)
        if project.repository.resolve(ref) == project.repository.head():
            return project
    except GitError:
        return project
    return load_commit(project, ref)


@dataclass
class Memory:
    """What the ledgers and earlier checks know of the stacks of a run, and what this run adds to it."""

    session: Session
    moment: datetime
    entries: dict[str, Entry] = field(default_factory=dict)
    records: dict[str, DriftRecord] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    complete: dict[str, str] = field(default_factory=dict)
    _events: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, ids: Iterable[str]) -> None:
        """One listing of each ledger and of each memory of drift."""
        wanted = list(ids)
        self.entries = entries_of(self.session, wanted)
        for log, members in self.logs(wanted).items():
            try:
                known = log.records(whole=True)
            except InfraError as error:
                self.problem(f"What earlier checks found could not be read: {error.message}")
                continue
            self.records.update({id_: known[id_] for id_ in members if id_ in known})

    def oldest_first(self, ids: Sequence[str]) -> list[str]:
        """The stacks, the longest unchecked first; those of one commit together: they share a checkout."""

        def key(id_: str) -> tuple[str, str, str]:
            record, entry = self.records.get(id_), self.entries.get(id_)
            return (record.checked_at if record else "", entry.commit if entry else "", id_)

        return sorted(ids, key=key)

    def keep(self, stack: Stack, found: StackDrift, entry: Entry | None) -> StackDrift:
        """Remember what was found of one stack; gives it with what that added."""
        before = self.records.get(stack.id)
        try:
            generation = self.session.states.generation(stack) or ""
        except InfraError as error:
            self.problem(f"What was found could not be remembered: {self.session.mask(error.message)}")
            return found
        after = after_check(before, found, entry, generation, run=self.session.info.id, at=self.now())
        event = event_of(before, after)
        with self._lock:
            if event:
                self._events[stack.id] = event
        try:
            saved = self.session.ledgers.drift_log(stack).save(after)
            with self._lock:
                self.records[stack.id] = saved
        except PreconditionFailed:
            self.problem(f"{stack.id}: another check came first; what this one found is not remembered.")
        except InfraError as error:
            self.problem(f"What was found could not be remembered: {self.session.mask(error.message)}")
        return _with_memory(found, after, event)

    def finish(self, stacks: Sequence[StackDrift]) -> None:
        """Write the run and the heartbeat of each environment."""
        by_id = {one.id: one for one in stacks}
        for log, ids in self.logs(by_id).items():
            try:
                log.save_run(self._run([by_id[id_] for id_ in ids]))
                everything = [one.id for one in self._members(log)]
                beat = heartbeat_of(self.session.info.id, self.now(), everything, log.records())
                log.beat(beat)
                self.complete[log.environment] = beat.complete
            except InfraError as error:
                self.problem(f"This run could not be remembered: {self.session.mask(error.message)}")

    def stale(self, stacks: Iterable[StackDrift]) -> tuple[str, ...]:
        """Stacks that were applied, and that nobody could check for longer than `stale_after`."""
        limit = timedelta(seconds=self.session.project.config.drift.stale_after)
        oldest = f"{self.moment - limit:%Y-%m-%dT%H:%M:%SZ}"
        found = []
        for one in stacks:
            record, entry = self.records.get(one.id), self.entries.get(one.id)
            checked = record.checked_at if record else ""
            applied = entry.applied_at if entry and entry.result != "destroyed" else ""
            if one.result in ("unchecked", "skipped") and applied and max(checked, applied) < oldest:
                found.append(one.id)
        return tuple(found)

    def logs(self, ids: Iterable[str]) -> dict[DriftLog, list[str]]:
        """The memories that some stacks are in, each with those that are in it."""
        found: dict[DriftLog, list[str]] = {}
        for id_ in ids:
            log = self.session.ledgers.drift_log(self.session.project.stacks[id_])
            found.setdefault(log, []).append(id_)
        return found

    def problem(self, text: str) -> None:
        """Note what could not be remembered, once."""
        with self._lock:
            if text not in self.problems:
                self.problems.append(text)

    def now(self) -> str:
        """The run's own moment: one for all that it finds."""
        return f"{self.moment:%Y-%m-%dT%H:%M:%SZ}"

    def _members(self, log: DriftLog) -> list[Stack]:
        """Every stack that is remembered there and that was ever applied."""
        stacks = [
            one for one in self.session.project.stacks.values() if self.session.ledgers.drift_log(one) is log
        ]
        known = entries_of(self.session, [one.id for one in stacks])
        return [
            one
            for one in stacks
            if one.id in known and known[one.id].is_known and known[one.id].result != "destroyed"
        ]

    def _run(self, stacks: Sequence[StackDrift]) -> DriftRun:
        info: RunInfo = self.session.report("drift", ()).run
        origin = origin_of(self.session.environ)
        return DriftRun(
            id=info.id,
            started=info.started,
            seconds=round(info.seconds, 3),
            trigger=origin.trigger,
            commit=info.commit,
            results={one.id: one.result for one in stacks},
            digests={one.id: one.digest for one in stacks if one.digest},
            counts={one.id: {k: n for k, n in one.counts.items() if n} for one in stacks if one.resources},
            events={one.id: self._events[one.id] for one in stacks if one.id in self._events},
            link=origin.link,
        )


def _with_memory(found: StackDrift, after: DriftRecord, event: str) -> StackDrift:
    """The result with what remembering it has told."""
    if found.result == "drifted" and after.now:
        return replace(found, first_seen=after.now.began, came_back=after.now.came_back)
    if found.result != "clean" and not found.ended:
        return found
    return replace(found, ended=found.ended or event, ended_by=after.past[-1].by if event else "")


def _is_whole(session: Session, ids: Sequence[str], stacks: Sequence[StackDrift]) -> bool:
    """Whether a run can tell what is not needed any more: it has seen every stack that there is to see."""
    benign = all(not one.failed and one.result != "skipped" for one in stacks)
    return benign and set(ids) == set(session.project.stacks)


def rule_findings(
    project: Project, stacks: Iterable[StackDrift], moment: datetime, *, whole: bool
) -> tuple[RuleFinding, ...]:
    """The ignore rules that expired, and in a `whole` run those that covered nothing."""
    used = {
        rule
        for stack in stacks
        for one in stack.resources
        for rule in (one.rule, *(part.rule for part in one.attributes))
        if rule is not None
    }
    found = []
    for rule in project.config.drift.ignore:
        if rule.until < moment.date():
            found.append(RuleFinding(Rule.of(rule), "expired"))
        elif whole and Rule.of(rule) not in used:
            found.append(RuleFinding(Rule.of(rule), "unused"))
    return tuple(found)

"""`infra drift`: every stack checked, the longest unchecked first; what was found is told and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.errors import GitError, InfraError
from orchestrator.plan.drift_model import Rule
from orchestrator.project import load_commit
from orchestrator.project.model import Project
from orchestrator.report.drift import DriftReport, RuleFinding, StackDrift
from orchestrator.run.drift_check import Terms, check_stack, failed, unchecked
from orchestrator.run.drift_keeping import Memory
from orchestrator.run.drift_memory import remembered, with_baseline
from orchestrator.run.drift_pace import PAUSES, Pace
from orchestrator.run.pending import owed, upstream_hashes
from orchestrator.run.schemas import Schemas
from orchestrator.state.records import Entry


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
    context = session.context
    moment = now or datetime.now(UTC)
    memory = Memory(session, moment)
    ids = request.of_shard()
    memory.read(ids)
    pace = Pace(request.budget, request.pauses, lambda: context.supervisor.interrupted)
    checks = _Checks(session, memory, pace, moment)
    context.progress.begin(ids)
    try:
        done = run_in_order(
            memory.oldest_first(ids), {}, checks.check, workers=context.workers, skip=checks.skip
        )
    finally:
        context.progress.end()
    stacks = tuple(done[id_] for id_ in context.in_order(ids))
    memory.finish(stacks)
    report = context.report("drift", ())
    return DriftReport(
        run=report.run,
        stacks=stacks,
        rules=rule_findings(context.project, stacks, moment),
        stale=memory.stale(stacks),
        notes=(*memory.problems, *memory.left_behind(request.stacks, checks.trunk)),
        interrupted=context.supervisor.interrupted,
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
        context = self.session.context
        self.terms = Terms(
            settings=context.project.config.drift,
            schemas=Schemas(context.folders.cache),
            pace=self.pace,
            today=self.moment.date(),
            judge=lambda stack, entry: self.session.memory.ledgers.of(stack).judge(entry),
        )
        self.trunk = trunk_of(context.project)

    def skip(self, id_: str, results: Mapping[str, StackDrift]) -> StackDrift | None:
        """The result of a stack whose turn does not come any more; None when it comes."""
        stack = self.session.context.project.stacks[id_]
        if self.session.context.supervisor.interrupted:
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
        context = self.session.context
        stack = context.project.stacks[id_]
        try:
            entry = self.memory.entry_now(stack)
        except InfraError as error:
            return failed(self.session, stack, error)
        record = self.memory.records.get(id_)
        found = with_baseline(check_stack(self.session, stack, entry, self.terms), record, entry)
        found = remembered(found, record)
        if not context.supervisor.interrupted:
            found = self.memory.keep(stack, found, entry)
        found = replace(found, pending=self.pending(id_, entry))
        context.progress.done(found)
        return found

    def pending(self, id_: str, entry: Entry | None) -> str:
        """Why trunk owes the stack something; empty when it does not, or when trunk has no such stack."""
        trunk = self.trunk
        if id_ not in trunk.stacks:
            return "" if trunk is self.session.context.project else "trunk no longer has it"
        try:
            now = upstream_hashes(trunk, self.session.memory.states, trunk.stacks[id_])
            return owed(entry, trunk.fingerprint(id_), now)
        except InfraError as error:
            return f"it cannot be told: {self.session.context.mask(error.message)}"


def trunk_of(project: Project) -> Project:
    """What trunk says; the checkout itself where it is what trunk says."""
    try:
        ref = project.repository.trunk(project.config.trunk)
        if project.repository.resolve(ref) == project.repository.head():
            return project
    except GitError:
        return project
    return load_commit(project, ref)


def rule_findings(
    project: Project, stacks: Sequence[StackDrift], moment: datetime
) -> tuple[RuleFinding, ...]:
    """The ignore rules that expired, and those that covered nothing where every stack there is was seen."""
    whole = {one.id for one in stacks} == set(project.stacks)
    whole = whole and all(not one.failed and one.result != "skipped" for one in stacks)
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

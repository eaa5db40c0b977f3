"""`infra drift`: checks all selected stacks, the longest unchecked first, and records the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.drift.check import CheckSettings, check_stack, failed_result, unchecked_result
from orchestrator.drift.episodes import add_history, mark_baseline
from orchestrator.drift.model import MatchedIgnoreRule
from orchestrator.drift.records import DriftRecords
from orchestrator.drift.report import DriftReport, RuleFinding, StackDrift
from orchestrator.drift.throttle import PAUSES, Throttle
from orchestrator.engine.origin import is_ci
from orchestrator.engine.pending import pending_reason, upstream_hashes
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.errors import GitError, InfraError
from orchestrator.repository.advice import advice_for
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.state.records import LedgerEntry


@dataclass(frozen=True)
class DriftRequest:
    """Which stacks to check. `budget` is in seconds, None for no limit; `shard` is (number from 1, total)."""

    stacks: tuple[str, ...]
    budget: float | None = None
    shard: tuple[int, int] = (1, 1)
    pauses: tuple[float, ...] = PAUSES

    def of_shard(self) -> tuple[str, ...]:
        """The stacks of this shard: every n-th one, so that each shard has some of every kind."""
        number, of = self.shard
        return self.stacks[number - 1 :: of]


def check_drift(session: Session, request: DriftRequest, *, now: datetime | None = None) -> DriftReport:
    """Check the stacks of a request and record the results. Reads real resources and changes none of them.

    A result that cannot be recorded adds a note and does not fail the run.
    """
    context = session.context
    moment = now or datetime.now(UTC)
    memory = DriftRecords(session, moment)
    ids = request.of_shard()
    session.memory.ledgers.check(context.project.stacks[id_] for id_ in ids)
    memory.read(ids)
    pace = Throttle(request.budget, request.pauses, lambda: context.supervisor.interrupted)
    checks = _Checks(session, memory, pace, moment)
    context.progress.begin(ids)
    try:
        done = run_in_order(
            memory.oldest_first(ids),
            {},
            checks.check,
            workers=context.workers,
            skip=checks.skip,
            admission=session.admission(),
        )
    finally:
        context.progress.end()
    stacks = tuple(
        replace(done[id_], advice=advice_for(context.project, done[id_].advice))
        for id_ in context.in_order(ids)
    )
    memory.finish(stacks)
    report = context.report("drift", ())
    return DriftReport(
        run=report.run,
        stacks=stacks,
        rules=check_ignore_rules(context.project, stacks, moment),
        stale=memory.list_stale(stacks),
        notes=(*memory.problems, *memory.list_removed_stacks(request.stacks, checks.trunk)),
        interrupted=context.supervisor.interrupted,
        complete=memory.complete,
    )


@dataclass
class _Checks:
    """The checks of one run, executed by its threads."""

    session: Session
    memory: DriftRecords
    pace: Throttle
    moment: datetime
    has_begun: bool = False

    def __post_init__(self) -> None:
        context = self.session.context
        self.check_settings = CheckSettings(
            settings=context.project.config.drift,
            schemas=self.session.plan_files.schemas
            or ProviderSchemas(context.folders.cache, trusts_cache=not is_ci(context.environ)),
            pace=self.pace,
            today=self.moment.date(),
            read_status=lambda stack, entry: self.session.memory.ledgers.of(stack).check_liveness(entry),
        )
        self.trunk = _load_trunk(context.project)

    def skip(self, id_: str, results: Mapping[str, StackDrift]) -> StackDrift | None:
        """The result of a stack that this run no longer reaches; None when it is to be checked."""
        stack = self.session.context.project.stacks[id_]
        if self.session.context.supervisor.interrupted:
            return unchecked_result(stack, "the run was interrupted")
        # However short the budget, each run checks at least one stack.
        first, self.has_begun = not self.has_begun, True
        if first or not self.pace.is_used_up:
            return None
        record = self.memory.records.get(stack.id)
        reason = "the time of this run was used up; its turn comes first in the next one"
        return replace(
            unchecked_result(stack, reason),
            result="skipped",
            last_checked=record.checked_at if record else "",
        )

    def check(self, id_: str) -> StackDrift:
        """Check one stack and record its result."""
        context = self.session.context
        stack = context.project.stacks[id_]
        try:
            entry = self.memory.reload_entry(stack)
        except InfraError as error:
            return failed_result(self.session, stack, error)
        record = self.memory.records.get(id_)
        stack_drift = mark_baseline(
            check_stack(self.session, stack, entry, self.check_settings), record, entry
        )
        stack_drift = add_history(stack_drift, record)
        if not context.supervisor.interrupted:
            stack_drift = self.memory.save_result(stack, stack_drift, entry)
        stack_drift = replace(stack_drift, pending=self.pending(id_, entry))
        context.progress.done(stack_drift)
        return stack_drift

    def pending(self, id_: str, entry: LedgerEntry | None) -> str:
        """Why the stack has unapplied changes on trunk; empty when it has none, or is not on trunk."""
        trunk = self.trunk
        if id_ not in trunk.stacks:
            return "" if trunk is self.session.context.project else "trunk no longer has it"
        try:
            now = upstream_hashes(trunk, self.session.memory.states, trunk.stacks[id_])
            return pending_reason(entry, trunk.fingerprint(id_), now)
        except InfraError as error:
            return f"it cannot be told: {self.session.context.mask(error.message)}"


def _load_trunk(project: Project) -> Project:
    """Load the project at trunk's commit; the checkout itself when it is at that commit."""
    try:
        ref = project.repository.trunk(project.config.trunk)
        if project.repository.resolve(ref) == project.repository.head():
            return project
    except GitError:
        return project
    return load_commit(project, ref)


def check_ignore_rules(
    project: Project, stacks: Sequence[StackDrift], moment: datetime
) -> tuple[RuleFinding, ...]:
    """Find ignore rules that expired, and unused ones when the run checked every stack."""
    whole = {stack.id for stack in stacks} == set(project.stacks)
    whole = whole and all(not stack.failed and stack.result != "skipped" for stack in stacks)
    used = {
        rule
        for stack in stacks
        for resource in stack.resources
        for rule in (resource.rule, *(part.rule for part in resource.attributes))
        if rule is not None
    }
    findings = []
    for rule in project.config.drift.ignore:
        if rule.until < moment.date():
            findings.append(RuleFinding(MatchedIgnoreRule.of(rule), "expired"))
        elif whole and MatchedIgnoreRule.of(rule) not in used:
            findings.append(RuleFinding(MatchedIgnoreRule.of(rule), "unused"))
    return tuple(findings)

"""`infra drift`: checks all selected stacks, the longest unchecked first, and records the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator.drift.changes import CloudChange, StackChanges, order_checks, resource_addresses
from orchestrator.drift.check import CheckSettings, check_stack, failed_result, unchecked_result
from orchestrator.drift.episodes import add_history, mark_baseline
from orchestrator.drift.model import MatchedIgnoreRule
from orchestrator.drift.records import DriftRecords
from orchestrator.drift.report import DriftReport, RuleFinding, StackDrift
from orchestrator.drift.subscribed_changes import SubscribedChanges
from orchestrator.drift.throttle import PAUSES, Throttle
from orchestrator.engine.origin import is_ci
from orchestrator.engine.pending import pending_reason, upstream_hashes
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.errors import GitError, InfraError
from orchestrator.report.words import plural
from orchestrator.repository.advice import advice_for
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.state.records import LedgerEntry

# How many states are read at once.
_READERS = 16


@dataclass(frozen=True)
class DriftRequest:
    """Which stacks to check. `budget` is in seconds, None for no limit; `shard` is (number from 1, total).

    `changes` are changes in the cloud that are known: what they reach is checked first.
    """

    stacks: tuple[str, ...]
    budget: float | None = None
    shard: tuple[int, int] = (1, 1)
    pauses: tuple[float, ...] = PAUSES
    changes: tuple[CloudChange, ...] = ()

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
    subscribed = SubscribedChanges.pull(context.project.config.drift.changes_from, context.environ)
    changes = (*request.changes, *subscribed.changes)
    session.memory.ledgers.check(context.project.stacks[id_] for id_ in ids)
    memory.read(ids)
    pace = Throttle(request.budget, request.pauses, lambda: context.supervisor.interrupted)
    checks = _Checks(session, memory, pace, moment, _match_changes(session, changes, ids))
    context.progress.begin(ids)
    try:
        done = run_in_order(
            checks.order(memory.oldest_first(ids)),
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
    subscribed.finish(checks.checked_resources(stacks), checks.overdue)
    report = context.report("drift", ())
    return DriftReport(
        run=report.run,
        stacks=stacks,
        rules=check_ignore_rules(context.project, stacks, moment),
        stale=memory.list_stale(stacks),
        notes=(
            *checks.describe_changes(changes),
            *subscribed.problems,
            *memory.problems,
            *memory.list_removed_stacks(request.stacks, checks.trunk),
        ),
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
    changes: StackChanges = field(default_factory=StackChanges)
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

    def order(self, oldest_first: Sequence[str]) -> list[str]:
        """The stacks that changed since they were checked first, and no later than what is due."""
        records = self.memory.records
        half = timedelta(seconds=self.session.context.project.config.drift.stale_after / 2)
        due = f"{self.moment - half:%Y-%m-%dT%H:%M:%SZ}"

        def checked_at(id_: str) -> str:
            record = records.get(id_)
            return record.checked_at if record else ""

        return order_checks(oldest_first, self._is_changed, lambda id_: checked_at(id_) < due)

    def _is_changed(self, id_: str) -> bool:
        """Whether a resource of the stack was changed after the last check and the last apply."""
        record, entry = self.memory.records.get(id_), self.memory.entries.get(id_)
        checked, applied = record.checked_at if record else "", entry.applied_at if entry else ""
        return self.changes.changed_after(id_, max(checked, applied or ""))

    @property
    def overdue(self) -> str:
        """The time before which every stack should have been checked last."""
        limit = timedelta(seconds=self.session.context.project.config.drift.stale_after)
        return f"{self.moment - limit:%Y-%m-%dT%H:%M:%SZ}"

    def checked_resources(self, stacks: Sequence[StackDrift]) -> set[str]:
        """The changed resources of the stacks that were checked."""
        checked = [stack.id for stack in stacks if stack.result in ("clean", "drifted", "destroyed")]
        return {resource for id_ in checked for resource in self.changes.resources_of(id_)}

    def describe_changes(self, changes: Sequence[CloudChange]) -> tuple[str, ...]:
        """A sentence about what the known changes reach."""
        if not changes:
            return ()
        reached = len(self.changes.by_stack)
        return (f"{plural(len(changes), 'change')} in the cloud: resources of {plural(reached, 'stack')}.",)

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
        stack_drift = self.changes.name_authors(stack_drift, entry, context.mask)
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


def _match_changes(session: Session, changes: Sequence[CloudChange], ids: Sequence[str]) -> StackChanges:
    """The stacks that known changes reach. A state that cannot be read reaches none: its check says why."""
    stacks = session.context.project.stacks

    def read_addresses(id_: str) -> dict[str, set[str]]:
        try:
            return resource_addresses(session.memory.states.raw(stacks[id_]) or b"")
        except InfraError:
            return {}

    if not changes:
        return StackChanges()
    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        addresses = dict(zip(ids, pool.map(read_addresses, ids), strict=True))
    return StackChanges.match(changes, addresses)


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

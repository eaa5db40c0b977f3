"""`infra ci apply`: applies what is pending, one environment after the other, as it was approved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestrator.drift.heartbeat import find_stale
from orchestrator.engine.checks import CheckOutcome
from orchestrator.engine.commit_order import is_known, is_on_trunk
from orchestrator.engine.context import RunContext
from orchestrator.engine.deleted_stacks import DeletedStack
from orchestrator.engine.executor import DONE, STOPS
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import origin_of
from orchestrator.engine.pipeline import RunRequest, apply
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.rollout_requests import NO_REQUESTS, RolloutRequests
from orchestrator.engine.session import Session
from orchestrator.engine.shards import Shard
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import BlockedError, InfraError, InterruptedRunError, StateError, UsageError
from orchestrator.forge.factory import forge_words
from orchestrator.forge.interface import Forge
from orchestrator.plan.digest import Digest
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.advice import advice_for
from orchestrator.repository.model import Project, Stack
from orchestrator.review.approvals import Approvals
from orchestrator.review.gate import (
    Gate,
    GateTicket,
    explain_rejection,
    find_superseded,
    read_gated_digests,
    require_approval,
)
from orchestrator.review.manifest import Manifest
from orchestrator.review.pending_rules import PendingRules
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.rollout.compare import CODE_DELETED, TrunkGate, find_pending, find_pending_deletions
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.shard_order import OtherShards, record_shard_start
from orchestrator.state.records import LedgerEntry, base_commit
from orchestrator.terraform.client import PlanOptions


class AutoConsent:
    """Consents in CI, where the pull request decides and the apply gate compares."""

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        """Consents."""

    def to_repair(self, stack: str, findings: Sequence[str], steps: Sequence[str]) -> None:
        """Refuses: nobody can look at the findings."""
        raise BlockedError(
            f"{stack} was interrupted, and is repaired by a person.", advice=f"`infra resume {stack}`."
        )

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        """Consents."""


@dataclass(frozen=True)
class ApplyJob:
    """The options of an apply job: environments in promotion order, and how to handle concurrent runs.

    `ticket` names the plans that the gate of this workflow attempt showed; `only` limits to the stacks of a
    shard, `shard` says which shard of one environment that is. `parallelism` is how many stacks run at once,
    unless infra.yaml says. `manifest` has the plans that an approval in another CI than GitHub Actions names.
    `skip_checks` is the reason for skipping the environment's checks, once the gate
    approved that; `requests` are other requests. `on_start` is called for each environment with pending
    changes before it is applied.
    """

    environments: tuple[str, ...]
    recorder_options: RecorderOptions = field(default_factory=RecorderOptions)
    ticket: GateTicket | None = None
    manifest: Manifest | None = None
    only: tuple[str, ...] | None = None
    shard: Shard | None = None
    parallelism: int | None = None
    skip_checks: str = ""
    requests: RolloutRequests = NO_REQUESTS
    on_start: Callable[[EnvironmentRun], None] = lambda run: None


def apply_environments(
    session: Session, apply_job: ApplyJob, forge: Forge | None
) -> tuple[EnvironmentRun, ...]:
    """Applies pending changes, one environment after the other; a failed one stops the rest."""
    runs: list[EnvironmentRun] = []
    for name in apply_job.environments:
        stopped = next((run for run in runs if run.stops), None)
        if stopped:
            runs.append(_skip_environment(session, name, stopped.environment, forge))
        else:
            runs.append(_apply_environment(EnvironmentStep(session, name, apply_job, forge)))
    return tuple(runs)


def _skip_environment(session: Session, environment: str, behind: str, forge: Forge | None) -> EnvironmentRun:
    """An environment that was not started, with what is pending there as far as known."""
    return _with_pending(
        EnvironmentRun(environment, behind=behind), session.memory, PendingRules(session, forge)
    )


def _apply_environment(step: EnvironmentStep) -> EnvironmentRun:
    """Applies one environment; an error, such as an unreadable ledger, becomes its result."""
    try:
        return step.apply()
    except InfraError as error:
        context = step.session.context
        advice = advice_for(context.project, error.advice)
        message, code = context.mask(error.message), int(error.exit_code)
        return replace(step.run, error=message, error_code=code, notes=(advice,))


class EnvironmentStep:
    """The rollout in one environment."""

    def __init__(self, session: Session, environment: str, apply_job: ApplyJob, forge: Forge | None) -> None:
        workers = apply_job.parallelism or session.context.workers_in(environment)
        self.rollout = apply_job.requests.options
        session = replace(session, context=replace(session.context, workers=workers))
        session = self.session = self.rollout.session(session)
        self.environment = environment
        self.job = apply_job
        self.rules = PendingRules(session, forge)
        self.gate = TrunkGate(
            session, self.rules, Gate(forge, environment), requested=apply_job.requests.stacks
        )
        self.done_elsewhere: tuple[StackReport, ...] = ()
        self.approved_by = ""
        self.run = EnvironmentRun(environment)
        self.promotion = EnvironmentPromotion(session, environment)
        self.inspect = self.rules.build_inspect(session)

    def apply(self) -> EnvironmentRun:
        """Checks earlier environments, finds pending stacks, passes the gate, applies, runs the checks."""
        memory = self.session.memory
        context = self.session.context
        self.job.requests.require(context.project, self.environment)
        if self.job.shard:
            record_shard_start(self.session, self.job.shard)
        hold = self.promotion.hold()
        if hold:
            run = replace(self.run, behind=hold.environment, hold_reason=hold.reason)
            return _with_pending(run, memory, self.rules)
        decision = self.promotion.decision()
        only = self.job.only
        pending, _ = self._find_pending(only)
        deleted = find_pending_deletions(self.session.memory, self.environment) if self._leads else ()
        pending |= {deleted_stack.stack.id: CODE_DELETED for deleted_stack in deleted}
        owners = _find_pull_requests(context.project, self.rules, pending)
        run = self.run = replace(self.run, pending=pending, owners=owners, heartbeat=self._heartbeat())
        if run.pending:
            self.job.on_start(run)
        if self.job.ticket:
            self._pass_gate(self.job.ticket, pending, deleted)
        elif self.job.manifest:
            self._use_manifest(self.job.manifest, pending)
        elif self.job.skip_checks and not self.promotion.requirements.is_empty:
            raise BlockedError(
                f"Nobody approved that the checks of {self.environment} are skipped.",
                advice=f"Comment `/infra apply {self.environment} --skip-checks REASON`, and approve it in "
                "the gate."
                if context.project.config.ci.has_reviews
                else "Change the checks on trunk.",
            )
        environment_ids = set(pending if only is None else self._find_pending()[0])
        changes_environment = self._leads and bool(environment_ids - self.gate.superseded.keys())
        if changes_environment and not self.promotion.requirements.is_empty:
            self.promotion.begin()
        reports = self._apply_pending() if only is None else self._apply_shard(only)
        if deleted and not any(report.exit_code for report in reports):
            reports += self._destroy(deleted)
        report = _join_reports(context, [*reports, context.report("apply", self.done_elsewhere)])
        self.gate.explain_mismatches(self.inspect)
        report = replace(report, stacks=self.gate.with_explanations(report.stacks))
        run = replace(
            run,
            report=report,
            verdicts=dict(self.gate.verdicts),
            overtaken=self._find_overtaken(report.stacks),
            elsewhere=tuple(report.id for report in self.done_elsewhere),
            superseded=tuple(sorted(self.gate.superseded)),
            way_out=self.gate.ways_out(),
        )
        if run.stops or not self._leads or run.overtaken or not (changes_environment or decision.is_due):
            return run
        if self.job.skip_checks:
            return self._skip_checks(run)
        # What an earlier run applied without checking it is looked at as well.
        stacks = [stack.id for stack in context.project.of(self.environment)]
        return self._run_checks(run, run.applied if decision.is_passed else stacks)

    def _pass_gate(
        self, ticket: GateTicket, pending_ids: Collection[str], deleted: Sequence[DeletedStack]
    ) -> None:
        """Requires an approval in the gate, and finds which of the approved plans still count.

        Stacks that another run applied meanwhile, or that newer commits of trunk change, are reported as
        superseded. Raises BlockedError if no approval counts.
        """
        session, approvals = self.session, self.rules.approvals
        if not isinstance(approvals, Approvals):
            raise UsageError(
                "Nobody can be asked who approved the gate.",
                advice=f"Run it where {forge_words().name} can be asked: {forge_words().variables}.",
            )
        digests = read_gated_digests(session, self.environment, ticket)
        stacks = dict(session.context.project.stacks) | {
            deleted_stack.stack.id: deleted_stack.stack for deleted_stack in deleted
        }
        with approvals.lock:
            pending = [
                approvals.trunk.pending(stacks[id_], self._entry_on_trunk(stacks[id_]))
                for id_, digest in sorted(digests.items())
                if id_ in stacks and not digest.is_empty
            ]
            self.approved_by = require_approval(
                approvals.forge,
                self.environment,
                ticket,
                origin_of(session.context.environ).attempt,
                lambda login: explain_rejection(
                    approvals.forge, login, pending, approvals.decisions.may_decide, approvals.pushers
                ),
            )
        self.gate = replace(
            self.gate, gated=digests, superseded=find_superseded(session.context, [*digests, *pending_ids])
        )
        if self.job.only is None or self._leads:
            self.done_elsewhere = self._find_done_elsewhere(digests, pending_ids)

    def _use_manifest(self, manifest: Manifest, pending_ids: Collection[str]) -> None:
        """Lets plans that equal those of an approved manifest pass, unless trunk has changed their stacks."""
        superseded = find_superseded(self.session.context, [*manifest.digests, *pending_ids])
        self.gate = replace(self.gate, gated=manifest.digests, has_manifest=True, superseded=superseded)
        if self.job.only is None or self._leads:
            self.done_elsewhere = self._find_done_elsewhere(manifest.digests, pending_ids)

    def _entry_on_trunk(self, stack: Stack) -> LedgerEntry | None:
        """The ledger entry of a stack, at the last applied commit of trunk if the applied one is superseded.

        What trunk had before that commit was decided on then.
        """
        entry = self.session.memory.ledgers.entry(stack)
        if entry is None or not self.rollout.superseded_commit(self.session, entry):
            return entry
        project = self.session.context.project
        for run in self.session.memory.ledgers.of(stack).runs(stack.id):
            commit = base_commit(run.commit)
            if run.stacks[stack.id].result in DONE and is_on_trunk(project, commit):
                return replace(entry, commit=commit)
        return entry

    def _find_done_elsewhere(
        self, digests: Mapping[str, Digest], pending_ids: Collection[str]
    ) -> tuple[StackReport, ...]:
        """The stacks that the gate showed and that another run has applied."""
        reports = []
        pending, _ = self._find_pending()
        for id_, digest in sorted(digests.items()):
            entry = None if digest.is_empty or id_ in {*pending_ids, *pending} else self._entry(id_)
            if entry and is_known(self.session.context.project, base_commit(entry.commit)):
                why = f"superseded: {entry.commit[:10]} is applied there already"
                reports.append(StackReport(id_, self.environment, "skipped", reason=why))
        return tuple(reports)

    @property
    def _leads(self) -> bool:
        """Whether this job does what is done once: of several shards the first one does."""
        first = self.session.context.project.of(self.environment)[:1]
        return self.job.only is None or any(stack.id in self.job.only for stack in first)

    def _heartbeat(self) -> str:
        """A warning if drift was not checked for too long; empty if unknown."""
        session = self.session
        try:
            heartbeat = find_stale(
                session.context.project, session.memory.ledgers, [self.environment], datetime.now(UTC)
            )
        except StateError:
            return ""
        return heartbeat.get(self.environment, "")

    def _apply_pending(self) -> list[RunReport]:
        """Applies pending stacks, then those that became pending by it: readers of changed outputs."""
        reports: list[RunReport] = []
        tried: set[str] = set()
        while not any(report.exit_code for report in reports):
            pending, request = self._find_pending()
            if not pending.keys() - tried:
                break
            reports.append(self._apply(request))
            tried |= {stack.id for stack in reports[-1].stacks}
        return reports

    def _find_pending(self, only: Sequence[str] | None = None) -> tuple[dict[str, str], RunRequest]:
        return find_pending(self.session.memory, self.environment, only, self.rollout.forgotten)

    @property
    def _recorder_options(self) -> RecorderOptions:
        return replace(self.job.recorder_options, over=self.rollout.over)

    def _apply(self, request: RunRequest) -> RunReport:
        request = replace(
            request, recorder_options=self._recorder_options, inspect=self.inspect, rollout=self.rollout
        )
        return apply(self.session, request, AutoConsent(), self.gate)

    def _apply_shard(self, shard_ids: Sequence[str]) -> list[RunReport]:
        """Applies the pending stacks of this shard, in the order that the other shards allow."""
        pending, request_ = self._find_pending()
        order_ids = {*pending, *request_.dependents}
        other_shards, reports = OtherShards(self.session, self.job.shard), []
        failed: dict[str, str] = {}
        for layer in other_shards.layers(shard_ids, order_ids):
            failed |= other_shards.wait(
                other_shards.prerequisites(layer, shard_ids, order_ids) - failed.keys()
            )
            behind = {id_: why for id_ in layer if (why := self._find_failed_prerequisite(id_, failed))}
            _, request = self._find_pending([id_ for id_ in layer if id_ not in behind])
            if request.stacks:
                reports.append(self._apply(request))
                failed |= {stack.id: stack.result for stack in reports[-1].stacks if stack.result in STOPS}
            failed |= dict.fromkeys(behind, "aborted")
            reports.append(self._report_aborted(behind))
        if self._leads and not failed:
            unfinished = other_shards.wait(order_ids - set(shard_ids))
            reports.append(
                self._report_aborted({id_: f"another part: {how}" for id_, how in unfinished.items()})
            )
        return reports

    def _find_overtaken(self, stacks: Sequence[StackReport]) -> tuple[str, ...]:
        """Skipped stacks to which a newer commit of trunk was applied."""
        context = self.session.context
        repository, commit = context.project.repository, context.info.commit
        overtaken = []
        for stack in stacks:
            entry = self._entry(stack.id) if stack.result == "skipped" else None
            if entry and is_known(context.project, base_commit(entry.commit)):
                overtaken += [stack.id] if repository.is_ancestor(commit, base_commit(entry.commit)) else []
        return tuple(overtaken)

    def _entry(self, id_: str) -> LedgerEntry | None:
        stack = self.session.context.project.stacks.get(id_)
        return self.session.memory.ledgers.entry(stack) if stack else None

    def _find_failed_prerequisite(self, stack: str, failed: Mapping[str, str]) -> str:
        """Why a stack must not be applied: a stack that it depends on failed."""
        needs = self.session.context.project.prerequisites().get(stack, set())
        return next(
            (f"{need} was not applied ({failed[need]})" for need in sorted(needs & failed.keys())), ""
        )

    def _report_aborted(self, stacks: Mapping[str, str]) -> RunReport:
        reports = [StackReport(id_, self.environment, "aborted", reason=why) for id_, why in stacks.items()]
        return self.session.context.report("apply", reports)

    def _destroy(self, deleted: Sequence[DeletedStack]) -> list[RunReport]:
        """Destroys each stack with the code that created it."""
        by_commit: dict[str, list[str]] = {}
        for deleted_stack in deleted:
            by_commit.setdefault(deleted_stack.commit, []).append(deleted_stack.stack.id)
        reports = []
        for commit, stacks in by_commit.items():
            with at_commit(self.session, commit) as session:
                request = RunRequest(
                    tuple(stacks),
                    PlanOptions(destroy=True),
                    recorder_options=self._recorder_options,
                    inspect=self.rules.build_inspect(session),
                    rollout=self.rollout,
                )
                reports.append(apply(session, request, AutoConsent(), self.gate))
        return reports

    def _skip_checks(self, run: EnvironmentRun) -> EnvironmentRun:
        """Records that the environment passes without its checks, by whom and why."""
        if self.promotion.requirements.is_empty:
            return run
        self.promotion.skip(self.approved_by, self.job.skip_checks)
        note = f"Checks of {self.environment} skipped by {self.approved_by}: {self.job.skip_checks}."
        return replace(run, notes=(*run.notes, self.session.context.mask(note)))

    def _run_checks(self, run: EnvironmentRun, stacks: Sequence[str]) -> EnvironmentRun:
        """Runs the environment's checks and soak; a check that cannot run has not passed."""
        if self.promotion.requirements.is_empty:
            return run
        try:
            outcome = self.promotion.verify(stacks)
        except InterruptedRunError as error:
            report = replace(run.report, interrupted=True) if run.report else None
            return replace(run, report=report, checks=(CheckOutcome("checks", False, error.message),))
        except InfraError as error:
            message = self.session.context.mask(error.message)
            return replace(
                run,
                checks=(CheckOutcome("checks", False, message),),
                notes=(*run.notes, *filter(None, (error.advice,))),
            )
        return replace(run, checks=outcome.checks, soaked=outcome.soaked)


def _with_pending(run: EnvironmentRun, memory: Memory, rules: PendingRules) -> EnvironmentRun:
    """An environment that is not applied, with its pending stacks and their pull requests."""
    try:
        pending, _ = find_pending(memory, run.environment)
    except InfraError:
        return replace(run, pending_unknown=True)
    return replace(run, pending=pending, owners=_find_pull_requests(memory.project, rules, pending))


def _find_pull_requests(
    project: Project, rules: PendingRules, pending: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """The pull requests whose changes are pending, by stack."""
    stacks = project.stacks
    return {id_: rules.pull_requests(stacks[id_]) for id_ in pending if id_ in stacks}


def _join_reports(context: RunContext, reports: Sequence[RunReport]) -> RunReport:
    """Joins the reports of several parts of one run."""
    stacks = {stack.id: stack for report in reports for stack in report.stacks}
    notes = tuple(note for report in reports for note in report.notes)
    joined = context.report("apply", stacks.values(), notes=notes)
    return replace(joined, failures=tuple(failure for report in reports for failure in report.failures))


__all__ = ["ApplyJob", "AutoConsent", "EnvironmentStep", "apply_environments"]

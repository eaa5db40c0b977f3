"""Remediates drift by an apply of the drifted resources alone, and records the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.drift.check_all import DriftRequest, check_drift
from orchestrator.drift.episodes import ACCEPTED_BY_REMEDIATION, REVERTED_BY_REMEDIATION
from orchestrator.drift.remediation_choice import Remediation
from orchestrator.drift.report import StackDrift
from orchestrator.engine.context import RunContext
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.pipeline import RunRequest, apply
from orchestrator.engine.ports import Consent
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import BlockedError, InfraError, MismatchError
from orchestrator.plan.model import ResourceChange
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.model import Project, Stack
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import PlanOptions

ENDINGS = {"revert": REVERTED_BY_REMEDIATION, "accept": ACCEPTED_BY_REMEDIATION}


@dataclass(frozen=True)
class RemediationResult:
    """The result of one remediation."""

    remediation: Remediation
    report: StackReport
    run: str

    @property
    def is_done(self) -> bool:
        """True when nothing remains to be done."""
        return self.report.result in ("applied", "unchanged")

    @property
    def words(self) -> str:
        """The result in one line."""
        what = {"revert": "reverted", "accept": "accepted"}[self.remediation.action]
        if self.report.result == "applied":
            return f"{what} {', '.join(self.remediation.addresses)} by run {self.run}"
        if self.report.result == "unchanged":
            return "nothing was left to remediate"
        return f"not {what}, {self.report.result}: {self.report.reason}"


@dataclass(frozen=True)
class RemediationGate:
    """Accepts a plan that makes the expected changes to the resources of a remediation, and no others.

    Without `deletes` nothing may be deleted or replaced; an interactive run asks for that instead.
    """

    remediation: Remediation
    deletes: bool

    def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
        """See `engine.ports.ApplyGate`."""
        plan = planned.plan
        if plan is None:
            return
        resources = {
            (resource.address, resource.deposed): resource for resource in self.remediation.resources
        }
        if self.remediation.action == "accept":
            self._refuse(
                [change for change in plan.drift if (change.address, change.deposed) not in resources], stack
            )
            self._refuse([change for change in plan.shown_changes if not change.is_no_op], stack)
            return
        changes = [change for change in plan.shown_changes if change.mode == "managed"]
        self._refuse(
            [
                change
                for change in changes
                if (resource := resources.get((change.address, change.deposed))) is None
                or resource.actions != change.actions
            ],
            stack,
        )
        address = [change.address for change in changes if "delete" in change.actions]
        if address and not self.deletes:
            raise BlockedError(
                f"{', '.join(address)} would be deleted or replaced.",
                advice="`drift.limits.deletes` in infra.yaml allows it, `infra drift --fix` asks a person.",
                stack=stack.id,
            )

    def _refuse(self, stray: Sequence[ResourceChange], stack: Stack) -> None:
        if stray:
            raise MismatchError(
                "A plan to revert it would change more than that: "
                f"{', '.join(change.address for change in stray[:5])}.",
                advice=f"`infra drift {stack.id}` shows what drifts now; `infra apply {stack.id}` does all.",
                stack=stack.id,
            )


def remediate(
    session: Session,
    remediation: Remediation,
    stack_drift: StackDrift,
    consent: Consent,
    recorder_options: RecorderOptions,
    *,
    deletes: bool,
    inspect: Inspect,
) -> RemediationResult:
    """Execute one remediation at the commit that the stack was compared with.

    It is an ordinary apply with policy, consent, a claim in the ledger and a lock. Errors become a result.
    """
    context = session.context
    options = PlanOptions(targets=remediation.addresses, refresh_only=remediation.action == "accept")
    request = RunRequest((remediation.stack,), options, recorder_options=recorder_options, inspect=inspect)
    gate = RemediationGate(remediation, deletes)
    stack = context.project.stacks[remediation.stack]
    try:
        # At the commit last applied and no newer one, so that the stack stays entirely at one commit.
        with at_commit(session, stack_drift.commit) as at:
            report = apply(_with_current_rules(at, context.project), request, consent, gate)
    except InfraError as error:
        report = context.report("apply", [_refused(session, stack, error)])
    (stack_report,) = report.stacks
    return RemediationResult(remediation, stack_report, context.info.id)


def _with_current_rules(at: Session, project: Project) -> Session:
    """The session at an older commit, with the approval rules of the checkout."""
    config, order = project.config, project.order
    own = at.context.project.config
    environments = {
        name: replace(
            own.environment(name),
            protected=config.is_protected(name, order),
            apply=config.environment(name).apply,
        )
        for name in at.context.project.environments
    }
    return at.with_project(replace(at.context.project, config=replace(own, environments=environments)))


def _refused(session: Session, stack: Stack, error: InfraError) -> StackReport:
    report = failure(session, stack, error)
    return replace(report, result="blocked") if isinstance(error, BlockedError) else report


def record_remediations(memory: Memory, done: Sequence[RemediationResult]) -> list[str]:
    """Record remediations, so that the next check knows what ended the drift. Returns the problems."""
    problems = []
    for result in done:
        if result.report.result != "applied":
            continue
        try:
            log = memory.ledgers.drift_log(memory.project.stacks[result.remediation.stack])
            record = log.record(result.remediation.stack)
            if record:
                log.save(replace(record, remediation=ENDINGS[result.remediation.action]))
        except InfraError as error:
            problems.append(
                f"{result.remediation.stack}: the remediation could not be remembered: {error.message}"
            )
    return problems


def check_again(
    session: Session, done: Sequence[RemediationResult], stacks: Sequence[StackDrift]
) -> tuple[StackDrift, ...]:
    """The stacks as they are now, each with its remediations; changed stacks are checked again."""
    words: dict[str, list[str]] = {}
    for result in done:
        words.setdefault(result.remediation.stack, []).append(result.words)
    changed = dict.fromkeys(result.remediation.stack for result in done if result.report.result == "applied")
    now = (
        {stack.id: stack for stack in check_drift(session, DriftRequest(tuple(changed))).stacks}
        if changed
        else {}
    )
    return tuple(
        replace(now.get(stack.id, stack), remediation="; ".join(words.get(stack.id, ()))) for stack in stacks
    )


def exit_code(done: Sequence[RemediationResult], context: RunContext) -> int:
    """The exit code of the remediations themselves."""
    report: RunReport = context.report("apply", [result.report for result in done])
    return report.exit_code

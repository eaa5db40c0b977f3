"""Putting drift right: a plan of those resources alone, consented to, judged, applied, remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.engine.context import RunContext
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.planned import Planned
from orchestrator.engine.ports import Consent
from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import BlockedError, InfraError, MismatchError
from orchestrator.plan.model import ResourceChange
from orchestrator.project.model import Project, Stack
from orchestrator.report.drift import StackDrift
from orchestrator.report.model import RunReport, StackReport
from orchestrator.run.corrections import Correction
from orchestrator.run.drift_memory import PUT_BACK, TAKEN_OVER
from orchestrator.run.drifting import DriftRequest, check_drift
from orchestrator.run.pipeline import Request, apply
from orchestrator.run.recording import Terms
from orchestrator.state.records import Entry
from orchestrator.terraform.client import PlanOptions

WENT = ("applied", "unchanged")
ENDINGS = {"revert": PUT_BACK, "accept": TAKEN_OVER}


@dataclass(frozen=True)
class Corrected:
    """What came of one correction."""

    correction: Correction
    report: StackReport
    run: str

    @property
    def went(self) -> bool:
        """True when nothing is left of it to be done."""
        return self.report.result in WENT

    @property
    def words(self) -> str:
        """What came of it, in one line."""
        what = {"revert": "reverted", "accept": "accepted"}[self.correction.action]
        if self.report.result == "applied":
            return f"{what} {', '.join(self.correction.addresses)} by run {self.run}"
        if self.report.result == "unchanged":
            return "nothing was left to be put right"
        return f"not {what}, {self.report.result}: {self.report.reason}"


@dataclass(frozen=True)
class OnlyThese:
    """Lets a plan be applied that does to the resources of a correction what was seen, and nothing else.

    Without `deletes` nothing may be deleted or replaced; where a person is asked, that is asked as well.
    """

    correction: Correction
    deletes: bool

    def check(self, stack: Stack, planned: Planned, before: Entry | None) -> None:
        """See `engine.ports.ApplyGate`."""
        plan = planned.plan
        if plan is None:
            return
        seen = {(one.address, one.deposed): one for one in self.correction.resources}
        if self.correction.action == "accept":
            self._refuse([one for one in plan.drift if (one.address, one.deposed) not in seen], stack)
            self._refuse([one for one in plan.shown_changes if not one.is_no_op], stack)
            return
        changes = [one for one in plan.shown_changes if one.mode == "managed"]
        self._refuse(
            [
                one
                for one in changes
                if (found := seen.get((one.address, one.deposed))) is None or found.actions != one.actions
            ],
            stack,
        )
        gone = [one.address for one in changes if "delete" in one.actions]
        if gone and not self.deletes:
            raise BlockedError(
                f"{', '.join(gone)} would be deleted or replaced.",
                advice="`drift.limits.deletes` in infra.yaml allows it, `infra drift --fix` asks a person.",
                stack=stack.id,
            )

    def _refuse(self, stray: Sequence[ResourceChange], stack: Stack) -> None:
        if stray:
            raise MismatchError(
                f"To put it right would do more than that: {', '.join(one.address for one in stray[:5])}.",
                advice=f"`infra drift {stack.id}` shows what drifts now; `infra apply {stack.id}` does all.",
                stack=stack.id,
            )


def correct(
    session: Session,
    correction: Correction,
    found: StackDrift,
    consent: Consent,
    terms: Terms,
    *,
    deletes: bool,
    inspect: Inspect,
) -> Corrected:
    """Carry one correction out, at the commit that the stack was compared with.

    Goes the way of every apply: policy, consent, claim in the ledger, lock. What a user can meet is a result.
    """
    context = session.context
    options = PlanOptions(targets=correction.addresses, refresh_only=correction.action == "accept")
    request = Request((correction.stack,), options, terms=terms, inspect=inspect)
    judge = OnlyThese(correction, deletes)
    stack = context.project.stacks[correction.stack]
    try:
        # At the commit last applied, and no newer one: the ledger then knows that nothing is left half done.
        with at_commit(session, found.commit) as at:
            report = apply(_ruled(at, context.project), request, consent, judge)
    except InfraError as error:
        report = context.report("apply", [_refused(session, stack, error)])
    (one,) = report.stacks
    return Corrected(correction, one, context.info.id)


def _ruled(at: Session, project: Project) -> Session:
    """The session at an older commit, with the checkout deciding who may apply where."""
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


def remember(memory: Memory, done: Sequence[Corrected]) -> list[str]:
    """Note what was put right, so that the next check knows what ended the drift; gives what went wrong."""
    problems = []
    for one in done:
        if one.report.result != "applied":
            continue
        try:
            log = memory.ledgers.drift_log(memory.project.stacks[one.correction.stack])
            record = log.record(one.correction.stack)
            if record:
                log.save(replace(record, correction=ENDINGS[one.correction.action]))
        except InfraError as error:
            problems.append(
                f"{one.correction.stack}: the correction could not be remembered: {error.message}"
            )
    return problems


def look_again(
    session: Session, done: Sequence[Corrected], stacks: Sequence[StackDrift]
) -> tuple[StackDrift, ...]:
    """The stacks as they are now, each with what came of its corrections; what changed is checked anew."""
    words: dict[str, list[str]] = {}
    for one in done:
        words.setdefault(one.correction.stack, []).append(one.words)
    changed = dict.fromkeys(one.correction.stack for one in done if one.report.result == "applied")
    now = (
        {one.id: one for one in check_drift(session, DriftRequest(tuple(changed))).stacks} if changed else {}
    )
    return tuple(replace(now.get(one.id, one), correction="; ".join(words.get(one.id, ()))) for one in stacks)


def exit_code(done: Sequence[Corrected], context: RunContext) -> int:
    """The part of the exit code that the corrections themselves have."""
    report: RunReport = context.report("apply", [one.report for one in done])
    return report.exit_code

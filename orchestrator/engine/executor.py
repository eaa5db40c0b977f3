"""Applies the plans that were shown: checks that each is current, asks for consent, passes the gate, applies.

The executor does not know how Terraform runs or where the ledger lies: both are given to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from orchestrator.engine.claims import Claim
from orchestrator.engine.ports import ALLOW_ALL, ApplyGate, Consent, Progress
from orchestrator.engine.scheduler import ADMIT_ALL, NO_DURATIONS, Admission, run_in_order
from orchestrator.engine.stack_plan import StackPlan, StateMove, block_forbidden, same_changes
from orchestrator.errors import (
    BlockedError,
    InfraError,
    InterruptedRunError,
    MismatchError,
    SupersededError,
)
from orchestrator.report.model import Result, StackReport
from orchestrator.repository.model import Edge, Stack
from orchestrator.state.records import Outcome

# A stack whose prerequisite ended in these ways is not touched; causes first, consequences last.
STOPS = ("interrupted", "failed", "mismatch", "blocked", "locked", "unchecked", "waiting", "aborted")
# Results that stay as they are when the run stops before the stack.
FINAL = ("unchanged", "failed", "locked", "blocked", "mismatch", "unchecked")
# Results of a stack that is as its code says.
DONE = ("applied", "destroyed", "unchanged")
# So often is a plan made again because what it was made against moved while somebody was asked.
PLANS = 3

FIRST_PLAN = "this is its first plan, its upstream is applied now"
OTHER_PLAN = "its plan is no longer the one that was shown"


class StateReader(Protocol):
    """Where states are looked at: `orchestrator.engine.states.States`."""

    def generation(self, stack: Stack, /) -> str | None:
        """The state's generation now; None when there is none."""

    def moved(self, upstreams: Mapping[str, str], /) -> bool:
        """Whether one of these states (stack id → generation) is no longer what it was."""


class RecorderPort(Protocol):
    """What the ledger records of each stack: `orchestrator.engine.recorder.LedgerRecorder`."""

    def claim(self, stack: Stack, /) -> AbstractContextManager[Claim]:
        """Take a stack for the length of the block."""

    def applied(self, claim: Claim, result: Outcome, /, *, plan_seconds: float | None = None) -> None:
        """The stack is what this commit says."""

    def note(self, claim: Claim, report: StackReport, /) -> None:
        """Remember the stack's part for the record of the run."""


@dataclass(frozen=True)
class ApplyWork:
    """What the executor applies, and the rules for it.

    `stacks` and `planned` (the plans that were shown) are by stack id, `upstreams` the edges to what each
    reads. With `fixed` the plans are saved ones, which are applied as they are or not at all. `is_partial`
    says that the plans' options leave something out. `named` are the protected environments whose name was
    given with the first answer, `protected` all protected ones.
    """

    stacks: Mapping[str, Stack]
    planned: Mapping[str, StackPlan]
    upstreams: Mapping[str, Sequence[Edge]] = field(default_factory=dict)
    destroys: bool = False
    fixed: bool = False
    is_partial: bool = False
    protected: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    durations: Mapping[str, float] = field(default_factory=lambda: NO_DURATIONS)


@dataclass(frozen=True)
class Executor:
    """One `apply` or `destroy` after the question was answered.

    `plan_again` plans a stack against what is there now, `apply_plan` applies a plan file under a claim,
    `move_state` makes the declared move of a state, if one is pending. `explain_failure` turns an error into
    a report. `finish_interrupted` finishes an apply of the stack that was interrupted, and gives None where
    there is none. `after_stack` is called when a stack has ended, its dependents still waiting, and
    `after_environment` when all stacks of one have. `admission` says which stacks may run side by side,
    `step` shows a step of a stack in traces.
    """

    work: ApplyWork
    states: StateReader
    records: RecorderPort
    consent: Consent
    progress: Progress
    plan_again: Callable[[Stack], StackPlan]
    apply_plan: Callable[[Claim, StackPlan], StackReport]
    explain_failure: Callable[[Stack, InfraError], StackReport]
    is_interrupted: Callable[[], bool] = lambda: False
    workers_in: Callable[[str], int] = lambda environment: 1
    gate: ApplyGate = ALLOW_ALL
    move_state: Callable[[Stack, Claim], StateMove | None] = lambda stack, claim: None
    finish_interrupted: Callable[[Stack], StackReport | None] = lambda stack: None
    admission: Admission = ADMIT_ALL
    step: Callable[[str, str], AbstractContextManager[None]] = lambda stack, name: nullcontext()
    after_stack: Callable[[Stack, StackReport], None] = lambda stack, report: None
    after_environment: Callable[[Iterable[StackReport]], None] = lambda reports: None

    def run(
        self, prerequisites: Mapping[str, set[str]], steps: Sequence[Sequence[str]]
    ) -> dict[str, StackReport]:
        """Apply `steps`, one per environment, one after the other; inside one, as the graph says."""
        done: dict[str, StackReport] = {}
        for stacks in steps:
            self.progress.begin(stacks)
            try:
                done |= run_in_order(
                    stacks,
                    prerequisites,
                    self._execute,
                    workers=self._workers(stacks),
                    skip=partial(self._skip, prerequisites, dict(done)),
                    durations=self.work.durations,
                    admission=self.admission,
                )
            finally:
                self.progress.end()
            self.after_environment([done[id] for id in stacks])
        return done

    def _workers(self, stacks: Sequence[str]) -> int:
        """How many of one environment's stacks run at once."""
        return self.workers_in(self.work.planned[stacks[0]].report.environment if stacks else "")

    def _skip(
        self,
        prerequisites: Mapping[str, set[str]],
        earlier: Mapping[str, StackReport],
        stack: str,
        now: Mapping[str, StackReport],
    ) -> StackReport | None:
        """The report of a stack that must not run because of what came before it; None: run it."""
        planned = self.work.planned[stack].report
        done = {**earlier, **now}
        if self.is_interrupted():
            return _aborted(planned, "the run was interrupted")
        for need in sorted(prerequisites.get(stack, set()) & done.keys()):
            if done[need].result in STOPS:
                if done[need].result == "waiting" and planned.result == "waiting":
                    return planned
                return _aborted(planned, f"{need} {_how_it_ended(done[need])}")
        stopped = None if self.work.destroys else first_cause(earlier)
        if stopped and planned.result in ("changed", "waiting"):
            return _aborted(planned, f"promotion stopped: {stopped.id} {_how_it_ended(stopped)}")
        return planned if planned.result not in ("changed", "unchanged", "waiting") else None

    def _execute(self, stack_id: str) -> StackReport:
        """One stack, from its plan to its report; never raises what a user can meet."""
        stack, planned = self.work.stacks[stack_id], self.work.planned[stack_id]
        began = time.monotonic()
        has_work = planned.is_pending
        try:
            has_work = has_work or (not self.work.fixed and self.states.moved(planned.upstreams))
            report = planned.report
            if has_work:
                report = self.finish_interrupted(stack) or self._claimed(stack, planned)
        except InfraError as error:
            report = refusal(planned.report, error) or self.explain_failure(stack, error)
        report = replace(report, seconds=time.monotonic() - began if has_work else 0.0)
        self.progress.done(report)
        self.after_stack(stack, report)
        return report

    def _claimed(self, stack: Stack, plan: StackPlan) -> StackReport:
        """The steps of one stack: claim, plan, consent, gate, apply, record."""
        with self.records.claim(stack) as claim:
            # Before anything is planned against the real backend, which writes an empty state there.
            blocked = self._pass_gate(stack, plan, claim) if plan.repair else None
            if blocked:
                self.records.note(claim, blocked)
                return blocked
            move = None if self.work.fixed else self.move_state(stack, claim)
            planned = self._consented(stack, plan, claim)
            if move and planned.report.result == "unchanged":
                moved_from = f"its state was moved from {move.source.url}"
                planned = replace(planned, report=replace(planned.report, reason=moved_from))
            report = self._pass_gate(stack, planned, claim) or self._finish(claim, planned)
            if planned.repair and report.result in DONE:
                report = replace(report, reason=planned.repair.result)
            self.records.note(claim, report)
            return report

    def _finish(self, claim: Claim, planned: StackPlan) -> StackReport:
        """Apply the plan; where it is empty, the ledger alone moves on."""
        if planned.has_changes:
            return self.apply_plan(claim, planned)
        if planned.report.result == "unchanged" and not (self.work.is_partial or self.work.destroys):
            self.records.applied(claim, "unchanged", plan_seconds=planned.report.seconds)
        return planned.report

    # Consent

    def _consented(self, stack: Stack, plan: StackPlan, claim: Claim) -> StackPlan:
        """A plan made against what is there now, to which somebody has said yes.

        That is the plan that was shown, or one made again that would do the same. Any other is shown and
        requested; and since things may move while the question waits for its answer, that is looked at again.
        """
        if self.work.fixed:
            self._refuse_moved(stack, plan)
            return block_forbidden(plan)
        accepted, planned = plan, plan
        is_current = not claim.waited and self._is_current(stack, planned)
        for _ in range(PLANS):
            if not is_current:
                planned = block_forbidden(self.plan_again(stack))
            why = reason_to_ask(accepted, planned)
            if not why:
                return planned
            self._ask(planned, why)
            accepted = planned
            is_current = self._is_current(stack, planned)
            if is_current:
                return planned
        raise MismatchError(
            f"What {stack.id} is planned against moved {PLANS} times while its plan was being confirmed.",
            advice="Somebody is applying it, or what it reads. Plan again when that has ended.",
            stack=stack.id,
        )

    def _is_current(self, stack: Stack, planned: StackPlan) -> bool:
        """Whether a plan can be applied as it is: its file is there, and no state that it read has moved."""
        return (
            planned.report.result != "waiting"
            and not planned.shadow
            and not (planned.has_changes and not (planned.plan_file and planned.plan_file.exists()))
            and not has_moved(self.states, stack, planned)
        )

    def _ask(self, planned: StackPlan, why: str) -> None:
        """Ask for one plan; the name of a protected environment too, unless the first answer gave it."""
        report = planned.report
        unnamed = self.work.protected - self.work.named
        self.progress.doing(report.id, "waiting for consent")
        self.progress.end()
        self.consent.again(
            report, why, protected=[report.environment] if report.environment in unnamed else []
        )

    def _refuse_moved(self, stack: Stack, planned: StackPlan) -> None:
        """A saved plan whose state, or an upstream's, has moved: Terraform would apply the old values.

        An upstream's saved plan that was applied before it and changes no output that it reads does no harm.
        """
        if planned.has_changes and self.states.generation(stack) != planned.generation:
            raise moved_since_plan(stack.id, stack.id, destroys=self.work.destroys)
        for edge in self.work.upstreams.get(stack.id, ()):
            was = planned.upstreams.get(edge.source)
            if was is None or not self.states.moved({edge.source: was}):
                continue
            plan = self.work.planned.get(edge.source)
            changed = set(plan.report.outputs) if plan else None
            if changed is None or (changed if edge.outputs is None else changed & edge.outputs):
                raise moved_since_plan(stack.id, edge.source, destroys=self.work.destroys)

    # Gate

    def _pass_gate(self, stack: Stack, planned: StackPlan, claim: Claim) -> StackReport | None:
        """Ask the gate about a plan that is about to be applied; the stack's report when it refuses."""
        if not planned.needs_judging:
            return None
        try:
            with self.step(stack.id, "approve"):
                self.gate.check(stack, planned, claim.before)
        except InfraError as error:
            refused_report = refusal(planned.report, error)
            if refused_report is None:
                raise
            return refused_report
        return None


def reason_to_ask(accepted: StackPlan, planned: StackPlan) -> str:
    """Why a plan needs a yes of its own: its changes are not those agreed to; empty when it needs none."""
    if not planned.has_changes or same_changes(accepted.plan, planned.plan):
        return ""
    return FIRST_PLAN if accepted.report.result == "waiting" else OTHER_PLAN


def refusal(report: StackReport, error: InfraError) -> StackReport | None:
    """A stack that was not touched because of a rule, with the reason; None for any other error."""
    match error:
        case BlockedError():
            return refused(report, "blocked", error)
        case MismatchError():
            return refused(report, "mismatch", error)
        case SupersededError():
            return refused(replace(report, notes=()), "skipped", error)
        case InterruptedRunError():
            return _aborted(report, "the run was interrupted")
    return None


def refused(report: StackReport, result: Result, error: InfraError) -> StackReport:
    """A stack that was not touched, and why."""
    return replace(report, result=result, reason=error.message, advice=error.advice, diff="")


def has_moved(states: StateReader, stack: Stack, planned: StackPlan) -> bool:
    """Whether the stack's state or an upstream's is no longer what the plan was made against."""
    return states.moved(planned.upstreams) or states.generation(stack) != planned.generation


def moved_since_plan(stack: str, moved: str, *, destroys: bool) -> MismatchError:
    """A plan that was made against a state which another run has moved since."""
    return MismatchError(
        f"The state of {moved} has moved since the plan.",
        advice=f"Plan again: `infra {'destroy' if destroys else 'apply'} {stack}`.",
        stack=stack,
    )


def first_cause(done: Mapping[str, StackReport]) -> StackReport | None:
    """The stack because of which promotion stops: one that went wrong rather than one that was aborted."""
    stopped = [report for report in done.values() if report.result in STOPS]
    return min(stopped, key=lambda report: STOPS.index(report.result), default=None)


def _aborted(planned: StackReport, why: str) -> StackReport:
    """A stack that was not touched; one with nothing to do stays what it was."""
    if planned.result in FINAL:
        return planned
    return replace(planned, result="aborted", reason=why, diff="", seconds=0.0)


def _how_it_ended(report: StackReport) -> str:
    """How a prerequisite ended, in words that follow its name."""
    return {
        "failed": "failed",
        "interrupted": "was interrupted",
        "aborted": "was not applied",
        "blocked": "is blocked",
        "locked": "is locked",
        "mismatch": "is not what was planned",
        "waiting": "is waiting",
        "unchecked": "was not planned",
    }.get(report.result, report.result)

"""From plans that were consented to, to what was applied: promotion order, prerequisites first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.engine.claims import Claim
from orchestrator.engine.scheduler import run_in_order
from orchestrator.errors import BlockedError, InfraError, InterruptedRunError, MismatchError
from orchestrator.plan.model import Plan
from orchestrator.project.model import Stack
from orchestrator.report.model import StackReport
from orchestrator.run.carrying import carry_out, refused, stale
from orchestrator.run.planning import Planned, failure, plan_stack
from orchestrator.run.policing import forbidden
from orchestrator.run.ports import LENIENT, Consent, Judge
from orchestrator.run.recording import Recorder, SupersededError
from orchestrator.run.session import Session
from orchestrator.run.state_location import carry_declared_move
from orchestrator.terraform.client import PlanOptions

# A stack behind one that ended in these ways is not touched; causes first, consequences last.
STOPS = ("interrupted", "failed", "mismatch", "blocked", "locked", "waiting", "aborted")


@dataclass(frozen=True)
class Applying:
    """One `apply` or `destroy` after the question was answered.

    `planned` are the plans shown; with `fixed` they are kept plans, which are applied as they are or not at
    all, never planned again. `judge` has the last word on each plan.
    """

    session: Session
    planned: Mapping[str, Planned]
    options: PlanOptions
    consent: Consent
    recorder: Recorder
    fixed: bool = False
    judge: Judge = LENIENT

    def run(
        self, prerequisites: Mapping[str, set[str]], steps: Sequence[Sequence[str]]
    ) -> dict[str, StackReport]:
        """Apply `steps`, one per environment, one after the other; inside one, as the graph says."""
        done: dict[str, StackReport] = {}
        for stacks in steps:
            self.session.progress.begin(stacks)
            try:
                done |= run_in_order(
                    stacks,
                    prerequisites,
                    self._apply,
                    workers=self._workers(stacks),
                    skip=partial(self._skip, prerequisites, dict(done)),
                )
            finally:
                self.session.progress.end()
        return done

    def _workers(self, stacks: Sequence[str]) -> int:
        """How many of one environment's stacks run at once."""
        environment = self.planned[stacks[0]].report.environment if stacks else ""
        return self.session.workers_in(environment)

    def _skip(
        self,
        prerequisites: Mapping[str, set[str]],
        earlier: Mapping[str, StackReport],
        stack: str,
        now: Mapping[str, StackReport],
    ) -> StackReport | None:
        """The report of a stack that must not run because of what came before it; None: run it."""
        planned = self.planned[stack].report
        done = {**earlier, **now}
        if self.session.supervisor.interrupted:
            return self._aborted(planned, "the run was interrupted")
        for need in sorted(prerequisites.get(stack, set()) & done.keys()):
            if done[need].result in STOPS:
                if done[need].result == "waiting" and planned.result == "waiting":
                    return planned
                return self._aborted(planned, f"{need} {_past(done[need])}")
        stopped = None if self.options.destroy else first_cause(earlier)
        if stopped and planned.result in ("changed", "waiting"):
            return self._aborted(planned, f"promotion stopped: {stopped.id} {_past(stopped)}")
        return planned if planned.result not in ("changed", "unchanged", "waiting") else None

    def _aborted(self, planned: StackReport, why: str) -> StackReport:
        """A stack that was not touched; one with nothing to do stays what it was."""
        if planned.result in ("unchanged", "failed", "locked", "blocked", "mismatch"):
            return planned
        return replace(planned, result="aborted", reason=why, diff="", seconds=0.0)

    def _apply(self, stack_id: str) -> StackReport:
        """One stack, from its plan to its report; never raises what a user can meet."""
        session = self.session
        stack = session.project.stacks[stack_id]
        began = time.monotonic()
        planned = self.planned[stack_id]
        busy = planned.is_pending
        try:
            busy = busy or (not self.fixed and session.states.moved(planned.upstreams))
            report = self._claimed(stack, planned) if busy else planned.report
        except BlockedError as error:
            report = refused(planned.report, "blocked", error)
        except MismatchError as error:
            report = refused(planned.report, "mismatch", error)
        except SupersededError as error:
            report = refused(replace(planned.report, notes=()), "skipped", error)
        except InterruptedRunError:
            report = self._aborted(planned.report, "the run was interrupted")
        except InfraError as error:
            report = failure(session, stack, error)
        report = replace(report, seconds=time.monotonic() - began if busy else 0.0)
        session.progress.done(report)
        return report

    def _claimed(self, stack: Stack, planned: Planned) -> StackReport:
        """Take the stack in the ledger, make sure of the plan, apply it, say in the ledger how that went."""
        with self.recorder.claim(stack) as claim:
            move = None if self.fixed else carry_declared_move(self.session, stack, claim)
            planned = self._current(stack, planned, claim)
            if planned.has_changes:
                refusal = self._refusal(stack, planned, claim)
                if refusal:
                    self.recorder.note(claim, refusal)
                    return refusal
                report = carry_out(self.recorder, claim, planned)
            else:
                report = planned.report
                if move and report.result == "unchanged":
                    report = replace(report, reason=f"its state was moved from {move.source.url}")
                if report.result == "unchanged" and self.recorder.is_whole and not self.options.destroy:
                    self.recorder.applied(claim, "unchanged")
            self.recorder.note(claim, report)
            return report

    def _current(self, stack: Stack, planned: Planned, claim: Claim) -> Planned:
        """The plan to apply: the one shown, or a new one where what it was made against has moved.

        A new plan that would do what was shown goes on; one that differs is shown and asked for.
        """
        states = self.session.states
        waited = planned.report.result == "waiting"
        if self.fixed:
            self._refuse_moved(stack, planned)
            return planned
        moved = (
            waited
            or planned.shadow
            or claim.waited
            or states.moved(planned.upstreams)
            or states.generation(stack) != planned.generation
        )
        if not moved:
            return planned
        again = forbidden(plan_stack(self.session, stack, self.options, real=True))
        if again.has_changes and not same_changes(planned.plan, again.plan):
            why = (
                "this is its first plan, its upstream is applied now"
                if waited
                else "its plan is no longer the one that was shown"
            )
            self.session.progress.doing(stack.id, "waiting for consent")
            self.session.progress.end()
            self.consent.again(again.report, why)
        return again

    def _refusal(self, stack: Stack, planned: Planned, claim: Claim) -> StackReport | None:
        """What the judge has against a plan, with that plan; None: nothing."""
        try:
            self.judge.judge(stack, planned, claim.before)
        except MismatchError as error:
            return refused(planned.report, "mismatch", error)
        except BlockedError as error:
            return refused(planned.report, "blocked", error)
        except SupersededError as error:
            return refused(replace(planned.report, notes=()), "skipped", error)
        return None

    def _refuse_moved(self, stack: Stack, planned: Planned) -> None:
        """A kept plan whose state, or an upstream's, has moved: Terraform would apply the old values.

        An upstream's kept plan that was applied before it and changes no output that it reads does no harm.
        """
        states = self.session.states
        if planned.has_changes and states.generation(stack) != planned.generation:
            raise stale(self.recorder, stack.id, stack.id)
        for edge in self.session.project.upstreams(stack.id):
            was = planned.upstreams.get(edge.source)
            if was is None or not states.moved({edge.source: was}):
                continue
            ours = self.planned.get(edge.source)
            changed = set(ours.report.outputs) if ours else None
            if changed is None or (changed if edge.outputs is None else changed & edge.outputs):
                raise stale(self.recorder, stack.id, edge.source)


def first_cause(done: Mapping[str, StackReport]) -> StackReport | None:
    """The stack because of which promotion stops: one that went wrong rather than one that was aborted."""
    stopped = [one for one in done.values() if one.result in STOPS]
    return min(stopped, key=lambda one: STOPS.index(one.result), default=None)


def same_changes(shown: Plan | None, again: Plan | None) -> bool:
    """Whether a plan would do what the one that was shown would: the same to every resource and output.

    Hidden values are compared by the plans' whole sets of secrets: one that differs makes a difference.
    """
    if shown is None or again is None:
        return shown is again
    return (
        shown.shown_changes == again.shown_changes
        and _outputs(shown) == _outputs(again)
        and shown.secrets == again.secrets
    )


def _outputs(plan: Plan) -> dict[str, object]:
    return {
        name: (one.actions, one.unknown, one.raw_after)
        for name, one in plan.outputs.items()
        if one.is_changed
    }


def _past(report: StackReport) -> str:
    """How a prerequisite ended, in words that follow its name."""
    return {
        "failed": "failed",
        "interrupted": "was cut off",
        "aborted": "was not applied",
        "blocked": "is blocked",
        "locked": "is locked",
        "mismatch": "is not what was planned",
        "waiting": "is waiting",
    }.get(report.result, report.result)

"""From plans that were consented to, to what was applied: promotion order, prerequisites first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.errors import BlockedError, Exit, InfraError, InterruptedRunError, MismatchError
from orchestrator.masking import NO_SECRETS
from orchestrator.plan.model import Plan
from orchestrator.project.model import Stack
from orchestrator.report.model import Result, StackReport
from orchestrator.run.planning import Planned, failure, plan_stack
from orchestrator.run.ports import Consent
from orchestrator.run.schedule import run_in_order
from orchestrator.run.session import Session
from orchestrator.terraform.client import ApplyOutcome, PlanOptions, locked_error

# A stack behind one that ended in these ways is not touched; causes first, consequences last.
STOPS = ("failed", "mismatch", "blocked", "locked", "waiting", "aborted")

# Terraform's words when the state moved after its last look and before the apply held the lock.
STALE = "Saved plan is stale"


@dataclass(frozen=True)
class Applying:
    """One `apply` or `destroy` after the question was answered.

    `planned` are the plans shown; with `fixed` they are kept plans, which are applied as they are or not at
    all, never planned again.
    """

    session: Session
    planned: Mapping[str, Planned]
    options: PlanOptions
    consent: Consent
    fixed: bool = False

    @property
    def verb(self) -> str:
        """The command that this is."""
        return "destroy" if self.options.destroy else "apply"

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
                    workers=self.session.workers,
                    instead=partial(self._instead, prerequisites, dict(done)),
                )
            finally:
                self.session.progress.end()
        return done

    def _instead(
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
        return planned if planned.result in ("failed", "locked", "blocked", "mismatch") else None

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
        try:
            planned = self._current(stack, planned)
            report = planned.report if not planned.has_changes else self._carry_out(stack, planned)
        except (BlockedError, MismatchError) as error:
            report = self._refused(
                planned, "blocked" if isinstance(error, BlockedError) else "mismatch", error
            )
        except InterruptedRunError:
            report = self._aborted(planned.report, "the run was interrupted")
        except InfraError as error:
            report = failure(session, stack, error)
        report = replace(report, seconds=time.monotonic() - began if planned.has_changes else 0.0)
        session.progress.done(report)
        return report

    def _refused(self, planned: Planned, result: Result, error: InfraError) -> StackReport:
        """A stack that was not touched, and why."""
        return replace(planned.report, result=result, reason=error.message, advice=error.advice, diff="")

    def _current(self, stack: Stack, planned: Planned) -> Planned:
        """The plan to apply: the one shown, or a new one where what it was made against has moved.

        A new plan that would do what was shown goes on; one that differs is shown and asked for.
        """
        states = self.session.states
        waited = planned.report.result == "waiting"
        if self.fixed:
            self._refuse_stale(stack, planned)
            return planned
        if not (waited or planned.shadow or states.moved(planned.upstreams)):
            return planned
        again = plan_stack(self.session, stack, self.options, real=True)
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

    def _refuse_stale(self, stack: Stack, planned: Planned) -> None:
        """A kept plan whose upstream has moved, by this very run too: Terraform would apply the old values.

        An upstream's kept plan that was applied before it and changes no output that it reads does no harm.
        """
        states = self.session.states
        for edge in self.session.project.upstreams(stack.id):
            was = planned.upstreams.get(edge.source)
            if was is None or not states.moved({edge.source: was}):
                continue
            ours = self.planned.get(edge.source)
            changed = set(ours.report.outputs) if ours else None
            if changed is None or (changed if edge.outputs is None else changed & edge.outputs):
                raise self._stale(stack.id, edge.source)

    def _stale(self, stack: str, moved: str) -> MismatchError:
        return MismatchError(
            f"The state of {moved} has moved since the plan.",
            advice=f"Plan again: `infra {self.verb} {stack}`.",
            stack=stack,
        )

    def _carry_out(self, stack: Stack, planned: Planned) -> StackReport:
        """Apply the plan file and say what came of it."""
        session = self.session
        if planned.plan_file is None:
            raise ValueError(f"{stack.id} has changes and no plan file")
        session.progress.doing(stack.id, "applying")
        with session.alone_in(stack):
            outcome = session.client.apply(
                session.workdir(stack),
                planned.plan_file,
                lambda event: session.progress.doing(stack.id, event),
            )
        if outcome.ok:
            word: Result = "destroyed" if self.options.destroy else "applied"
            return replace(planned.report, result=word, diff="", diagnostics=(), notes=())
        return self._failed(stack, planned, outcome)

    def _failed(self, stack: Stack, planned: Planned, outcome: ApplyOutcome) -> StackReport:
        """A failed apply: was anything applied? The state's generation tells, not Terraform's exit code."""
        session = self.session
        if outcome.locked:
            error = locked_error(f"apply of {stack.id}", outcome.locked, stack.id)
            return self._refused(planned, "locked", error)
        if any(one.summary == STALE for one in outcome.diagnostics):
            return self._refused(planned, "mismatch", self._stale(stack.id, stack.id))
        moved = bool(outcome.finished) or session.states.generation(stack) != planned.generation
        report = failed_report(session, stack, planned, outcome, moved=moved)
        rest = f"`infra {self.verb} {stack.id}` plans what is left."
        mend = "" if outcome.ended == "interrupted" else "Mend what failed; then "
        return replace(report, advice=mend + rest)


def failed_report(
    session: Session, stack: Stack, planned: Planned, outcome: ApplyOutcome, *, moved: bool
) -> StackReport:
    """What a failed apply said; `moved` when something was applied before it failed."""
    secrets = planned.plan.secrets if planned.plan else NO_SECRETS
    diagnostics = tuple(session.masked_diagnostic(stack, one, secrets) for one in outcome.diagnostics)
    reason = diagnostics[0]["summary"] if diagnostics else "Terraform failed without saying why"
    if outcome.ended == "interrupted":
        reason = "interrupted while applying"
    notes = [f"applied before it failed: {one.address} ({one.action})" for one in outcome.finished]
    if outcome.rescued:
        notes.append(f"Terraform could not save the state; it was kept: {outcome.rescued}")
    return replace(
        planned.report,
        result="failed",
        reason=str(reason),
        diagnostics=diagnostics,
        diff="",
        notes=tuple(notes),
        error_class="PartialError" if moved else "TerraformError",
        code=int(Exit.ERROR),
        partial=moved,
    )


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
        "aborted": "was not applied",
        "blocked": "was not confirmed",
        "locked": "is locked",
        "mismatch": "is not what was planned",
        "waiting": "is waiting",
    }.get(report.result, report.result)

"""Finishes interrupted applies in a rollout: nobody is asked, the gate decides by plan and repairs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orchestrator.engine.apply_plan import ResumedApply, execute_apply
from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import has_moved, refusal
from orchestrator.engine.failures import failure
from orchestrator.engine.import_attempt import ImportResult
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.leftovers import live_process, push_rescued, release_own_lock, remove_deleted
from orchestrator.engine.ports import ApplyGate
from orchestrator.engine.recorder import LOOK_AGAIN, LedgerRecorder
from orchestrator.engine.resume_plan import (
    Leftovers,
    UnfinishedStack,
    find_leftovers,
    interrupted_report,
    manual_import_advice,
    plan_remaining,
    refuse_older,
    remaining_in,
    unfinished_of,
    with_resume_repair,
)
from orchestrator.engine.rollout_options import RolloutOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan, block_forbidden, same_changes
from orchestrator.errors import (
    InfraError,
    InterruptedRunError,
    LockedError,
    MismatchError,
    PartialError,
    SupersededError,
)
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.terraform.client import Workdir


@dataclass(frozen=True)
class RolloutResume:
    """Resumes the stacks of one rollout. `gate` is asked before anything is written.

    What the gate refuses stays as the interrupted run left it, ledger included.
    """

    session: Session
    recorder: LedgerRecorder
    options: RolloutOptions
    gate: ApplyGate
    inspect: Inspect
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def finish(self, stack: Stack) -> StackReport | None:
        """Finish the stack's interrupted apply; None where there is none.

        Waits for a run that is still heard of, as long as the recorder's options say.
        """
        try:
            unfinished = self._wait(stack)
        except InfraError as error:
            return failure(self.session, stack, error)
        return self._report(unfinished) if unfinished else None

    def _wait(self, stack: Stack) -> UnfinishedStack | None:
        session, ledger = self.session, self.session.memory.ledgers.of(stack)
        end = self.clock() + self.recorder.recorder_options.wait
        while entry := session.memory.ledgers.entry(stack):
            entry, is_live = ledger.check_liveness(entry)
            if not (is_live and entry.is_unfinished):
                destroys = self.recorder.options.destroy
                return unfinished_of(stack, entry, is_live=is_live, destroys=destroys)
            if session.context.supervisor.interrupted:
                raise InterruptedRunError("Interrupted while waiting for another run.")
            if self.clock() >= end:
                raise LockedError(f"{stack.id}: {entry.operation}.", advice="Wait for it.", stack=stack.id)
            session.context.progress.doing(stack.id, f"waiting: {entry.operation}")
            self.sleep(LOOK_AGAIN)
        return None

    def _report(self, unfinished: UnfinishedStack) -> StackReport:
        """What came of it; never raises what a user can meet."""
        stack = unfinished.stack
        try:
            return self._resume(unfinished)
        except (MismatchError, SupersededError) as error:
            empty = StackReport(stack.id, stack.environment, "changed")
            return refusal(empty, error) or failure(self.session, stack, error)
        except PartialError as error:
            return interrupted_report(stack, error)
        except InfraError as error:
            return failure(self.session, stack, error)
        finally:
            if not live_process(self.session.terraform.workdir(stack, unfinished.run)):
                self.session.context.folders.forget_plans(unfinished.run)

    def _resume(self, unfinished: UnfinishedStack) -> StackReport:
        """The steps: look, plan, gate, claim, repair, apply, record."""
        stack, session = unfinished.stack, self.session
        refuse_older(session, unfinished, self.options)
        work = session.terraform.workdir(stack, unfinished.run)
        leftovers = find_leftovers(session, unfinished, work, self.options.choices_for(stack.id))
        back, planned = self._plan(unfinished, leftovers, work, is_repaired=False)
        if planned.repair is None:
            return planned.report
        self.gate.check(stack, planned, unfinished.entry)
        claim = self.recorder.take_over(stack, unfinished.entry)
        session.context.folders.take_over(unfinished.run)
        try:
            self._refuse_moved(unfinished, leftovers, planned, work)
            if leftovers.lock:
                release_own_lock(session, stack, leftovers.lock)
            if leftovers.changes_state:
                session.terraform.init(stack, work)
                if leftovers.pushed:
                    push_rescued(session, stack, work, leftovers.pushed)
                if leftovers.replaced:
                    remove_deleted(session, stack, work, leftovers.replaced)
                accepted = planned
                back, planned = self._plan(unfinished, leftovers, work, is_repaired=True)
                self._refuse_other_plan(stack, accepted, planned)
            report = self._finish(claim, unfinished, back, planned)
            self.recorder.note(claim, report, leftovers.forgotten)
            return report
        finally:
            if not claim.has_ended:
                claim.give_back()

    def _plan(
        self, unfinished: UnfinishedStack, leftovers: Leftovers, work: Workdir, *, is_repaired: bool
    ) -> tuple[ImportResult, StackPlan]:
        back = plan_remaining(
            self.session, unfinished, leftovers, work, self.inspect, is_repaired=is_repaired
        )
        back = replace(back, planned=block_forbidden(back.planned))
        return back, with_resume_repair(self.session, unfinished, leftovers, back, self.options)

    def _refuse_moved(
        self, unfinished: UnfinishedStack, leftovers: Leftovers, planned: StackPlan, work: Workdir
    ) -> None:
        """What was looked at before the stack was claimed must still be so."""
        choices = self.options.choices_for(unfinished.stack.id)
        is_same = find_leftovers(self.session, unfinished, work, choices) == leftovers
        if not is_same or has_moved(self.session.memory.states, unfinished.stack, planned):
            raise _moved(unfinished.stack)

    def _refuse_other_plan(self, stack: Stack, accepted: StackPlan, planned: StackPlan) -> None:
        """The plan on the pushed state must be the one that was let through before the push."""
        is_same = accepted.report.result == planned.report.result and same_changes(
            accepted.plan, planned.plan
        )
        if not is_same or accepted.repair is None:
            raise _moved(stack)

    def _finish(
        self, claim: Claim, unfinished: UnfinishedStack, back: ImportResult, planned: StackPlan
    ) -> StackReport:
        summary = planned.repair.result if planned.repair else ""
        if planned.has_changes:
            resumed = ResumedApply(remaining_in(back), manual_import_advice(unfinished.stack))
            report = execute_apply(
                self.recorder, claim, planned, back.work, destroy=unfinished.destroys, resumed=resumed
            )
            is_done = report.result in ("applied", "destroyed")
            return replace(report, reason=summary if is_done else report.reason)
        self.recorder.applied(claim, "destroyed" if unfinished.destroys else "applied")
        result = "destroyed" if unfinished.destroys else "applied"
        return replace(planned.report, result=result, reason=summary)  # type: ignore[arg-type]


def _moved(stack: Stack) -> MismatchError:
    return MismatchError(
        f"The state or the lock of {stack.id} moved while its interrupted apply was being resumed.",
        advice="Somebody else is at work on it. Run the apply workflow again.",
        stack=stack.id,
    )

"""`infra resume`: finishes interrupted applies. Repairs the state first, then applies the rest."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.engine.apply_plan import ResumedApply, execute_apply
from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import has_moved
from orchestrator.engine.failures import failure
from orchestrator.engine.import_attempt import ImportResult
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.leftovers import (
    RescuedState,
    follow_process,
    live_process,
    push_rescued,
    release_own_lock,
    remove_deleted,
)
from orchestrator.engine.pending import entries_of
from orchestrator.engine.ports import Consent
from orchestrator.engine.recorder import LedgerRecorder
from orchestrator.engine.resume_plan import (
    Leftovers,
    UnfinishedStack,
    find_leftovers,
    interrupted_report,
    manual_import_advice,
    plan_remaining,
    refuse_other_commit,
    remaining_in,
    run_of,
)
from orchestrator.engine.rollout_options import NO_CHOICES, ResumeChoices
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import block_forbidden
from orchestrator.errors import (
    BlockedError,
    InfraError,
    InterruptedRunError,
    LockedError,
    MismatchError,
    PartialError,
    UsageError,
)
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import Workdir

_RUN_ID = re.compile(r"\d{8}T\d{6,}Z-[0-9a-f]+", re.ASCII)


def unfinished(session: Session, names: Sequence[str], cwd: Path) -> list[UnfinishedStack]:
    """What is unfinished among the stacks, or of the runs, that are named; with no name, everything."""
    context = session.context
    entries = entries_of(session.memory, context.project.stacks)
    runs = {run_of(entry) for entry in entries.values()}
    wanted_runs = {name for name in names if name in runs}
    for name in names:
        if _RUN_ID.fullmatch(name) and name not in runs:
            raise UsageError(
                f"No stack was last worked on by a run {name}, so it has left nothing unfinished.",
                advice="`infra status` names what is unfinished, `infra history` lists the runs.",
            )
    rest = [name for name in names if name not in wanted_runs]
    stacks = set(context.select(rest, cwd)) if rest else set()
    selected = []
    for id_ in context.in_order(entries):
        entry = entries[id_]
        is_selected = not names or id_ in stacks or run_of(entry) in wanted_runs
        if is_selected and (entry.operation or entry.is_unfinished):
            stack = context.project.stacks[id_]
            selected.append(
                UnfinishedStack(stack, entry, run_of(entry), _destroys(session.memory.ledgers, stack, entry))
            )
    return selected


def _destroys(ledgers: Ledgers, stack: Stack, entry: LedgerEntry) -> bool:
    """Whether what was interrupted was to destroy the stack."""
    if entry.operation:
        return entry.operation.kind == "destroy"
    record = ledgers.of(stack).run(entry.run)
    return record is not None and record.command == "destroy"


def resume(
    session: Session,
    recorder: LedgerRecorder,
    unfinished_stacks: Sequence[UnfinishedStack],
    consent: Consent,
    inspect: Inspect,
    choices: ResumeChoices = NO_CHOICES,
) -> RunReport:
    """Finish each, prerequisites first, one after the other: each asks.

    Choices are about one stack: UsageError where they are given for several.
    """
    context = session.context
    if len(unfinished_stacks) != 1 and (choices.forget or choices.replaces):
        names = ", ".join(unfinished.stack.id for unfinished in unfinished_stacks)
        raise UsageError(
            "`--forget` and `--replace` are about one unfinished stack.",
            advice=f"Name one: {names or 'nothing is unfinished'}.",
        )
    work = {unfinished_stack.stack.id: unfinished_stack for unfinished_stack in unfinished_stacks}

    def one_stack(id_: str) -> StackReport:
        report = StackResume(session, recorder, work[id_], consent, inspect, choices).report()
        context.progress.done(report)
        if session.hooks:
            session.hooks.after_stack(work[id_].stack, report)
        return report

    prerequisites = context.prerequisites(list(work), destroy=False)
    done = run_in_order(list(work), prerequisites, one_stack, workers=1)
    reports = [done[id_] for id_ in work]
    notes = recorder.save()
    if session.hooks is None:
        return context.report("resume", reports, notes=notes)
    for environment in dict.fromkeys(report.environment for report in reports):
        session.hooks.after_environment(report for report in reports if report.environment == environment)
    notes = [*notes, *session.hooks.take_lines()]
    return context.report("resume", reports, notes=notes, failures=session.hooks.take_failures())


class StackResume:
    """One unfinished stack."""

    def __init__(
        self,
        session: Session,
        recorder: LedgerRecorder,
        unfinished: UnfinishedStack,
        consent: Consent,
        inspect: Inspect,
        choices: ResumeChoices,
    ) -> None:
        self.session = session
        self.recorder = recorder
        self.unfinished = unfinished
        self.stack = unfinished.stack
        self.entry = unfinished.entry
        self.run = unfinished.run
        self.consent = consent
        self.inspect = inspect
        self.ledger = session.memory.ledgers.of(unfinished.stack)
        self.choices = choices
        self.remarks: list[str] = []

    def report(self) -> StackReport:
        """What came of it; never raises what a user can meet."""
        began = time.monotonic()
        try:
            report = self._resume()
        except BlockedError as error:
            report = self._result("blocked", error.message, error.advice)
        except InterruptedRunError as error:
            report = self._result("aborted", error.message)
        except PartialError as error:
            report = interrupted_report(self.stack, error)
        except InfraError as error:
            report = failure(self.session, self.stack, error)
        notes = (*self.remarks, *report.notes)
        return replace(report, seconds=time.monotonic() - began, notes=notes)

    def _resume(self) -> StackReport:
        """The steps, in order."""
        terraform = self.session.terraform
        self._refuse_living()
        if not self.entry.is_unfinished:
            return self._clear()
        refuse_other_commit(self.session, self.unfinished)
        claim = self.recorder.take_over(self.stack, self.entry)
        self.session.context.folders.take_over(self.run)
        try:
            work = terraform.workdir(self.stack, self.run)
            self._follow(claim, work)
            terraform.init(self.stack, work)
            leftovers = find_leftovers(self.session, self.unfinished, work, self.choices)
            self._repair_state(work, leftovers)
            report = self._take_back_and_apply(claim, work, leftovers)
            self.recorder.note(claim, report, leftovers.forgotten)
            return report
        finally:
            if not claim.has_ended:
                claim.give_back()
            if not live_process(terraform.workdir(self.stack, self.run)):
                self.session.context.folders.forget_plans(self.run)

    # Whether it may be touched

    def _refuse_living(self) -> None:
        if self.ledger.is_live(self.entry):
            raise LockedError(
                f"{self.stack.id} is not interrupted: {self.entry.operation}.", advice="Wait for it."
            )

    def _clear(self) -> StackReport:
        """It was interrupted before Terraform began: nothing to do but to say so."""
        claim = self.recorder.take_over(self.stack, self.entry)
        claim.forget_operation()
        claim.give_back()
        return self._result(
            "unchanged", f"{self.run} was interrupted before it began to apply: nothing was done"
        )

    # What is left of it

    def _follow(self, claim: Claim, work: Workdir) -> None:
        """A Terraform that outlived its `infra` is not disturbed: it is followed to its end."""
        context = self.session.context
        process = live_process(work)
        if process is None:
            return
        self.remarks.append(f"Terraform (pid {process.pid}) was still at work, and was followed to its end.")
        claim.announce(lambda: self.recorder.own_lock(claim))
        claim.start()
        context.progress.doing(self.stack.id, f"Terraform is still at work (pid {process.pid})")
        follow_process(
            work,
            process,
            lambda text: context.progress.doing(self.stack.id, text),
            lambda: context.supervisor.interrupted,
        )

    def _repair_state(self, work: Workdir, leftovers: Leftovers) -> None:
        """Release the dead run's lock, and push the state that it could not save; after a question."""
        lock, rescued, pushed = leftovers.lock, leftovers.rescued, leftovers.pushed
        steps = []
        if lock:
            steps.append(f"Release the state's lock: {lock}.")
        if pushed:
            steps.append(
                f"Push the state that could not be saved (serial {pushed.head.serial}, {pushed.where})."
            )
        unusable = _unusable(rescued) if rescued and not pushed else []
        self.session.context.progress.end()
        self.consent.to_repair(self.stack.id, [*self._story(), *unusable], steps)
        if lock:
            release_own_lock(self.session, self.stack, lock)
            self.remarks.append("The lock that it left was released.")
        if pushed:
            serial = push_rescued(self.session, self.stack, work, pushed)
            self.remarks.append(f"The state that could not be saved was pushed: serial {serial}.")
        if leftovers.replaced:
            self._remove_replaced(work, leftovers)

    def _story(self) -> list[str]:
        """What happened, in a line or two."""
        operation = self.entry.operation
        if operation is None:
            return [f"{self.run} was interrupted at {self.entry.at}."]
        elsewhere = operation.host != this_machine()
        heard = f"last heard of {self.ledger.silence(self.entry):.0f} s ago"
        lines = [
            f"{operation.who} ran {operation.kind} {self.run} from {operation.where}: interrupted, {heard}."
        ]
        if elsewhere:
            lines.append("Its machine cannot be looked at from here: be sure that its Terraform has ended.")
        return lines

    # What the state does not know, and the rest

    def _take_back_and_apply(self, claim: Claim, work: Workdir, leftovers: Leftovers) -> StackReport:
        context, comparison = self.session.context, leftovers.comparison
        destroy = self.unfinished.destroys
        context.progress.doing(self.stack.id, "comparing its journal with the state")
        back = self._plan(leftovers, work)
        planned = block_forbidden(back.planned)
        if planned.report.result == "unchanged":
            self.recorder.applied(claim, "destroyed" if destroy else "applied")
            return replace(planned.report, reason="all of it had been applied")
        if not planned.has_changes:
            if planned.report.result == "blocked" and comparison.is_clean:
                # The state is right; what a rule forbids is pending like any other change.
                self.recorder.failed(claim, "failed")
            return planned.report
        report = context.report("resume", [planned.report])
        context.progress.end()
        try:
            self.consent.to_apply(report, protected=context.protected([self.stack.id]))
        except BlockedError:
            if comparison.is_clean:
                # The state is right; what is left is pending like any other change.
                self.recorder.failed(claim, "failed")
            raise
        if has_moved(self.session.memory.states, self.stack, planned):
            raise MismatchError(
                f"What {self.stack.id} is planned against moved while its plan was being confirmed.",
                advice=f"`infra resume {self.stack.id}` again.",
                stack=self.stack.id,
            )
        resumed = ResumedApply(remaining_in(back), manual_import_advice(self.stack))
        return execute_apply(self.recorder, claim, planned, back.work, destroy=destroy, resumed=resumed)

    def _plan(self, leftovers: Leftovers, work: Workdir) -> ImportResult:
        """The plan of what is left, on the repaired state."""
        return plan_remaining(self.session, self.unfinished, leftovers, work, self.inspect)

    def _remove_replaced(self, work: Workdir, leftovers: Leftovers) -> None:
        """Remove from the state what the run deleted, so that what replaces it can be imported."""
        steps = [
            f"Remove {orphan.address} ({orphan.replaced}) from the state: the run deleted it, and "
            f"{'created' if orphan.certain else 'began to create'} another."
            for orphan in leftovers.replaced
        ]
        self.session.context.progress.end()
        self.consent.to_repair(self.stack.id, [], steps)
        remove_deleted(self.session, self.stack, work, leftovers.replaced)
        self.remarks += [
            f"{orphan.replaced}, which was deleted, was removed from the state."
            for orphan in leftovers.replaced
        ]

    def _result(self, result: str, reason: str, advice: str = "") -> StackReport:
        id_, environment = self.stack.id, self.stack.environment
        return StackReport(id_, environment, result, reason=reason, advice=advice)  # type: ignore[arg-type]


def _unusable(rescued: RescuedState) -> list[str]:
    return [f"A state was rescued ({rescued.where}, serial {rescued.head.serial}); what is there is as new."]

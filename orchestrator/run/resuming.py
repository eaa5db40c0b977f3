"""`infra resume`: bring what was cut off to an end. First make the state right, then apply the rest."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import has_moved
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.planned import block_forbidden
from orchestrator.engine.ports import Consent
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.errors import (
    BlockedError,
    InfraError,
    InterruptedRunError,
    LockedError,
    MismatchError,
    PartialError,
    UsageError,
)
from orchestrator.project.model import Stack
from orchestrator.report.model import RunReport, StackReport
from orchestrator.run.carrying import Resumed, carry_out
from orchestrator.run.evidence import Rescued, follow, living
from orchestrator.run.pending import entries_of
from orchestrator.run.recording import Recorder
from orchestrator.run.resume_plan import (
    Leftovers,
    Unfinished,
    find_leftovers,
    interrupted_report,
    plan_rest,
    refuse_other_commit,
    remaining_in,
    run_of,
    way_out,
)
from orchestrator.run.rollout_options import NO_CHOICES, ResumeChoices
from orchestrator.run.state_repair import push_rescued, release_own_lock, remove_deleted
from orchestrator.state.records import Entry
from orchestrator.terraform.client import Workdir

_RUN_ID = re.compile(r"\d{8}T\d{6,}Z-[0-9a-f]+", re.ASCII)


def unfinished(session: Session, names: Sequence[str]) -> list[Unfinished]:
    """What is unfinished among the stacks, or of the runs, that are named; with no name, everything."""
    context = session.context
    known = entries_of(session.memory, context.project.stacks)
    runs = {run_of(entry) for entry in known.values()}
    wanted_runs = {name for name in names if name in runs}
    for name in names:
        if _RUN_ID.fullmatch(name) and name not in runs:
            raise UsageError(
                f"No stack was last worked on by a run {name}, so it has left nothing unfinished.",
                advice="`infra status` names what is unfinished, `infra history` lists the runs.",
            )
    rest = [name for name in names if name not in wanted_runs]
    stacks = set(context.select(rest)) if rest else set()
    found = []
    for id_ in context.in_order(known):
        entry = known[id_]
        asked = not names or id_ in stacks or run_of(entry) in wanted_runs
        if asked and (entry.operation or entry.is_unfinished):
            stack = context.project.stacks[id_]
            found.append(
                Unfinished(stack, entry, run_of(entry), _destroys(session.memory.ledgers, stack, entry))
            )
    return found


def _destroys(ledgers: Ledgers, stack: Stack, entry: Entry) -> bool:
    """Whether what was cut off was to destroy the stack."""
    if entry.operation:
        return entry.operation.kind == "destroy"
    record = ledgers.of(stack).run(entry.run)
    return record is not None and record.command == "destroy"


def resume(
    session: Session,
    recorder: Recorder,
    found: Sequence[Unfinished],
    consent: Consent,
    inspect: Inspect,
    choices: ResumeChoices = NO_CHOICES,
) -> RunReport:
    """Bring each to an end, prerequisites first, one after the other: each asks.

    Choices are about one stack: UsageError where they are given for several.
    """
    context = session.context
    if len(found) != 1 and (choices.forget or choices.replaces):
        raise UsageError(
            "`--forget` and `--replace` are about one unfinished stack.",
            advice=f"Name one: {', '.join(one.stack.id for one in found) or 'nothing is unfinished'}.",
        )
    work = {one.stack.id: one for one in found}

    def one_stack(id_: str) -> StackReport:
        report = Resuming(session, recorder, work[id_], consent, inspect, choices).report()
        context.progress.done(report)
        return report

    prerequisites = context.prerequisites(list(work), destroy=False)
    done = run_in_order(list(work), prerequisites, one_stack, workers=1)
    return context.report("resume", [done[id_] for id_ in work], notes=recorder.save())


class Resuming:
    """One unfinished stack."""

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        one: Unfinished,
        consent: Consent,
        inspect: Inspect,
        choices: ResumeChoices,
    ) -> None:
        self.session = session
        self.recorder = recorder
        self.unfinished = one
        self.stack = one.stack
        self.entry = one.entry
        self.run = one.run
        self.consent = consent
        self.inspect = inspect
        self.ledger = session.memory.ledgers.of(one.stack)
        self.choices = choices
        self.said: list[str] = []

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
        notes = (*self.said, *report.notes)
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
            if not living(terraform.workdir(self.stack, self.run)):
                self.session.context.folders.forget_plans(self.run)

    # Whether it may be touched

    def _refuse_living(self) -> None:
        if self.ledger.is_live(self.entry):
            raise LockedError(
                f"{self.stack.id} is not cut off: {self.entry.operation}.", advice="Wait for it."
            )

    def _clear(self) -> StackReport:
        """It was cut off before Terraform began: nothing to do but to say so."""
        claim = self.recorder.take_over(self.stack, self.entry)
        claim.forget_operation()
        claim.give_back()
        return self._result("unchanged", f"{self.run} was cut off before it began to apply: nothing was done")

    # What is left of it

    def _follow(self, claim: Claim, work: Workdir) -> None:
        """A Terraform that outlived its `infra` is not disturbed: it is followed to its end."""
        context = self.session.context
        process = living(work)
        if process is None:
            return
        self.said.append(f"Terraform (pid {process.pid}) was still at work, and was followed to its end.")
        claim.announce(lambda: self.recorder.own_lock(claim))
        claim.start()
        context.progress.doing(self.stack.id, f"Terraform is still at work (pid {process.pid})")
        follow(
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
            self.said.append("The lock that it left was released.")
        if pushed:
            serial = push_rescued(self.session, self.stack, work, pushed)
            self.said.append(f"The state that could not be saved was pushed: serial {serial}.")
        if leftovers.replaced:
            self._remove_replaced(work, leftovers)

    def _story(self) -> list[str]:
        """What happened, in a line or two."""
        operation = self.entry.operation
        if operation is None:
            return [f"{self.run} was interrupted at {self.entry.at}."]
        elsewhere = operation.host != this_machine()
        heard = f"last heard of {self.ledger.silence(self.entry):.0f} s ago"
        lines = [f"{operation.who} ran {operation.kind} {self.run} from {operation.where}: cut off, {heard}."]
        if elsewhere:
            lines.append("Its machine cannot be looked at from here: be sure that its Terraform has ended.")
        return lines

    # What the state does not know, and the rest

    def _take_back_and_apply(self, claim: Claim, work: Workdir, leftovers: Leftovers) -> StackReport:
        context, comparison = self.session.context, leftovers.comparison
        destroy = self.unfinished.destroys
        context.progress.doing(self.stack.id, "comparing its journal with the state")
        back = plan_rest(self.session, self.unfinished, leftovers, work, self.inspect)
        planned = block_forbidden(back.planned)
        if planned.report.result == "unchanged":
            self.recorder.applied(claim, "destroyed" if destroy else "applied")
            return replace(planned.report, reason="all of it had been applied")
        if not planned.has_changes:
            if planned.report.result == "blocked" and comparison.is_clean:
                # The state is right; what a rule forbids is pending like any other change.
                self.recorder.failed(claim, "failed")
            return planned.report
        shown = context.report("resume", [planned.report])
        context.progress.end()
        try:
            self.consent.to_apply(shown, protected=context.protected([self.stack.id]))
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
        resumed = Resumed(remaining_in(back), way_out(self.stack))
        return carry_out(self.recorder, claim, planned, back.work, destroy=destroy, resumed=resumed)

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
        self.said += [
            f"{orphan.replaced}, which was deleted, was removed from the state."
            for orphan in leftovers.replaced
        ]

    def _result(self, result: str, reason: str, advice: str = "") -> StackReport:
        id_, environment = self.stack.id, self.stack.environment
        return StackReport(id_, environment, result, reason=reason, advice=advice)  # type: ignore[arg-type]


def _unusable(rescued: Rescued) -> list[str]:
    return [f"A state was rescued ({rescued.where}, serial {rescued.head.serial}); what is there is as new."]

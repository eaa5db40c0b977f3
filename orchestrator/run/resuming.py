"""`infra resume`: bring what was cut off to an end. First make the state right, then apply the rest."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from orchestrator.run.carrying import carry_out
from orchestrator.run.evidence import (
    Rescued,
    follow,
    is_newer,
    is_whole,
    journal,
    living,
    newest_rescued,
    own_lock,
    saved_copy,
)
from orchestrator.run.importids import import_ids
from orchestrator.run.importing import TakenBack, plan_with_imports
from orchestrator.run.orphans import Comparison, Orphan, compare
from orchestrator.run.pending import entries_of
from orchestrator.run.recording import Recorder
from orchestrator.state.locks import LockInfo, release_lock
from orchestrator.state.records import Entry, base_commit
from orchestrator.terraform.client import PlanOptions, Workdir

_RUN_ID = re.compile(r"\d{8}T\d{6,}Z-[0-9a-f]+", re.ASCII)


@dataclass(frozen=True)
class Unfinished:
    """A stack whose last operation has not come to an end. `run` is that operation's."""

    stack: Stack
    entry: Entry
    run: str
    destroys: bool


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


def run_of(entry: Entry) -> str:
    """The run that is at work on a stack, or was the last one."""
    return entry.operation.run if entry.operation else entry.run


def _destroys(ledgers: Ledgers, stack: Stack, entry: Entry) -> bool:
    """Whether what was cut off was to destroy the stack."""
    if entry.operation:
        return entry.operation.kind == "destroy"
    record = ledgers.of(stack).run(entry.run)
    return record is not None and record.command == "destroy"


def resume(
    session: Session, recorder: Recorder, found: Sequence[Unfinished], consent: Consent, inspect: Inspect
) -> RunReport:
    """Bring each to an end, prerequisites first, one after the other: each asks."""
    context = session.context
    work = {one.stack.id: one for one in found}

    def one_stack(id_: str) -> StackReport:
        report = Resuming(session, recorder, work[id_], consent, inspect).report()
        context.progress.done(report)
        return report

    prerequisites = context.prerequisites(list(work), destroy=False)
    done = run_in_order(list(work), prerequisites, one_stack, workers=1)
    return context.report("resume", [done[id_] for id_ in work], notes=recorder.save())


class Resuming:
    """One unfinished stack."""

    def __init__(
        self, session: Session, recorder: Recorder, one: Unfinished, consent: Consent, inspect: Inspect
    ) -> None:
        self.session = session
        self.recorder = recorder
        self.stack = one.stack
        self.entry = one.entry
        self.run = one.run
        self.consent = consent
        self.inspect = inspect
        self.ledger = session.memory.ledgers.of(one.stack)
        self.options = PlanOptions(destroy=one.destroys)
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
            report = self._result("interrupted", error.message, error.advice)
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
        self._refuse_other_commit()
        claim = self.recorder.take_over(self.stack, self.entry)
        self.session.context.folders.take_over(self.run)
        try:
            work = terraform.workdir(self.stack, self.run)
            self._follow(claim, work)
            terraform.init(self.stack, work)
            self._make_state_right(work)
            report = self._take_back_and_apply(claim, work)
            self.recorder.note(claim, report)
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

    def _refuse_other_commit(self) -> None:
        """What is applied here must be what was being applied, or newer."""
        tried, here = base_commit(self.entry.attempted), self.session.context.project.commit or ""
        repository = self.session.context.project.repository
        if tried and tried != here and not repository.is_ancestor(tried, here):
            raise MismatchError(
                f"{self.run} was applying {tried[:10]}, which this checkout does not have in its history.",
                advice=f"`git fetch`, then `git switch --detach {tried[:10]}` or something newer.",
                stack=self.stack.id,
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

    def _make_state_right(self, work: Workdir) -> None:
        """Release the dead run's lock, and push the state that it could not save; after a question."""
        states = self.session.memory.states
        lock = states.lock(self.stack)
        head = states.head(self.stack)
        rescued = newest_rescued(self.session.terraform, self.ledger, self.run, self.stack, work)
        ours = own_lock(lock, self.entry)
        push = rescued is not None and is_newer(rescued, head)
        if lock and not ours:
            raise LockedError(
                f"{self.stack.id}: the state's lock is not this run's: {lock}.",
                advice=f"When you know that it is dead: `infra unlock {self.stack.id}`, then resume again.",
                stack=self.stack.id,
            )
        steps = []
        if lock:
            steps.append(f"Release the state's lock: {lock}.")
        if rescued and push:
            steps.append(
                f"Push the state that could not be saved (serial {rescued.head.serial}, {rescued.where})."
            )
        self.session.context.progress.end()
        self.consent.to_repair(self.stack.id, [*self._story(), *_unusable(rescued, push=push)], steps)
        if lock:
            self._release(lock)
        if rescued and push:
            self._push(work, rescued)

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

    def _release(self, lock: LockInfo) -> None:
        location = self.session.memory.states.location(self.stack)
        if location:
            release_lock(self.session.memory.states.storage(location), location, lock)
            self.said.append("The lock that it left was released.")

    def _push(self, work: Workdir, rescued: Rescued) -> None:
        path = saved_copy(work, rescued)
        try:
            done = self.session.terraform.client.run_raw(work, ("state", "push", str(path)))
        finally:
            path.unlink(missing_ok=True)
        head = self.session.memory.states.head(self.stack)
        if not done.ok or head is None or head.serial < rescued.head.serial:
            raise PartialError(
                f"The rescued state of {self.stack.id} could not be pushed: "
                f"{self.session.context.mask(done.error_text).strip()[:300]}",
                advice=f"It is kept: {rescued.where}. Mend what is wrong and resume again.",
                stack=self.stack.id,
            )
        self.said.append(f"The state that could not be saved was pushed: serial {head.serial}.")

    # What the state does not know, and the rest

    def _take_back_and_apply(self, claim: Claim, work: Workdir) -> StackReport:
        context = self.session.context
        lines = journal(self.ledger, self.run, self.stack, work)
        whole = is_whole(self.entry, work)
        comparison = compare(lines, self.session.memory.states.raw(self.stack), import_ids(), whole=whole)
        context.progress.doing(self.stack.id, "comparing its journal with the state")
        orphans = [*comparison.missing, *comparison.maybe]
        back = plan_with_imports(self.session, self.stack, self.options, work, orphans, self.inspect)
        planned = block_forbidden(replace(back.planned, report=self._told(back, comparison)))
        _refuse(self.stack, back, comparison)
        if planned.report.result == "unchanged":
            self.recorder.applied(claim, "destroyed" if self.options.destroy else "applied")
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
                # The state is right; what is left is owed like any other change.
                self.recorder.failed(claim, "failed")
            raise
        if has_moved(self.session.memory.states, self.stack, planned):
            raise MismatchError(
                f"What {self.stack.id} is planned against moved while its plan was being confirmed.",
                advice=f"`infra resume {self.stack.id}` again.",
                stack=self.stack.id,
            )
        return carry_out(self.recorder, claim, planned, back.work, destroy=self.options.destroy)

    def _told(self, back: TakenBack, comparison: Comparison) -> StackReport:
        """The plan's report with what was found out."""
        notes = [f"made, and in no state: {one}; it is taken back" for one in back.taken if one.certain]
        notes += [f"it exists already: {one}; it is taken back" for one in back.taken if not one.certain]
        notes += [f"begun, and not there: {one}" for one in back.absent if one.begun]
        notes += [f"may exist: {one}; look for it" for one in _unsure(back, comparison)]
        notes += [f"will be made again, which does no harm: {address}" for address in comparison.again]
        return replace(back.planned.report, notes=(*back.planned.report.notes, *notes))

    def _result(self, result: str, reason: str, advice: str = "") -> StackReport:
        id_, environment = self.stack.id, self.stack.environment
        return StackReport(id_, environment, result, reason=reason, advice=advice)  # type: ignore[arg-type]


def _unusable(rescued: Rescued | None, *, push: bool) -> list[str]:
    if rescued is None or push:
        return []
    return [f"A state was rescued ({rescued.where}, serial {rescued.head.serial}); what is there is as new."]


def _unsure(back: TakenBack, comparison: Comparison) -> list[Orphan]:
    """What was begun and could neither be found nor ruled out."""
    settled = {one.address for one in (*back.taken, *back.absent)}
    return [one for one in comparison.maybe if one.address not in settled]


def _refuse(stack: Stack, back: TakenBack, comparison: Comparison) -> None:
    """What a person must put right first: what cannot be taken back, and plans that would lose it."""
    byhand = [str(one) for one in back.refused if one.certain]
    byhand += [
        f"{address} (made as {made}; the state has {known})"
        for address, (made, known) in comparison.differing.items()
    ]
    again = f"then `infra resume {stack.id}` again."
    if byhand:
        raise PartialError(
            f"These exist and are not in the state; import them by hand: {', '.join(byhand)}.",
            advice=f"`infra run {stack.id} -- import ADDRESS ID`, {again}",
            stack=stack.id,
        )
    taken = {one.address for one in back.taken}
    changes = back.planned.plan.changes if back.planned.plan else ()
    lost = [one.address for one in changes if one.address in taken and one.is_destructive]
    if lost:
        raise PartialError(
            f"Taken back, these would be deleted or replaced at once: {', '.join(lost)}.",
            advice=f"Make the code say what was applied, {again}",
            stack=stack.id,
        )

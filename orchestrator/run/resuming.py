"""`infra resume`: bring what was cut off to an end. First make the state right, then apply the rest."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import has_moved
from orchestrator.engine.failures import failure
from orchestrator.engine.import_attempt import TakenBack, described, lost_by, notes_of
from orchestrator.engine.import_ids import import_ids
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.orphans import Comparison, compare
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
from orchestrator.run.importing import plan_with_imports
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


@dataclass(frozen=True)
class ResumeChoices:
    """What somebody decided about objects that are in no state, by address.

    `forget` are left alone: Terraform creates others. `replaces` are imported and replaced.
    """

    forget: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def resume(
    session: Session,
    recorder: Recorder,
    found: Sequence[Unfinished],
    consent: Consent,
    inspect: Inspect,
    choices: ResumeChoices = ResumeChoices(),
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
        self.stack = one.stack
        self.entry = one.entry
        self.run = one.run
        self.consent = consent
        self.inspect = inspect
        self.ledger = session.memory.ledgers.of(one.stack)
        self.options = PlanOptions(destroy=one.destroys)
        self.choices = choices
        self.forgotten: tuple[str, ...] = ()
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
            self.recorder.note(claim, report, self.forgotten)
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
        context.progress.doing(self.stack.id, "comparing its journal with the state")
        comparison = self._compare(work)
        self._remove_replaced(work, comparison)
        back = plan_with_imports(self.session, self.stack, self.options, work, comparison, self.inspect)
        planned = block_forbidden(replace(back.planned, report=self._noted(back, comparison)))
        remaining = [described(one, import_ids().accepted(one.orphan.type)) for one in back.remaining]
        _refuse(self.stack, back, remaining, self.options.replaces)
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
                # The state is right; what is left is pending like any other change.
                self.recorder.failed(claim, "failed")
            raise
        if has_moved(self.session.memory.states, self.stack, planned):
            raise MismatchError(
                f"What {self.stack.id} is planned against moved while its plan was being confirmed.",
                advice=f"`infra resume {self.stack.id}` again.",
                stack=self.stack.id,
            )
        resumed = Resumed(tuple(remaining), _way_out(self.stack))
        destroy = self.options.destroy
        return carry_out(self.recorder, claim, planned, back.work, destroy=destroy, resumed=resumed)

    def _compare(self, work: Workdir) -> Comparison:
        """What no state knows, without what somebody chose to forget."""
        lines = journal(self.ledger, self.run, self.stack, work)
        state = self.session.memory.states.raw(self.stack)
        comparison = compare(lines, state, import_ids(), is_complete=is_whole(self.entry, work))
        orphans = {orphan.address: orphan for orphan in comparison.orphans}
        unknown = sorted({*self.choices.forget, *self.choices.replaces} - orphans.keys())
        if unknown:
            known = ", ".join(orphans) or "every resource that the interrupted run created"
            raise UsageError(
                f"{', '.join(unknown)} is not missing in the state of {self.stack.id}.",
                advice=f"What can be named: {known}." if orphans else f"The state has {known}.",
                stack=self.stack.id,
            )
        # What cannot be imported cannot be replaced either: it is created anew beside the one that exists.
        beside = {
            address
            for address in self.choices.replaces
            if not import_ids().is_importable(orphans[address].type)
        }
        self.options = replace(
            self.options, replaces=tuple(name for name in self.choices.replaces if name not in beside)
        )
        self.forgotten = tuple(
            str(orphan) for orphan in comparison.orphans if orphan.address in {*self.choices.forget, *beside}
        )
        return comparison.without({*self.choices.forget, *beside})

    def _remove_replaced(self, work: Workdir, comparison: Comparison) -> None:
        """Remove from the state what the run deleted, so that what replaces it can be imported."""
        replaced = [orphan for orphan in comparison.orphans if orphan.replaced and orphan.import_id]
        if not replaced:
            return
        steps = [
            f"Remove {orphan.address} ({orphan.replaced}) from the state: the run deleted it, and "
            f"{'created' if orphan.certain else 'began to create'} another."
            for orphan in replaced
        ]
        self.session.context.progress.end()
        self.consent.to_repair(self.stack.id, [], steps)
        addresses = [orphan.address for orphan in replaced]
        done = self.session.terraform.client.run_raw(work, ("state", "rm", *addresses))
        if not done.ok:
            raise PartialError(
                f"{', '.join(addresses)} could not be removed from the state: "
                f"{self.session.context.mask(done.error_text).strip()[:300]}",
                advice=f"Mend what is wrong, then `infra resume {self.stack.id}` again.",
                stack=self.stack.id,
            )
        self.said += [
            f"{orphan.replaced}, which was deleted, was removed from the state." for orphan in replaced
        ]

    def _noted(self, back: TakenBack, comparison: Comparison) -> StackReport:
        """The plan's report with what was found out of the orphans."""
        notes = notes_of(back, comparison, import_ids().secrets, self.options.replaces)
        notes += [f"{name} is left alone: no state knows of it" for name in self.forgotten]
        return replace(back.planned.report, notes=(*back.planned.report.notes, *notes))

    def _result(self, result: str, reason: str, advice: str = "") -> StackReport:
        id_, environment = self.stack.id, self.stack.environment
        return StackReport(id_, environment, result, reason=reason, advice=advice)  # type: ignore[arg-type]


def _unusable(rescued: Rescued | None, *, push: bool) -> list[str]:
    if rescued is None or push:
        return []
    return [f"A state was rescued ({rescued.where}, serial {rescued.head.serial}); what is there is as new."]


def _way_out(stack: Stack) -> str:
    """What to do about an object that exists and cannot be imported."""
    return (
        f"Import it by hand: `infra run {stack.id} -- import ADDRESS ID`. Or leave it alone and create "
        f"another: `infra resume {stack.id} --forget ADDRESS`."
    )


def _refuse(stack: Stack, back: TakenBack, remaining: Sequence[str], replaces: Sequence[str]) -> None:
    """Raise PartialError where nothing can be applied before a person has decided."""
    if remaining and not (back.is_applicable and back.planned.report.result != "unchanged"):
        raise PartialError(
            f"These exist, are not in the state and were not imported: {'; '.join(remaining)}.",
            advice=_way_out(stack),
            stack=stack.id,
        )
    lost = lost_by(back, replaces)
    if lost:
        raise PartialError(
            f"Once imported, these would be deleted or replaced at once: {', '.join(lost)}.",
            advice=f"Make the code say what was applied, or add `--replace ADDRESS` to "
            f"`infra resume {stack.id}`.",
            stack=stack.id,
        )

"""`infra ci settle`: what a cancelled job left running is followed to its end, and written down.

A cancelled apply leaves at once and its Terraform lives on. This waits for it, sends the rest of its journal
and a state that it could not save to the ledger, and says there how it ended.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import DONE
from orchestrator.engine.failures import failure
from orchestrator.engine.folders import NAME, Folders
from orchestrator.engine.origin import origin_of
from orchestrator.engine.orphans import reduced
from orchestrator.engine.planned import Planned
from orchestrator.engine.planner import plan_stack
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import Exit, InfraError, InterruptedRunError
from orchestrator.project.git import WORKTREES
from orchestrator.project.model import Stack
from orchestrator.report.model import NO_COUNTS, Result, RunReport, StackReport
from orchestrator.run.carrying import counts_done, told
from orchestrator.run.evidence import follow, living
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.shipping import Shipper
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import WHOLE, Entry, RunRecord, StackRecord, base_commit
from orchestrator.terraform.client import ApplyOutcome, PlanOptions, Workdir
from orchestrator.terraform.journal import read_journal
from orchestrator.terraform.orphaned import JOURNAL

_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\d{3}Z-", re.ASCII)
# What Terraform says when it was asked to stop, whether or not anything was left to do.
HALTED = "execution halted"
RESUME = "`infra resume {0}` finds out what was applied and does the rest."


@dataclass(frozen=True)
class Left:
    """A stack that a run of this machine was applying when it went away. `session` is on the run's commit."""

    session: Session
    stack: Stack
    run: str
    entry: Entry


def settle(session: Session, limit: float, clock: Callable[[], float] = time.monotonic) -> RunReport:
    """Bring to an end whatever this machine's runs left, within `limit` seconds; what lives on is said."""
    context = session.context
    with ExitStack() as opened:
        found = {one.stack.id: one for one in left_here(session, opened)}
        until = clock() + limit
        context.progress.begin(list(found))

        def work(id_: str) -> StackReport:
            report = Settling(found[id_], lambda: clock() >= until).report()
            context.progress.done(report)
            return report

        try:
            done = run_in_order(list(found), {}, work, workers=max(1, len(found)))
        finally:
            context.progress.end()
    return context.report("settle", [done[id_] for id_ in found])


def left_here(session: Session, opened: ExitStack) -> Iterator[Left]:
    """What the ledger says is under way by a run whose Terraform was started here and whose `infra` is gone.

    A deleted stack was at work in a checkout of its own; the session on that one is entered in `opened`.
    """
    yield from _left_in(session)
    repository = session.context.project.repository
    base = repository.root / WORKTREES
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        root = folder / repository.prefix
        if (root / NAME).is_dir() and Folders(root).begun():
            yield from _left_in(opened.enter_context(at_commit(session, folder.name)))


def _left_in(session: Session) -> Iterator[Left]:
    for run, id_ in session.context.folders.begun():
        stack = session.context.project.stacks.get(id_)
        entry = session.memory.ledgers.entry(stack) if stack else None
        if stack is None or entry is None:
            continue
        entry, is_live = session.memory.ledgers.of(stack).judge(entry)
        is_ours = entry.operation is not None and entry.operation.run == run
        if is_ours and entry.is_unfinished and not is_live:
            yield Left(session, stack, run, entry)


def outcomes(session: Session, run: str, stacks: Iterable[str]) -> list[StackReport]:
    """How the run's commit fared in stacks of which a cancelled apply told nothing, by the ledger.

    `run` is the cancelled one. What it applied is told as applied, with the counts of its journal; what
    never started as aborted; what is unfinished is left out.
    """
    words: dict[str, Result] = {"applied": "applied", "destroyed": "destroyed"}
    reports = []
    for id_ in stacks:
        stack = session.context.project.stacks.get(id_)
        entry = session.memory.ledgers.entry(stack) if stack else None
        if stack is None or (entry is not None and entry.is_unfinished):
            continue
        if (
            entry is not None
            and base_commit(entry.commit) == session.context.info.commit
            and entry.result in WHOLE
        ):
            is_own = entry.run == run
            result = words.get(entry.result, "unchanged") if is_own else "unchanged"
            lines = session.memory.ledgers.of(stack).journal(run, id_) if is_own else []
            counts = counts_in_journal(lines)
            reports.append(StackReport(id_, stack.environment, result, counts=counts))
        else:
            reason = "the run was interrupted before it started"
            reports.append(StackReport(id_, stack.environment, "aborted", reason=reason))
    return reports


def counts_in_journal(lines: Iterable[bytes]) -> dict[str, int]:
    """How many resources a journal says were created, updated and so on; a replacement counts once."""
    actions: dict[str, set[str]] = {}
    for applied in read_journal(lines).finished:
        actions.setdefault(applied.address, set()).add(applied.action)
    counts = dict(NO_COUNTS)
    for done in actions.values():
        words = {"replace"} if {"create", "delete"} <= done else done
        for word in words & counts.keys():
            counts[word] += 1
    return counts


def record_cancelled(session: Session, run: str, reports: Iterable[StackReport]) -> list[str]:
    """Complete the record of a cancelled apply by what it finished; returns what went wrong.

    It had no time to write one: its job is ours, and so are the trigger and the link.
    """
    origin, context = origin_of(session.context.environ), session.context
    project, problems = context.project, []
    done = {one.id: one for one in reports if one.id in project.stacks and one.result in DONE}
    for ledger, ids in session.memory.ledgers.among(done).items():
        try:
            known = ledger.run(run) or RunRecord(
                run,
                "apply",
                origin.trigger,
                context.info.commit,
                origin.person,
                started_of(run) or context.info.started,
                0.0,
                {},
                pull_request=origin.pull_request,
                link=origin.link,
            )
            parts = {id_: _part(ledger, done[id_]) for id_ in ids if id_ not in known.stacks}
            if parts:
                ledger.save_run(replace(known, stacks={**known.stacks, **parts}))
        except InfraError as error:
            problems.append(f"The record of the cancelled run could not be written: {error.message}")
    return problems


def _part(ledger: Ledger, report: StackReport) -> StackRecord:
    entry = ledger.entry(report.id)
    counts = {} if report.result == "unchanged" else dict(report.counts)
    return StackRecord(
        report.result,
        counts,
        serial_after=entry.serial if entry else None,
        generation_after=entry.state_generation if entry else "",
    )


def started_of(run: str) -> str:
    """When a run began, by its id: RFC 3339; empty for an id of another form."""
    match = _RUN_ID.match(run)
    return "{}-{}-{}T{}:{}:{}Z".format(*match.groups()) if match else ""


class Settling:
    """One stack that was left. `late` says that the time is up."""

    def __init__(self, left: Left, late: Callable[[], bool]) -> None:
        self.left = left
        self.late = late
        self.destroys = bool(left.entry.operation and left.entry.operation.kind == "destroy")
        self.options = PlanOptions(destroy=self.destroys)
        self.recorder = Recorder(left.session, "apply", Terms(), self.options)

    def report(self) -> StackReport:
        """What came of it; never raises what a user can meet."""
        began = time.monotonic()
        try:
            report = self._settle()
        except InfraError as error:
            report = failure(self.left.session, self.left.stack, error)
        return replace(report, seconds=time.monotonic() - began)

    def _settle(self) -> StackReport:
        left, session = self.left, self.left.session
        if base_commit(left.entry.attempted) != (session.context.project.commit or ""):
            tried = left.entry.attempted[:10]
            return self._interrupted(f"it was applying {tried}, which is not this checkout")
        claim = self.recorder.take_over(left.stack, left.entry)
        # It is the same run that goes on: the state has been moving under it.
        claim.serial = left.entry.serial
        session.context.folders.take_over(left.run)
        try:
            work = session.terraform.workdir(left.stack, left.run)
            report = self._followed(claim, work)
            self._remember(claim, report)
            return report
        finally:
            if not claim.has_ended:
                claim.give_back()

    def _followed(self, claim: Claim, work: Workdir) -> StackReport:
        """Wait for Terraform, then say in the ledger how it ended."""
        session, process = self.left.session, living(work)
        if process is not None:
            claim.announce(lambda: self.recorder.own_lock(claim))
            claim.start()
            session.context.progress.doing(claim.stack.id, f"Terraform is still at work (pid {process.pid})")
            tell: Callable[[str], None] = lambda text: session.context.progress.doing(claim.stack.id, text)  # noqa: E731
            try:
                follow(work, process, tell, lambda: self.late() or session.context.supervisor.interrupted)
            except InterruptedRunError:
                self._ship(claim, work)
                self.recorder.failed(claim, "interrupted")
                return self._interrupted(f"Terraform (pid {process.pid}) is still at work, and time is up")
        outcome = self._outcome(work)
        self._ship(claim, work)
        planned = Planned(
            self._changed(outcome), generation=claim.before.state_generation if claim.before else None
        )
        report = told(self.recorder, claim, planned, outcome, self.destroys)
        if not living(work):
            session.context.folders.forget_plans(self.left.run)
        return report

    def _outcome(self, work: Workdir) -> ApplyOutcome:
        """How Terraform ended; stopped after its last change it calls that a failure, and a plan knows."""
        session, stack = self.left.session, self.left.stack
        outcome = session.terraform.client.outcome_left(work)
        halted = outcome.diagnostics and all(one.summary == HALTED for one in outcome.diagnostics)
        if halted and not (outcome.rescued or outcome.unfinished or outcome.failed or self.late()):
            session.context.progress.doing(stack.id, "looking whether anything is left to do")
            if plan_stack(session, stack, self.options).report.result == "unchanged":
                return replace(outcome, ok=True, returncode=0, diagnostics=())
        return outcome

    def _ship(self, claim: Claim, work: Workdir) -> None:
        """Send the lines of the journal that did not get to the ledger any more."""
        path: Path = work.run_dir / JOURNAL
        lines = path.read_bytes().splitlines() if path.is_file() else []
        known = set(claim.ledger.journal(self.left.run, claim.stack.id))
        missing = [line for line in map(reduced, lines) if line is not None and line not in known]
        if not missing:
            return
        first = claim.ledger.journal_batches(self.left.run, claim.stack.id)
        shipper = Shipper(claim.ledger, self.left.run, claim.stack.id, first=first)
        shipper.add(missing)
        shipper.close()

    def _changed(self, outcome: ApplyOutcome) -> StackReport:
        """What the journal says was done, as a report that is not yet told how it ended."""
        stack = self.left.stack
        return StackReport(stack.id, stack.environment, "changed", counts=counts_done(outcome))

    def _remember(self, claim: Claim, report: StackReport) -> None:
        """Put how it ended into the record of the run that began it."""
        with suppress(InfraError):  # the ledger's entry is right; the history lacks a line
            known = claim.ledger.run(self.left.run)
            if known:
                stacks = {**known.stacks, claim.stack.id: claim.record(report)}
                claim.ledger.save_run(replace(known, stacks=stacks))

    def _interrupted(self, reason: str) -> StackReport:
        stack = self.left.stack
        return StackReport(
            stack.id,
            stack.environment,
            "interrupted",
            reason=reason,
            advice=RESUME.format(stack.id),
            error_class="PartialError",
            code=int(Exit.PARTIAL),
            partial=True,
        )

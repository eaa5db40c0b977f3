"""`infra ci finalize`: finalizes applies that a cancelled job left running, and records them.

A cancelled apply exits at once while its Terraform keeps running. This waits for it, uploads the rest of its
journal and a state that it could not save, and records the outcome in the ledger.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.engine.apply_plan import counts_done, record_outcome
from orchestrator.engine.claims import Claim
from orchestrator.engine.executor import DONE
from orchestrator.engine.failures import failure
from orchestrator.engine.folders import NAME, Folders
from orchestrator.engine.journal_upload import JournalUploader
from orchestrator.engine.leftovers import follow_process, live_process
from orchestrator.engine.origin import origin_of
from orchestrator.engine.orphans import reduce_line
from orchestrator.engine.planner import plan_stack
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import Exit, InfraError, InterruptedRunError
from orchestrator.report.model import NO_COUNTS, Result, RunReport, StackReport
from orchestrator.repository.git import WORKTREES
from orchestrator.repository.model import Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import COMPLETE_RESULTS, LedgerEntry, RunRecord, StackRecord, base_commit
from orchestrator.terraform.client import ApplyOutcome, PlanOptions, Workdir
from orchestrator.terraform.journal import JOURNAL, read_journal

_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\d{3}Z-", re.ASCII)
# What Terraform says when it was asked to stop, whether or not anything was left to do.
_HALTED = "execution halted"
_RESUME = "`infra resume {0}` finds out what was applied and does the rest."


@dataclass(frozen=True)
class DetachedApply:
    """A stack whose apply outlived its run on this machine. `session` is at the run's commit."""

    session: Session
    stack: Stack
    run: str
    entry: LedgerEntry


def finalize_applies(
    session: Session, limit: float, clock: Callable[[], float] = time.monotonic
) -> RunReport:
    """Finalizes the applies of this machine's ended runs; reports those that run after `limit` seconds."""
    context = session.context
    with ExitStack() as opened:
        detached_applies = {
            detached_apply.stack.id: detached_apply
            for detached_apply in _find_detached_applies(session, opened)
        }
        until = clock() + limit
        context.progress.begin(list(detached_applies))

        def work(id_: str) -> StackReport:
            report = ApplyFinalizer(detached_applies[id_], lambda: clock() >= until).report()
            context.progress.done(report)
            return report

        try:
            done = run_in_order(list(detached_applies), {}, work, workers=max(1, len(detached_applies)))
        finally:
            context.progress.end()
    return context.report("finalize", [done[id_] for id_ in detached_applies])


def _find_detached_applies(session: Session, opened: ExitStack) -> Iterator[DetachedApply]:
    """Finds applies in the ledger whose Terraform was started here and whose `infra` has ended.

    A deleted stack is applied in a checkout of its own; the session for that is entered in `opened`.
    """
    yield from _find_in_folder(session)
    repository = session.context.project.repository
    base = repository.root / WORKTREES
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        root = folder / repository.prefix
        if (root / NAME).is_dir() and Folders(root).begun():
            yield from _find_in_folder(opened.enter_context(at_commit(session, folder.name)))


def _find_in_folder(session: Session) -> Iterator[DetachedApply]:
    for run, id_ in session.context.folders.begun():
        stack = session.context.project.stacks.get(id_)
        entry = session.memory.ledgers.entry(stack) if stack else None
        if stack is None or entry is None:
            continue
        entry, is_live = session.memory.ledgers.of(stack).check_liveness(entry)
        is_ours = entry.operation is not None and entry.operation.run == run
        if is_ours and entry.is_unfinished and not is_live:
            yield DetachedApply(session, stack, run, entry)


def read_outcomes(session: Session, run: str, stacks: Iterable[str]) -> list[StackReport]:
    """Reads from the ledger the outcomes of stacks that a cancelled apply did not report.

    `run` is the cancelled one. What it applied is reported as applied, with the counts of its journal, what
    never started as aborted; unfinished stacks are left out.
    """
    results: dict[str, Result] = {"applied": "applied", "destroyed": "destroyed"}
    reports = []
    for id_ in stacks:
        stack = session.context.project.stacks.get(id_)
        entry = session.memory.ledgers.entry(stack) if stack else None
        if stack is None or (entry is not None and entry.is_unfinished):
            continue
        if (
            entry is not None
            and base_commit(entry.commit) == session.context.info.commit
            and entry.result in COMPLETE_RESULTS
        ):
            is_own = entry.run == run
            result = results.get(entry.result, "unchanged") if is_own else "unchanged"
            lines = session.memory.ledgers.of(stack).journal(run, id_) if is_own else []
            counts = counts_in_journal(lines)
            reports.append(StackReport(id_, stack.environment, result, counts=counts))
        else:
            reason = "the run was interrupted before it started"
            reports.append(StackReport(id_, stack.environment, "aborted", reason=reason))
    return reports


def counts_in_journal(lines: Iterable[bytes]) -> dict[str, int]:
    """Counts the resources created, updated and so on in a journal; a replacement counts once."""
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
    """Completes the record of a cancelled apply by what it finished; returns the problems.

    The cancelled run had no time to write one. Its job is this one, so trigger and link are the same.
    """
    origin, context = origin_of(session.context.environ), session.context
    project, problems = context.project, []
    done = {report.id: report for report in reports if report.id in project.stacks and report.result in DONE}
    for ledger, ids in session.memory.ledgers.among(done).items():
        try:
            run_record = ledger.run(run) or RunRecord(
                run,
                "apply",
                origin.trigger,
                context.info.commit,
                origin.person,
                parse_start_time(run) or context.info.started,
                0.0,
                {},
                pull_request=origin.pull_request,
                link=origin.link,
            )
            parts = {
                id_: _build_stack_record(ledger, done[id_]) for id_ in ids if id_ not in run_record.stacks
            }
            if parts:
                ledger.save_run(replace(run_record, stacks={**run_record.stacks, **parts}))
        except InfraError as error:
            problems.append(f"The record of the cancelled run could not be written: {error.message}")
    return problems


def _build_stack_record(ledger: Ledger, report: StackReport) -> StackRecord:
    entry = ledger.entry(report.id)
    counts = {} if report.result == "unchanged" else dict(report.counts)
    return StackRecord(
        report.result,
        counts,
        serial_after=entry.serial if entry else None,
        generation_after=entry.state_generation if entry else "",
    )


def parse_start_time(run: str) -> str:
    """When a run started, by its id: RFC 3339; empty for an id of another form."""
    match = _RUN_ID.match(run)
    return "{}-{}-{}T{}:{}:{}Z".format(*match.groups()) if match else ""


class ApplyFinalizer:
    """Finalizes one detached apply. `is_late` says whether the time is up."""

    def __init__(self, detached: DetachedApply, is_late: Callable[[], bool]) -> None:
        self.detached = detached
        self.is_late = is_late
        self.destroys = bool(detached.entry.operation and detached.entry.operation.kind == "destroy")
        self.options = PlanOptions(destroy=self.destroys)
        self.recorder = LedgerRecorder(detached.session, "apply", RecorderOptions(), self.options)

    def report(self) -> StackReport:
        """Finalizes it and returns the report; raises no InfraError."""
        started = time.monotonic()
        try:
            report = self._finalize()
        except InfraError as error:
            report = failure(self.detached.session, self.detached.stack, error)
        return replace(report, seconds=time.monotonic() - started)

    def _finalize(self) -> StackReport:
        detached, session = self.detached, self.detached.session
        if base_commit(detached.entry.attempted) != (session.context.project.commit or ""):
            tried = detached.entry.attempted[:10]
            return self._interrupted(f"it was applying {tried}, which is not this checkout")
        claim = self.recorder.take_over(detached.stack, detached.entry)
        # It is the same run that goes on: the state has been moving under it.
        claim.serial = detached.entry.serial
        session.context.folders.take_over(detached.run)
        try:
            work = session.terraform.workdir(detached.stack, detached.run)
            report = self._follow(claim, work)
            self._record_result(claim, report)
            return report
        finally:
            if not claim.has_ended:
                claim.give_back()

    def _follow(self, claim: Claim, work: Workdir) -> StackReport:
        """Waits for Terraform, then records the outcome in the ledger."""
        session, process = self.detached.session, live_process(work)
        if process is not None:
            claim.announce(lambda: self.recorder.own_lock(claim))
            claim.start()
            session.context.progress.doing(claim.stack.id, f"Terraform is still at work (pid {process.pid})")

            def report_progress(text: str) -> None:
                session.context.progress.doing(claim.stack.id, text)

            try:
                follow_process(
                    work,
                    process,
                    report_progress,
                    lambda: self.is_late() or session.context.supervisor.interrupted,
                )
            except InterruptedRunError:
                self._upload_journal(claim, work)
                self.recorder.failed(claim, "interrupted")
                return self._interrupted(f"Terraform (pid {process.pid}) is still at work, and time is up")
        outcome = self._outcome(work)
        self._upload_journal(claim, work)
        planned = StackPlan(
            self._build_report(outcome), generation=claim.before.state_generation if claim.before else None
        )
        report = record_outcome(self.recorder, claim, planned, outcome, self.destroys)
        if not live_process(work):
            session.context.folders.forget_plans(self.detached.run)
        return report

    def _outcome(self, work: Workdir) -> ApplyOutcome:
        """Terraform's outcome; if it was stopped after its last change, a plan decides."""
        session, stack = self.detached.session, self.detached.stack
        outcome = session.terraform.client.outcome_left(work)
        halted = outcome.diagnostics and all(
            diagnostic.summary == _HALTED for diagnostic in outcome.diagnostics
        )
        if halted and not (outcome.rescued or outcome.unfinished or outcome.failed or self.is_late()):
            session.context.progress.doing(stack.id, "looking whether anything is left to do")
            if plan_stack(session, stack, self.options).report.result == "unchanged":
                return replace(outcome, ok=True, returncode=0, diagnostics=())
        return outcome

    def _upload_journal(self, claim: Claim, work: Workdir) -> None:
        """Uploads the lines of the journal that are not in the ledger yet."""
        path: Path = work.run_dir / JOURNAL
        lines = path.read_bytes().splitlines() if path.is_file() else []
        journal = set(claim.ledger.journal(self.detached.run, claim.stack.id))
        missing = [line for line in map(reduce_line, lines) if line is not None and line not in journal]
        if not missing:
            return
        first = claim.ledger.journal_batches(self.detached.run, claim.stack.id)
        uploader = JournalUploader(claim.ledger, self.detached.run, claim.stack.id, first=first)
        uploader.add(missing)
        uploader.close()

    def _build_report(self, outcome: ApplyOutcome) -> StackReport:
        """The changes in the journal as a report, before its outcome is known."""
        stack = self.detached.stack
        return StackReport(stack.id, stack.environment, "changed", counts=counts_done(outcome))

    def _record_result(self, claim: Claim, report: StackReport) -> None:
        """Adds the outcome to the record of the run that started the apply."""
        with suppress(InfraError):  # the ledger's entry is right; the history lacks a line
            run = claim.ledger.run(self.detached.run)
            if run:
                stacks = {**run.stacks, claim.stack.id: claim.record(report)}
                claim.ledger.save_run(replace(run, stacks=stacks))

    def _interrupted(self, reason: str) -> StackReport:
        stack = self.detached.stack
        return StackReport(
            stack.id,
            stack.environment,
            "interrupted",
            reason=reason,
            advice=_RESUME.format(stack.id),
            error_class="PartialError",
            code=int(Exit.PARTIAL),
            partial=True,
        )

"""Applies one plan file under a claim: records the journal, runs Terraform, records the outcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.engine.claims import Claim
from orchestrator.engine.context import RunContext
from orchestrator.engine.executor import has_moved, moved_since_plan, refused
from orchestrator.engine.failures import masked_diagnostic
from orchestrator.engine.import_ids import import_ids, planned_values, replaced_id
from orchestrator.engine.journal_upload import JournalUploader
from orchestrator.engine.orphans import NAMES, Orphan, compare, planned_line
from orchestrator.engine.orphans import PlannedResource as PlannedResource
from orchestrator.engine.recorder import LedgerRecorder
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import Exit, InfraError, InterruptedRunError
from orchestrator.masking import NO_SECRETS
from orchestrator.plan.model import Plan
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.records import Outcome
from orchestrator.terraform.client import ApplyOutcome, Workdir, locked_error

# What the plan said of the resources that it makes; beside the journal, to find them by.
PLANNED_FILE = "planned.jsonl"

# A lock that was there and gone when Terraform looked at it is tried again for so long at least.
RACE = 10.0
# Terraform's words when the state moved after its last look and before the apply held the lock.
STALE = "Saved plan is stale"


@dataclass(frozen=True)
class ResumedApply:
    """Marks an apply that resumes an interrupted one.

    `remaining` is what it could not import, `advice` what to do about that.
    """

    remaining: tuple[str, ...] = ()
    advice: str = ""


def execute_apply(
    recorder: LedgerRecorder,
    claim: Claim,
    planned: StackPlan,
    work: Workdir | None = None,
    *,
    destroy: bool | None = None,
    resumed: ResumedApply | None = None,
) -> StackReport:
    """Apply the plan file, record the outcome in the ledger, and return the report.

    `work` is where it was planned, unless that is the stack's own root; `destroy` says whether it destroys,
    unless the run's options do. `resumed` is given when an interrupted run is resumed.
    """
    session, stack = recorder.session, claim.stack
    if planned.plan_file is None:
        raise ValueError(f"{stack.id} has changes and no plan file")
    session.context.progress.doing(stack.id, "applying")
    work = work or session.terraform.workdir(stack)
    with session.terraform.alone_in(stack), _recorded_journal(recorder, claim, planned, work) as on_line:
        claim.announce(lambda: recorder.own_lock(claim))
        outcome = _apply(recorder, claim, work, planned, planned.plan_file, on_line)
    destroys = recorder.options.destroy if destroy is None else destroy
    return record_outcome(recorder, claim, planned, outcome, destroys, resumed)


def _apply(
    recorder: LedgerRecorder,
    claim: Claim,
    work: Workdir,
    planned: StackPlan,
    plan_file: Path,
    on_line: Callable[[bytes], None],
    sleep: Callable[[float], None] = time.sleep,
) -> ApplyOutcome:
    """Terraform's apply; again when the lock that kept it out was gone by the time it looked whose it is.

    Not when whoever held the lock has moved what the plan was made against.
    """
    session, stack, recorder_options = recorder.session, claim.stack, recorder.recorder_options
    end = time.monotonic() + max(recorder_options.lock_timeout, RACE)
    while True:
        outcome = session.terraform.client.apply(
            work,
            plan_file,
            lambda event: session.context.progress.doing(stack.id, event),
            lock_timeout=f"{recorder_options.lock_timeout:.0f}s" if recorder_options.lock_timeout else None,
            on_line=on_line,
            on_start=claim.start,
            inputs=session.terraform.plan_options(stack, recorder.options)
            if stack.ephemeral_variables
            else None,
        )
        session.record_memory(stack, outcome.peak_memory, own_providers=True)
        lost_race = outcome.locked is not None and not outcome.locked.id and not outcome.finished
        if not lost_race or time.monotonic() >= end or session.context.supervisor.interrupted:
            return outcome
        session.context.progress.doing(stack.id, "its lock was just released: trying again")
        sleep(0.1 + secrets.randbelow(400) / 1000)
        if has_moved(session.memory.states, stack, planned):
            return outcome


@contextmanager
def _recorded_journal(
    recorder: LedgerRecorder, claim: Claim, planned: StackPlan, work: Workdir
) -> Iterator[Callable[[bytes], None]]:
    """Write the planned resources to a file; in CI upload them, and then the journal, to the ledger."""
    lines = planned_lines(planned.plan)
    path = work.run_dir / PLANNED_FILE
    before = path.read_bytes() if path.exists() else b""
    write_private(path, before + b"".join(line + b"\n" for line in lines))
    if not recorder.origin.is_ci:
        yield lambda line: None
        return
    run = claim.entry.operation.run if claim.entry.operation else recorder.session.context.info.id
    first = claim.ledger.journal_batches(run, claim.stack.id)
    if lines:
        # Before anything is made: of what comes later, the last moment may be lost with the machine.
        first += 1
        claim.ledger.append_journal(run, claim.stack.id, first, lines)
    shipper = JournalUploader(claim.ledger, run, claim.stack.id, first=first)
    try:
        yield shipper.feed
    finally:
        shipper.close()


def planned_lines(plan: Plan | None) -> list[bytes]:
    """The journal lines that name each resource to be created, to find it after an interruption."""
    lines: list[bytes] = []
    if plan is None:
        return lines
    for change in plan.shown_changes:
        if "create" not in change.actions:
            continue
        attributes = import_ids().attributes(change.type) | set(NAMES)
        values = {
            path: text
            for path, text in planned_values(change).items()
            if path.partition("[")[0] in attributes
        }
        planned = PlannedResource(change.type, values, replaced_id(change))
        lines.append(planned_line(plan.real_address(change.address), planned))
    return lines


def record_outcome(
    recorder: LedgerRecorder,
    claim: Claim,
    planned: StackPlan,
    outcome: ApplyOutcome,
    destroy: bool,
    resumed: ResumedApply | None = None,
) -> StackReport:
    """Record the outcome in the ledger and return the report; unrecorded outcomes are unfinished."""
    try:
        untouched = _untouched(recorder, claim, planned, outcome)
        if untouched:
            claim.give_back()
            return untouched
        if outcome.ok and resumed and resumed.remaining:
            return _partly_resumed(recorder, claim, planned, resumed)
        if outcome.ok:
            done: Outcome = "destroyed" if destroy and not recorder.options.is_partial else "applied"
            recorder.applied(claim, done, plan_seconds=planned.report.seconds, apply_seconds=outcome.seconds)
            word = "destroyed" if destroy else "applied"
            return replace(planned.report, result=word, diff="", diagnostics=(), notes=())  # type: ignore[arg-type]
        return _failed(recorder, claim, planned, outcome, resumes=resumed is not None)
    except InfraError as error:
        ended = "applied" if outcome.ok else "failed"
        return replace(
            planned.report,
            result="interrupted",
            reason=f"Terraform {ended}, and the ledger could not be told: {error.message}",
            advice=f"`infra resume {claim.stack.id}` when the ledger can be reached.",
            diff="",
            notes=tuple(_rescued_state_notes(outcome)),
            counts=planned.report.counts if outcome.ok else counts_done(outcome),
            partial=True,
        )


def _untouched(
    recorder: LedgerRecorder, claim: Claim, planned: StackPlan, outcome: ApplyOutcome
) -> StackReport | None:
    """The report of a stack to which Terraform did nothing; None when it may have done something.

    A lock that kept it out may be its own, taken by a request whose answer was lost: nobody else releases it.
    """
    stack = claim.stack.id
    if outcome.locked and not outcome.finished and not recorder.own_lock(claim):
        return refused(planned.report, "locked", locked_error(f"apply of {stack}", outcome.locked, stack))
    if _never_began(outcome):
        return refused(planned.report, "aborted", InterruptedRunError("the run was interrupted"))
    is_stale = any(diagnostic.summary == STALE for diagnostic in outcome.diagnostics)
    if is_stale and not recorder.own_lock(claim):
        error = moved_since_plan(stack, stack, destroys=recorder.options.destroy)
        return refused(planned.report, "mismatch", error)
    return None


def _partly_resumed(
    recorder: LedgerRecorder, claim: Claim, planned: StackPlan, resumed: ResumedApply
) -> StackReport:
    """A resume that applied what it could: the stack stays unfinished for what remains."""
    recorder.failed(claim, "interrupted")
    return replace(
        planned.report,
        result="interrupted",
        reason=f"all else was applied; these exist and are in no state: {'; '.join(resumed.remaining)}",
        advice=resumed.advice,
        diff="",
        error_class="PartialError",
        code=int(Exit.PARTIAL),
        partial=True,
    )


def _failed(
    recorder: LedgerRecorder, claim: Claim, planned: StackPlan, outcome: ApplyOutcome, *, resumes: bool
) -> StackReport:
    """Record a failed apply. The state's generation says whether anything was applied, not the exit code.

    A failed resume leaves the stack unfinished: what was to be imported may not be in the state.
    """
    session, stack = recorder.session, claim.stack
    unknown = _unanswered(session, stack, outcome)
    cut_off = (
        bool(outcome.rescued or unknown or resumes) or outcome.ended == "deadline" or outcome.returncode < 0
    )
    rescued = _rescue(claim, outcome)
    moved = bool(outcome.finished) or session.memory.states.generation(stack) != planned.generation
    recorded = recorder.failed(claim, "interrupted" if cut_off else "failed", rescued)
    report = failed_report(session.context, stack, planned, outcome, moved=moved)
    notes = [
        f"created, and not in the saved state: {orphan}"
        if orphan.certain
        else f"nobody knows whether it was created: {orphan}"
        for orphan in unknown
    ]
    report = replace(report, notes=(*report.notes, *notes))
    verb = "destroy" if recorder.options.destroy else "apply"
    mend = "" if outcome.ended == "interrupted" else "Mend what failed; then "
    advice = f"{mend}`infra {verb} {stack.id}` plans what is left."
    if recorded == "failed":
        return replace(report, advice=advice)
    return replace(
        report,
        result="interrupted",
        advice=f"`infra resume {stack.id}` finds out what was applied and does the rest.",
        error_class="PartialError",
        partial=True,
    )


def _unanswered(session: Session, stack: Stack, outcome: ApplyOutcome) -> tuple[Orphan, ...]:
    """What the failed apply has or may have created and the state does not know.

    A provider that died, or whose answer was lost, leaves an orphan as a killed Terraform does.
    """
    lines = outcome.journal.read_bytes().splitlines()
    if not (outcome.finished or outcome.failed or outcome.unfinished):
        return ()
    comparison = compare(lines, session.memory.states.raw(stack), import_ids())
    if session.memory.states.location(stack) is None:
        # Where the state cannot be read, what was finished is taken as saved.
        return tuple(orphan for orphan in comparison.unanswered if not orphan.certain)
    return comparison.unanswered


def _never_began(outcome: ApplyOutcome) -> bool:
    """Whether our interrupt ended Terraform while it started: its first line comes before its first lock."""
    return outcome.ended == "interrupted" and outcome.journal.stat().st_size == 0


def failed_report(
    context: RunContext, stack: Stack, planned: StackPlan, outcome: ApplyOutcome, *, moved: bool
) -> StackReport:
    """What a failed apply said; `moved` when something was applied before it failed.

    It counts what was done, and what was planned where nothing was.
    """
    masks = planned.plan.secrets if planned.plan else NO_SECRETS
    diagnostics = tuple(
        masked_diagnostic(context, stack, diagnostic, masks) for diagnostic in outcome.diagnostics
    )
    reason = diagnostics[0]["summary"] if diagnostics else "Terraform failed without saying why"
    if outcome.ended == "interrupted":
        reason = "interrupted while applying"
    notes = [
        context.mask(f"applied before it failed: {applied.address} ({applied.action})", masks)
        for applied in outcome.finished
    ]
    return replace(
        planned.report,
        result="failed",
        reason=str(reason),
        diagnostics=diagnostics,
        diff="",
        counts=counts_done(outcome) if moved else planned.report.counts,
        notes=(*notes, *_rescued_state_notes(outcome)),
        error_class="PartialError" if moved else "TerraformError",
        code=int(Exit.ERROR),
        partial=moved,
    )


def counts_done(outcome: ApplyOutcome) -> Mapping[str, int]:
    """How many resources an apply created, updated and so on before it ended."""
    return {**NO_COUNTS, **outcome.counts}


def _rescued_state_notes(outcome: ApplyOutcome) -> list[str]:
    return [f"Terraform could not save the state; it was kept: {outcome.rescued}"] if outcome.rescued else []


def _rescue(claim: Claim, outcome: ApplyOutcome) -> str:
    """Where the state is that Terraform could not save: in the ledger too, when that can be written."""
    if outcome.rescued is None:
        return ""
    run = claim.entry.operation.run if claim.entry.operation else ""
    try:
        return claim.ledger.rescue(run, claim.stack.id, outcome.rescued.read_bytes())
    except InfraError:
        return str(outcome.rescued)

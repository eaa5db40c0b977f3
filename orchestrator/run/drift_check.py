"""Checking one stack for drift: one plan at the commit last applied, read and classed. Nothing is written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from orchestrator.config.drift import Drift
from orchestrator.engine.failures import mask_error
from orchestrator.engine.memory import Memory
from orchestrator.engine.planner import check_state_version, plan_while_still, shadow_workdir
from orchestrator.engine.session import Session
from orchestrator.engine.state_location import StateLocations
from orchestrator.engine.states import Waiting
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import (
    BlockedError,
    GitError,
    InfraError,
    InterruptedRunError,
    StateError,
    TerraformError,
)
from orchestrator.plan.drift import classify
from orchestrator.plan.file import plan_file_info
from orchestrator.plan.reader import read_plan
from orchestrator.project.model import Stack
from orchestrator.report.drift import StackDrift
from orchestrator.run.drift_facts import facts_of
from orchestrator.run.drift_pace import Pace, is_throttled
from orchestrator.run.schemas import Schemas
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo
from orchestrator.state.records import UNCOMMITTED, Entry, base_commit, short_commit
from orchestrator.state.statefile import StateFile
from orchestrator.terraform.client import PlanOptions, PlanOutcome, Workdir


@dataclass(frozen=True)
class Terms:
    """What all checks of a run share. `pace` slows down when a provider says that it is asked too much."""

    settings: Drift
    schemas: Schemas
    pace: Pace
    today: date
    judge: Callable[[Stack, Entry], tuple[Entry, bool]]


def check_stack(session: Session, stack: Stack, entry: Entry | None, terms: Terms) -> StackDrift:
    """Check one stack. Whatever goes wrong is a result: this raises nothing that a user can meet."""
    began = time.monotonic()
    try:
        entry, is_live = terms.judge(stack, entry) if entry else (None, False)
        excuse = _excused(session, stack, entry, is_live=is_live)
        found = excuse or _check(session, stack, entry or Entry(""), terms)
        if found.result == "drifted" and entry is not None:
            found = _disturbed(session.memory, stack, entry) or found
    except InterruptedRunError:
        found = unchecked(stack, "the run was interrupted")
    except BlockedError as error:
        found = blocked(session, stack, error)
    except InfraError as error:
        found = failed(session, stack, error)
    return replace(found, seconds=time.monotonic() - began)


def unchecked(
    stack: Stack, reason: str, advice: str = "", *, failed: bool = False, commit: str = ""
) -> StackDrift:
    """A stack that could not be checked, and why."""
    return StackDrift(
        stack.id,
        stack.environment,
        "unchecked",
        reason,
        advice,
        commit=commit,
        failed=failed,
        paths=(stack.path,),
    )


def _excused(session: Session, stack: Stack, entry: Entry | None, *, is_live: bool) -> StackDrift | None:
    """Why a stack cannot be checked now, as its ledger says; None when it can."""
    if entry is None or not (entry.commit or entry.attempted):
        return unchecked(stack, "it was never applied by infra", f"`infra adopt {stack.id}`, or apply it.")
    operation = entry.operation
    if operation is not None and is_live:
        return unchecked(stack, f"{operation.kind} {operation.run} by {operation.who} is running")
    if entry.is_unfinished:
        return unchecked(
            stack,
            "a run was cut off in the middle of it",
            f"`infra resume {stack.id}` finds out what was applied and does the rest.",
            failed=True,
        )
    if entry.rescued:
        advice = f"`infra resume {stack.id}` brings it back."
        return unchecked(stack, "its last state could not be saved", advice, failed=True)
    if entry.result == "destroyed":
        return replace(unchecked(stack, "it was destroyed"), result="destroyed")
    return None


def _disturbed(memory: Memory, stack: Stack, entry: Entry) -> StackDrift | None:
    """Why what was found may be an apply that goes on, which no state tells of yet; None when it is not.

    Terraform saves a state every 20 seconds: until then what it has made looks like drift.
    """
    now = memory.ledgers.entry(stack)
    if now is None or now.generation != entry.generation:
        what = f"{now.operation.kind} {now.operation.run}" if now and now.operation else "another run"
        return unchecked(stack, f"{what} began while it was checked", commit=entry.commit)
    lock = memory.states.lock(stack)
    if lock is None or lock.generation == entry.left_lock:
        return None
    return unchecked(
        stack,
        f"{lock.who or 'somebody'} holds its state since {lock.created}",
        f"If nobody is at work: `infra unlock {stack.id}`.",
        failed=_is_old(
            lock,
            memory.ledgers.of(stack).storage.now(),
            memory.project.config.environment(stack.environment).timeouts.apply,
        ),
        commit=entry.commit,
    )


def _is_old(lock: LockInfo, now: datetime, limit: float) -> bool:
    """Whether a lock is held for longer than any apply may take, in seconds; `now` is its bucket's time."""
    try:
        since = datetime.fromisoformat(lock.written or lock.created)
    except ValueError:
        return True
    return (now - since).total_seconds() > limit


def commit_of(entry: Entry) -> str:
    """The commit to compare with: the one last applied; after a finished failed run the one it tried."""
    failed_whole = entry.result == "failed" and entry.attempted
    return base_commit(entry.attempted if failed_whole else entry.commit)


def why_partial(entry: Entry) -> str:
    """Why the whole stack is not at one commit, as the last run left it; empty when it is."""
    if entry.result == "failed":
        return f"The run {entry.run} failed: what it left undone is owed, and no drift."
    if entry.result == "restored":
        return "Its state was put back to an older version: what that lacks is owed, and no drift."
    if entry.result == "modified":
        return "`infra run` has changed its state: what it lacks now is pending, and no drift."
    if entry.attempted and entry.attempted != entry.commit:
        return (
            f"Only a part of {short_commit(entry.attempted)} was applied: "
            "what differs by that is owed, and no drift."
        )
    if entry.commit.endswith(UNCOMMITTED):
        return (
            f"{short_commit(entry.commit)} was applied, whose code is in no commit: "
            "what differs by that is pending, and no drift."
        )
    return ""


def _check(session: Session, stack: Stack, entry: Entry, terms: Terms) -> StackDrift:
    commit = commit_of(entry)
    if not commit:
        return unchecked(stack, "nothing was applied to it whole yet", f"`infra apply {stack.id}`.")
    # What a plan reads is the same byte for byte: no checkout of that commit is needed.
    if commit == base_commit(entry.commit) and entry.fingerprint == session.context.project.fingerprint(
        stack.id
    ):
        return _check_at(session, stack, entry, terms, commit)
    try:
        with at_commit(session, commit) as at:
            if stack.id not in at.context.project.stacks:
                return unchecked(
                    stack,
                    f"{commit[:10]}, which was applied, does not have it under this name",
                    f"`infra apply {stack.id}` records it.",
                    failed=True,
                    commit=commit,
                )
            at.context.project.require([stack.id])
            return _check_at(at, at.context.project.stacks[stack.id], entry, terms, commit)
    except GitError as error:
        return unchecked(
            stack,
            f"{commit[:10]}, which was applied, is not in this clone",
            error.advice or "Fetch it, or apply what is newest.",
            failed=True,
            commit=commit,
        )


def _check_at(session: Session, stack: Stack, entry: Entry, terms: Terms, commit: str) -> StackDrift:
    """Plan with the code of the session's commit, and tell what differs."""
    session.terraform.binary_of(stack)
    states = session.memory.states
    session.context.progress.doing(stack.id, "reading states")
    upstreams = states.upstreams(stack)
    if isinstance(upstreams, Waiting):
        return unchecked(stack, upstreams.reason, upstreams.advice, failed=True, commit=commit)
    elsewhere = _state_elsewhere(session.memory, stack, entry)
    generation = states.generation(stack)
    if generation is None and elsewhere is None and states.location(stack) is not None:
        advice = f"`infra state history {stack.id}` shows older versions, where the bucket keeps them."
        return unchecked(stack, "its state is gone", advice, failed=True, commit=commit)
    if generation is not None:
        check_state_version(session, stack)
    if elsewhere:
        blob = states.storage(elsewhere).read(elsewhere.name)
        work = shadow_workdir(session.terraform, stack, blob.data if blob else None)
    else:
        work = session.terraform.workdir(stack)
    outcome = _plan(session, stack, work, generation, terms.pace, shadow=elsewhere is not None)
    found = StackDrift(
        stack.id,
        stack.environment,
        "clean",
        commit=commit,
        partial=bool(why_partial(entry)),
        notes=_notes(states.head_at(elsewhere) if elsewhere else states.head(stack), entry),
        paths=(stack.path,),
    )
    info = plan_file_info(outcome.plan_file)
    if not outcome.changed and info.format_ok and not info.drifted:
        return found
    return _read(session, stack, work, outcome, entry, terms, found)


def _state_elsewhere(memory: Memory, stack: Stack, entry: Entry) -> Location | None:
    """Where the state is, if that is not where the code of this commit names it.

    The ledger has it elsewhere after a move by hand; `moved_from` names it until an apply moves it. Raises
    BlockedError where a plan of the stack would be blocked.
    """
    locations = StateLocations(memory)
    elsewhere = locations.recorded_elsewhere(stack, entry)
    if elsewhere:
        return elsewhere
    move = locations.check_entry(stack, entry)
    return move.source if move else None


def _plan(
    session: Session, stack: Stack, work: Workdir, generation: str | None, pace: Pace, *, shadow: bool
) -> PlanOutcome:
    """One normal saved plan without a lock, again while the provider says that it is asked too much."""
    options = PlanOptions()
    refusals = 0
    while True:
        pace.wait(lambda text: session.context.progress.doing(stack.id, text))
        try:
            outcome, _ = plan_while_still(session, stack, work, options, generation, shadow=shadow)
        except TerraformError as error:
            if not is_throttled(error) or not pace.slow_down(refusals):
                raise
            refusals += 1
            # Fewer questions at once, too.
            options = replace(options, parallelism=2)
        else:
            return outcome


def _read(
    session: Session,
    stack: Stack,
    work: Workdir,
    outcome: PlanOutcome,
    entry: Entry,
    terms: Terms,
    found: StackDrift,
) -> StackDrift:
    session.context.progress.doing(stack.id, "reading the plan")
    raw = session.terraform.client.show_json(work, outcome.plan_file)
    plan = read_plan(raw, session.context.masker)
    facts = facts_of(
        session,
        stack,
        work,
        entry,
        settings=terms.settings,
        schemas=terms.schemas,
        today=terms.today,
    )
    resources = classify(plan, json.loads(raw), facts)
    found = replace(found, resources=resources, outputs=() if resources else plan.changed_outputs)
    return replace(found, result="drifted" if found.loud else "clean")


def _notes(head: StateFile | None, entry: Entry) -> tuple[str, ...]:
    """What to know of the state itself: was all of the commit applied, did somebody else write it?"""
    partial = why_partial(entry)
    if partial:
        return (partial,)
    if head and entry.serial is not None and head.serial > entry.serial:
        return (f"Somebody else wrote its state: serial {head.serial} after {entry.serial}.",)
    return ()


def blocked(session: Session, stack: Stack, error: BlockedError) -> StackDrift:
    """A stack of which no plan is made, as `infra plan` says it."""
    message = mask_error(session, stack, error).message
    found = unchecked(stack, message, error.advice, failed=True)
    return replace(found, result="blocked", error_class=type(error).__name__)


def failed(session: Session, stack: Stack, error: InfraError) -> StackDrift:
    """A stack that could not be checked because of an error."""
    masked = mask_error(session, stack, error)
    reason = masked.message
    if isinstance(error, TerraformError) and is_throttled(error):
        reason = f"the provider was asked too much: {reason}"
    advice = error.advice
    if isinstance(error, StateError) and not advice:
        advice = f"`infra status {stack.id}` shows who is at work."
    found = unchecked(stack, reason, advice, failed=True)
    return replace(found, error_class=type(error).__name__, diagnostics=masked.diagnostics)

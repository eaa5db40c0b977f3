"""Checks one stack for drift: plans it at the commit last applied and classifies the plan. Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from orchestrator.config.drift import Drift
from orchestrator.drift.classify import classify
from orchestrator.drift.facts import gather_facts
from orchestrator.drift.report import StackDrift
from orchestrator.drift.throttle import Throttle, is_throttled
from orchestrator.engine.failures import mask_error
from orchestrator.engine.memory import Memory
from orchestrator.engine.planner import check_state_version, plan_stable_state, shadow_workdir
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.session import Session
from orchestrator.engine.state_location import StateLocations
from orchestrator.engine.states import WaitingReason
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import (
    BlockedError,
    GitError,
    InfraError,
    InterruptedRunError,
    StateError,
    TerraformError,
)
from orchestrator.plan.addresses import without_keys
from orchestrator.plan.plan_file import plan_file_info
from orchestrator.plan.reader import read_plan_parts
from orchestrator.repository.model import Stack
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo
from orchestrator.state.records import UNCOMMITTED, LedgerEntry, base_commit, short_commit
from orchestrator.state.statefile import StateFile
from orchestrator.terraform.client import PlanOptions, PlanOutcome, Workdir


@dataclass(frozen=True)
class CheckSettings:
    """The settings that all checks of a run share. `pace` slows down when a provider reports throttling."""

    settings: Drift
    schemas: ProviderSchemas
    pace: Throttle
    today: date
    read_status: Callable[[Stack, LedgerEntry], tuple[LedgerEntry, bool]]


def check_stack(
    session: Session, stack: Stack, entry: LedgerEntry | None, shared: CheckSettings
) -> StackDrift:
    """Check one stack. Errors become a result; no InfraError is raised."""
    began = time.monotonic()
    try:
        entry, is_live = shared.read_status(stack, entry) if entry else (None, False)
        excuse = _refusal_by_ledger(session, stack, entry, is_live=is_live)
        result = excuse or _check(session, stack, entry or LedgerEntry(""), shared)
        if result.result == "drifted" and entry is not None:
            result = _refusal_by_concurrent_run(session.memory, stack, entry) or result
    except InterruptedRunError:
        result = unchecked_result(stack, "the run was interrupted")
    except BlockedError as error:
        result = _blocked_result(session, stack, error)
    except InfraError as error:
        result = failed_result(session, stack, error)
    return replace(result, seconds=time.monotonic() - began)


def unchecked_result(
    stack: Stack, reason: str, advice: str = "", *, failed: bool = False, commit: str = ""
) -> StackDrift:
    """The result of a stack that could not be checked."""
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


def _refusal_by_ledger(
    session: Session, stack: Stack, entry: LedgerEntry | None, *, is_live: bool
) -> StackDrift | None:
    """The result of a stack whose ledger entry rules out a check; None when it can be checked."""
    if entry is None or not (entry.commit or entry.attempted):
        return unchecked_result(
            stack, "it was never applied by infra", f"`infra adopt {stack.id}`, or apply it."
        )
    operation = entry.operation
    if operation is not None and is_live:
        return unchecked_result(stack, f"{operation.kind} {operation.run} by {operation.who} is running")
    if entry.is_unfinished:
        return unchecked_result(
            stack,
            "a run was interrupted in the middle of it",
            f"`infra resume {stack.id}` finds out what was applied and does the rest.",
            failed=True,
        )
    if entry.rescued:
        advice = f"`infra resume {stack.id}` brings it back."
        return unchecked_result(stack, "its last state could not be saved", advice, failed=True)
    if entry.result == "destroyed":
        return replace(unchecked_result(stack, "it was destroyed"), result="destroyed")
    return None


def _refusal_by_concurrent_run(memory: Memory, stack: Stack, entry: LedgerEntry) -> StackDrift | None:
    """The result when another run or Terraform process began meanwhile; None when the stack was idle.

    Terraform saves a state every 20 seconds. Until then, what a running apply has created looks like drift.
    """
    current = memory.ledgers.entry(stack)
    if current is None or current.generation != entry.generation:
        what = (
            f"{current.operation.kind} {current.operation.run}"
            if current and current.operation
            else "another run"
        )
        return unchecked_result(stack, f"{what} began while it was checked", commit=entry.commit)
    lock = memory.states.lock(stack)
    if lock is None or lock.generation == entry.left_lock:
        return None
    return unchecked_result(
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
    """Whether a lock is older than `limit`, an apply's timeout in seconds; `now` is the bucket's time."""
    try:
        since = datetime.fromisoformat(lock.written or lock.created)
    except ValueError:
        return True
    return (now - since).total_seconds() > limit


def select_commit(entry: LedgerEntry) -> str:
    """The commit to compare with: the one last applied, or the one that a failed run attempted."""
    failed_whole = entry.result == "failed" and entry.attempted
    return base_commit(entry.attempted if failed_whole else entry.commit)


def explain_partial(entry: LedgerEntry) -> str:
    """Why the stack is not entirely at one commit after its last run; empty when it is."""
    if entry.result == "failed":
        return f"The run {entry.run} failed: what it left undone is pending, and no drift."
    if entry.result == "restored":
        return "Its state was put back to an older version: what that lacks is pending, and no drift."
    if entry.result == "modified":
        return "`infra run` has changed its state: what it lacks now is pending, and no drift."
    if entry.attempted and entry.attempted != entry.commit:
        return (
            f"Only a part of {short_commit(entry.attempted)} was applied: "
            "what differs by that is pending, and no drift."
        )
    if entry.commit.endswith(UNCOMMITTED):
        return (
            f"{short_commit(entry.commit)} was applied, whose code is in no commit: "
            "what differs by that is pending, and no drift."
        )
    return ""


def _check(session: Session, stack: Stack, entry: LedgerEntry, shared: CheckSettings) -> StackDrift:
    commit = select_commit(entry)
    if not commit:
        return unchecked_result(stack, "nothing was applied to it whole yet", f"`infra apply {stack.id}`.")
    # What a plan reads is the same byte for byte: no checkout of that commit is needed.
    if commit == base_commit(entry.commit) and entry.fingerprint == session.context.project.fingerprint(
        stack.id
    ):
        return _check_at(session, stack, entry, shared, commit)
    try:
        with at_commit(session, commit) as at:
            if stack.id not in at.context.project.stacks:
                return unchecked_result(
                    stack,
                    f"{commit[:10]}, which was applied, does not have it under this name",
                    f"`infra apply {stack.id}` records it.",
                    failed=True,
                    commit=commit,
                )
            at.context.project.require([stack.id])
            return _check_at(at, at.context.project.stacks[stack.id], entry, shared, commit)
    except GitError as error:
        return unchecked_result(
            stack,
            f"{commit[:10]}, which was applied, is not in this clone",
            error.advice or "Fetch it, or apply what is newest.",
            failed=True,
            commit=commit,
        )


def _check_at(
    session: Session, stack: Stack, entry: LedgerEntry, shared: CheckSettings, commit: str
) -> StackDrift:
    """Plan with the code of the session's commit and classify the differences."""
    session.terraform.binary_of(stack)
    states = session.memory.states
    session.context.progress.doing(stack.id, "reading states")
    upstreams = states.upstreams(stack)
    if isinstance(upstreams, WaitingReason):
        return unchecked_result(stack, upstreams.reason, upstreams.advice, failed=True, commit=commit)
    elsewhere = _state_elsewhere(session.memory, stack, entry)
    generation = states.generation(stack)
    if generation is None and elsewhere is None and states.location(stack) is not None:
        advice = f"`infra state history {stack.id}` shows older versions, where the bucket keeps them."
        return unchecked_result(stack, "its state is gone", advice, failed=True, commit=commit)
    if generation is not None:
        check_state_version(session, stack)
    if elsewhere:
        blob = states.storage(elsewhere).read(elsewhere.name)
        work = shadow_workdir(session.terraform, stack, blob.data if blob else None)
    else:
        work = session.terraform.workdir(stack)
    if session.hooks:
        session.hooks.before_plan(stack)
    outcome = _plan(session, stack, work, generation, shared.pace, shadow=elsewhere is not None)
    stack_drift = StackDrift(
        stack.id,
        stack.environment,
        "clean",
        commit=commit,
        partial=bool(explain_partial(entry)),
        notes=_notes(states.head_at(elsewhere) if elsewhere else states.head(stack), entry),
        paths=(stack.path,),
    )
    info = plan_file_info(outcome.plan_file)
    if not outcome.changed and info.format_ok and not info.drifted:
        return stack_drift
    return _read(session, stack, work, outcome, entry, shared, stack_drift)


def _state_elsewhere(memory: Memory, stack: Stack, entry: LedgerEntry) -> Location | None:
    """The location of the state, if it is not the one in the code of this commit.

    The ledger records another location after a manual move; `moved_from` names it until an apply moves the
    state. Raises BlockedError where a plan of the stack would be blocked.
    """
    locations = StateLocations(memory)
    elsewhere = locations.recorded_elsewhere(stack, entry)
    if elsewhere:
        return elsewhere
    move = locations.check_entry(stack, entry)
    return move.source if move else None


def _plan(
    session: Session, stack: Stack, work: Workdir, generation: str | None, pace: Throttle, *, shadow: bool
) -> PlanOutcome:
    """Make one normal saved plan without a lock. Retries while the provider throttles requests."""
    options = PlanOptions()
    refusals = 0
    while True:
        pace.wait(lambda text: session.context.progress.doing(stack.id, text))
        try:
            outcome, _ = plan_stable_state(session, stack, work, options, generation, shadow=shadow)
        except TerraformError as error:
            if not is_throttled(error) or not pace.slow_down(refusals):
                raise
            refusals += 1
            # Make fewer concurrent requests as well.
            options = replace(options, parallelism=2)
        else:
            return outcome


def _read(
    session: Session,
    stack: Stack,
    work: Workdir,
    outcome: PlanOutcome,
    entry: LedgerEntry,
    shared: CheckSettings,
    stack_drift: StackDrift,
) -> StackDrift:
    session.context.progress.doing(stack.id, "reading the plan")
    plan_json = session.plan_files.read(session.terraform, work, outcome.plan_file)
    plan = read_plan_parts(plan_json.parts, session.context.masker)
    facts = gather_facts(
        session,
        stack,
        work,
        entry,
        settings=shared.settings,
        schemas=shared.schemas,
        today=shared.today,
    )
    has_code = all(
        without_keys(change.address) in facts.written for change in (*plan.drift, *plan.shown_changes)
    )
    # The code of a resource that cannot be found in the checkout stands in the plan's own configuration.
    resources = classify(plan, plan_json.parts if has_code else plan_json.whole(), facts)
    stack_drift = replace(stack_drift, resources=resources, outputs=() if resources else plan.changed_outputs)
    return replace(stack_drift, result="drifted" if stack_drift.loud else "clean")


def _notes(head: StateFile | None, entry: LedgerEntry) -> tuple[str, ...]:
    """Notes on the state: whether it is partially applied, or was written by something else."""
    partial = explain_partial(entry)
    if partial:
        return (partial,)
    if head and entry.serial is not None and head.serial > entry.serial:
        return (f"Somebody else wrote its state: serial {head.serial} after {entry.serial}.",)
    return ()


def _blocked_result(session: Session, stack: Stack, error: BlockedError) -> StackDrift:
    """The result of a stack that `infra plan` would block."""
    message = mask_error(session, stack, error).message
    stack_drift = unchecked_result(stack, message, error.advice, failed=True)
    return replace(stack_drift, result="blocked", error_class=type(error).__name__)


def failed_result(session: Session, stack: Stack, error: InfraError) -> StackDrift:
    """The result of a stack whose check raised an error."""
    masked = mask_error(session, stack, error)
    reason = masked.message
    if isinstance(error, TerraformError) and is_throttled(error):
        reason = f"the provider was asked too much: {reason}"
    advice = error.advice
    if isinstance(error, StateError) and not advice:
        advice = f"`infra status {stack.id}` shows who is at work."
    stack_drift = unchecked_result(stack, reason, advice, failed=True)
    return replace(stack_drift, error_class=type(error).__name__, diagnostics=masked.diagnostics)

"""Moves, copies, accepts or forgets the state of a stack."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.engine.claims import Claim
from orchestrator.engine.memory import Memory
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StateMove
from orchestrator.engine.state_location import StateLocations, old_location
from orchestrator.engine.states import States
from orchestrator.engine.unlock import refuse_held
from orchestrator.errors import StateError, UsageError
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.location import Location
from orchestrator.state.locks import locked_for_move
from orchestrator.state.statefile import StateFile
from orchestrator.state.storage import ABSENT, PreconditionFailed, Storage
from orchestrator.terraform.client import PlanOptions


def apply_declared_move(session: Session, stack: Stack, claim: Claim) -> StateMove | None:
    """Make the move that infra.yaml declares for a claimed stack, if one is pending; gives that."""
    move = StateLocations(session.memory).check(stack) if stack.moved_from else None
    if move:
        session.context.progress.doing(stack.id, "moving its state")
        _move(session, stack, claim, move, keep_source=True)
    return move


def find_renamed(memory: Memory, stack: Stack) -> StateMove:
    """The move of a renamed stack's state to its new name; UsageError where none is under the old one.

    A move that was interrupted after the state had left its old location is one too.
    """
    old = old_location(memory.project.config, stack, memory.project.root)
    new = memory.states.location(stack)
    if old and new and (memory.states.storage(old).stat(old.name) or _is_unfinished(memory, stack, new)):
        return StateMove(old, new)
    raise UsageError(
        f"{stack.id} has no state under an older name.",
        advice=f"`moved:` of stacks.{stack.id} in infra.yaml says what it was called.",
    )


def _is_unfinished(memory: Memory, stack: Stack, target: Location) -> bool:
    """Whether a move by hand has brought the state to its target and not come to its end."""
    entry = memory.ledgers.entry(stack)
    is_open = entry is not None and entry.operation is not None and entry.operation.kind == "restore"
    return is_open and memory.states.storage(target).stat(target.name) is not None


def find_copy(memory: Memory, stack: Stack, source: Location) -> StateMove:
    """The move of a state from `source` to where the code names it.

    Raises UsageError where there is nothing to copy or the code names no other location.
    """
    target = memory.states.location(stack)
    if target is None or target.url == source.url:
        raise UsageError(
            f"The code of {stack.id} names {target.url if target else 'no location that can be told'}.",
            advice="Change the backend in the code first: that is where the state is moved to.",
        )
    if source.is_remote != target.is_remote:
        raise UsageError(
            f"{source.url} and {target.url} are of two kinds.",
            advice=f"`infra run {stack.id} -- init -migrate-state` moves a state between kinds of backends.",
        )
    if memory.states.storage(source).stat(source.name) is None:
        raise UsageError(f"There is no state at {source.url}.", advice="Correct the address after --from.")
    return StateMove(source, target)


def move_state_by_hand(session: Session, stack: Stack, move: StateMove, *, keep_source: bool) -> None:
    """Make a move by hand, under the locks of both locations; the ledger entry comes along.

    Unless the source is kept it goes last, and a bucket with versions keeps it. A second try after an
    interruption goes on where the first one stopped. Raises StateError where another state is at the target,
    LockedError where somebody holds one of the locks.
    """
    if keep_source and move.source.is_remote:
        stack = replace(stack, moved_from=move.source.url)
    recorder = LedgerRecorder(session, "restore", RecorderOptions(), PlanOptions())
    with recorder.claim(stack) as claim:
        _move(session, stack, claim, move, keep_source=keep_source)


def _move(session: Session, stack: Stack, claim: Claim, move: StateMove, *, keep_source: bool) -> None:
    states = session.memory.states
    if not move.target.is_remote:
        _move_file(states, stack, claim, move, keep_source=keep_source)
        return
    source, target = (
        _StateObject(states.bucket(location), location) for location in (move.source, move.target)
    )
    _move_object(claim, source, target, session.context.info.id, delete=not keep_source)
    if keep_source:
        session.memory.ledgers.note_move(stack)


def _move_file(states: States, stack: Stack, claim: Claim, move: StateMove, *, keep_source: bool) -> None:
    for location in (move.source, move.target):
        refuse_held(location)
    source, target = Path(move.source.name), Path(move.target.name)
    # It is at the target alone where an earlier move was interrupted late.
    data = (target if target.is_file() and not source.is_file() else source).read_bytes()
    if target.is_file() and target.read_bytes() not in (b"", data):
        raise _other_state_error(move.target, stack.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_private(target, data)
    blob = states.storage(move.target).stat(move.target.name)
    claim.note_state(stack.state or "", blob.generation if blob else "")
    if not keep_source:
        source.unlink(missing_ok=True)


def require_state(
    states: States, stack: Stack, *, lineage: str | None = None, serial: int | None = None
) -> StateFile:
    """What a stack's state says; UsageError where there is none, or one of another lineage or serial."""
    head = states.head(stack)
    if head is None:
        raise UsageError(f"{stack.id} has no state.", advice=f"See `infra plan {stack.id}`.")
    for name, expected, now in (("lineage", lineage, head.lineage), ("serial", serial, head.serial)):
        if expected is not None and expected != now:
            raise UsageError(
                f"The state of {stack.id} has {name} {now}, not {expected}.", advice="Look at it again."
            )
    return head


def accept_state(
    session: Session, stack: Stack, *, lineage: str | None = None, serial: int | None = None
) -> list[str]:
    """Record a state that the ledger does not know as the stack's; returns what went wrong with the record.

    Raises UsageError where the state has another lineage or serial than named, or the ledger knows no state.
    """
    head = require_state(session.memory.states, stack, lineage=lineage, serial=serial)
    recorder = LedgerRecorder(session, "adopt", RecorderOptions(), PlanOptions())
    with recorder.claim(stack) as claim:
        before = claim.before
        if before is None:
            raise UsageError(
                f"The ledger knows nothing of {stack.id}.",
                advice=f"`infra adopt {stack.id}` records its state.",
            )
        reason = (
            f"accepted lineage {head.lineage}, serial {head.serial} "
            f"in place of lineage {before.lineage or 'none'}, serial {before.serial}"
        )
        recorder.note(claim, StackReport(stack.id, stack.environment, "unchanged", reason=reason))
        claim.before = recorder.with_state(before, stack)
    return recorder.save()


def require_no_state(states: States, stack: Stack) -> None:
    """Raise UsageError for a stack that has a state: it is not gone."""
    if states.generation(stack) is not None:
        raise UsageError(
            f"{stack.id} has a state.", advice=f"`infra destroy {stack.id}` deletes what it manages."
        )


def forget_stack(session: Session, stack: Stack, reason: str) -> list[str]:
    """Let the ledger know nothing of a stack any more; returns what went wrong with the run's record.

    The next plan takes it for new. Raises UsageError while it has a state, and where nothing is known of it.
    """
    require_no_state(session.memory.states, stack)
    recorder = LedgerRecorder(session, "forget", RecorderOptions(), PlanOptions())
    with recorder.claim(stack) as claim:
        is_new = claim.before is None or claim.before.is_blank
        locations = StateLocations(session.memory)
        if is_new and locations.lost(stack) is None and not locations.unnamed_workspaces(stack):
            raise UsageError(f"The ledger knows nothing of {stack.id}.", advice="There is nothing to forget.")
        recorder.note(
            claim, StackReport(stack.id, stack.environment, "unchanged", reason=f"forgotten: {reason}")
        )
        claim.forget_stack(reason)
    return recorder.save()


@dataclass(frozen=True)
class _StateObject:
    """A state's object in a bucket, which need not exist."""

    storage: Storage
    location: Location


def _move_object(claim: Claim, source: _StateObject, target: _StateObject, run: str, *, delete: bool) -> None:
    """Copy a claimed stack's state under both locks, and note in the ledger where it is now.

    The source is kept unless `delete` is true; then it goes last. Whatever kills the process, the same call
    under a new claim goes on where it stopped. Raises LockedError while somebody holds one of the locks,
    UsageError where there is nothing to move, StateError where another state is at the target.
    """
    stack = claim.stack
    with ExitStack() as locks:
        for side in (source, target):
            locks.enter_context(locked_for_move(side.storage, side.location, stack.id, run))
        state, copy = source.storage.read(source.location.name), target.storage.read(target.location.name)
        if state is None:
            if not (delete and copy):
                raise UsageError(
                    f"There is no state at {source.location.url}.",
                    advice="Correct the address.",
                    stack=stack.id,
                )
        elif copy is None:
            try:
                copy = target.storage.write(target.location.name, state.data, if_generation=ABSENT)
            except PreconditionFailed:
                raise _other_state_error(target.location, stack.id) from None
        elif copy.data != state.data:
            raise _other_state_error(target.location, stack.id)
        claim.note_state(target.location.url, copy.generation)
        if delete and state:
            source.storage.delete(source.location.name, if_generation=state.generation)


def _other_state_error(target: Location, stack: str) -> StateError:
    """The error of a move to a place where another state is."""
    return StateError(
        f"Another state is at {target.url}; nothing was changed.",
        advice="Look at both before you decide which one counts.",
        stack=stack,
    )

"""Changes of which state belongs to a stack: moved, copied, accepted, or given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.engine.claims import Claim
from orchestrator.engine.folders import write_private
from orchestrator.engine.planned import StateMove
from orchestrator.engine.session import Session
from orchestrator.engine.state_location import StateLocations, old_location
from orchestrator.engine.state_move import StateObject, other_state
from orchestrator.engine.state_move import move_state as move_object
from orchestrator.engine.states import States
from orchestrator.errors import UsageError
from orchestrator.project.model import Stack
from orchestrator.report.model import StackReport
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.unlocking import refuse_held
from orchestrator.state.location import Location
from orchestrator.terraform.client import PlanOptions


def carry_declared_move(session: Session, stack: Stack, claim: Claim) -> StateMove | None:
    """Make the move that infra.yaml declares for a claimed stack, if one is pending; gives that."""
    move = StateLocations(session.memory).check(stack) if stack.moved_from else None
    if move:
        session.context.progress.doing(stack.id, "moving its state")
        _move_object(session, stack, claim, move)
    return move


def _move_object(session: Session, stack: Stack, claim: Claim, move: StateMove) -> None:
    source, target = (
        StateObject(session.memory.states.bucket(location), location)
        for location in (move.source, move.target)
    )
    move_object(claim, source, target, session.context.info.id, delete=False)
    session.memory.ledgers.note_move(stack)


def copy_state(session: Session, stack: Stack, source: Location) -> None:
    """Copy a state to where the code names it, under the locks of both locations; the source is kept.

    A second try after an interruption goes on where the first one stopped. Raises UsageError where there is
    nothing to copy or the code names no location, StateError where another state is at the target,
    LockedError where somebody holds one of the locks.
    """
    memory = session.memory
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
    moving = replace(stack, moved_from=source.url) if source.is_remote else stack
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(moving) as claim:
        if target.is_remote:
            _move_object(session, moving, claim, StateMove(source, target))
        else:
            claim.note_state(stack.state or "", _copy_file(memory.states, source, target, stack))


def _copy_file(states: States, source: Location, target: Location, stack: Stack) -> str:
    for location in (source, target):
        refuse_held(location)
    path, data = Path(target.name), Path(source.name).read_bytes()
    if path.is_file() and path.read_bytes() not in (b"", data):
        raise other_state(target, stack.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, data)
    blob = states.storage(target).stat(target.name)
    return blob.generation if blob else ""


def accept_state(
    session: Session, stack: Stack, *, lineage: str | None = None, serial: int | None = None
) -> list[str]:
    """Record a state that the ledger does not know as the stack's; returns what went wrong with the record.

    Raises UsageError where the state has another lineage or serial than given, or the ledger knows no state.
    """
    head = session.memory.states.head(stack)
    if head is None:
        raise UsageError(f"{stack.id} has no state.", advice=f"See `infra plan {stack.id}`.")
    for name, given, now in (("lineage", lineage, head.lineage), ("serial", serial, head.serial)):
        if given is not None and given != now:
            raise UsageError(
                f"The state of {stack.id} has {name} {now}, not {given}.", advice="Look at it again."
            )
    recorder = Recorder(session, "adopt", Terms(), PlanOptions())
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
    recorder = Recorder(session, "forget", Terms(), PlanOptions())
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


def move_state(session: Session, stack: Stack) -> Location:
    """Take the state and the ledger entry along to the new name, under the locks of both states.

    The old object goes last, and a bucket with versions keeps it. A second try after an interruption goes on
    where the first one stopped. Returns where the state was.
    """
    context = session.context
    states = session.memory.states
    old = old_location(context.project.config, stack, context.project.root)
    new = states.location(stack)
    if old is None or new is None or states.storage(old).stat(old.name) is None:
        raise UsageError(
            f"{stack.id} has no state under an older name.",
            advice=f"`moved:` of stacks.{stack.id} in infra.yaml says what it was called.",
        )
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        if old.is_remote:
            source, target = (StateObject(states.bucket(location), location) for location in (old, new))
            move_object(claim, source, target, context.info.id, delete=True)
        else:
            claim.note_state(stack.state or "", _move_file(session.memory.states, old, new))
    return old


def _move_file(states: States, old: Location, new: Location) -> str:
    refuse_held(old)
    Path(new.name).parent.mkdir(parents=True, exist_ok=True)
    Path(old.name).rename(new.name)
    found = states.storage(new).stat(new.name)
    return found.generation if found else ""

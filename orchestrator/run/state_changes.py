"""Changes of which state belongs to a stack: moved, copied, accepted, or given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.engine.claims import Claim
from orchestrator.engine.folders import write_private
from orchestrator.engine.memory import Memory
from orchestrator.engine.planned import StateMove
from orchestrator.engine.session import Session
from orchestrator.engine.state_location import StateLocations, old_location
from orchestrator.engine.state_move import StateObject, move_state, other_state
from orchestrator.engine.states import States
from orchestrator.errors import UsageError
from orchestrator.project.model import Stack
from orchestrator.report.model import StackReport
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.unlocking import refuse_held
from orchestrator.state.location import Location
from orchestrator.state.statefile import StateFile
from orchestrator.terraform.client import PlanOptions


def carry_declared_move(session: Session, stack: Stack, claim: Claim) -> StateMove | None:
    """Make the move that infra.yaml declares for a claimed stack, if one is pending; gives that."""
    move = StateLocations(session.memory).check(stack) if stack.moved_from else None
    if move:
        session.context.progress.doing(stack.id, "moving its state")
        _carry(session, stack, claim, move, keep_source=True)
    return move


def find_renamed(memory: Memory, stack: Stack) -> StateMove:
    """The move of a renamed stack's state to its new name; UsageError where none is under the old one."""
    old = old_location(memory.project.config, stack, memory.project.root)
    new = memory.states.location(stack)
    if old is None or new is None or memory.states.storage(old).stat(old.name) is None:
        raise UsageError(
            f"{stack.id} has no state under an older name.",
            advice=f"`moved:` of stacks.{stack.id} in infra.yaml says what it was called.",
        )
    return StateMove(old, new)


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


def carry_state(session: Session, stack: Stack, move: StateMove, *, keep_source: bool) -> None:
    """Make a move by hand, under the locks of both locations; the ledger entry comes along.

    Unless the source is kept it goes last, and a bucket with versions keeps it. A second try after an
    interruption goes on where the first one stopped. Raises StateError where another state is at the target,
    LockedError where somebody holds one of the locks.
    """
    if keep_source and move.source.is_remote:
        stack = replace(stack, moved_from=move.source.url)
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        _carry(session, stack, claim, move, keep_source=keep_source)


def _carry(session: Session, stack: Stack, claim: Claim, move: StateMove, *, keep_source: bool) -> None:
    states = session.memory.states
    if not move.target.is_remote:
        _carry_file(states, stack, claim, move, keep_source=keep_source)
        return
    source, target = (
        StateObject(states.bucket(location), location) for location in (move.source, move.target)
    )
    move_state(claim, source, target, session.context.info.id, delete=not keep_source)
    if keep_source:
        session.memory.ledgers.note_move(stack)


def _carry_file(states: States, stack: Stack, claim: Claim, move: StateMove, *, keep_source: bool) -> None:
    for location in (move.source, move.target):
        refuse_held(location)
    source, target = Path(move.source.name), Path(move.target.name)
    data = source.read_bytes()
    if target.is_file() and target.read_bytes() not in (b"", data):
        raise other_state(move.target, stack.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_private(target, data)
    blob = states.storage(move.target).stat(move.target.name)
    claim.note_state(stack.state or "", blob.generation if blob else "")
    if not keep_source:
        source.unlink()


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

"""Moving a state to where the code names it now, one conditional step after the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from orchestrator.engine.claims import Claim
from orchestrator.errors import StateError, UsageError
from orchestrator.state.location import Location
from orchestrator.state.locks import held_for_move
from orchestrator.state.storage import ABSENT, PreconditionFailed, Storage


@dataclass(frozen=True)
class StateObject:
    """A state's object in a bucket, which need not exist."""

    storage: Storage
    location: Location


def move_state(claim: Claim, source: StateObject, target: StateObject, run: str, *, delete: bool) -> None:
    """Copy a claimed stack's state under both locks, and note in the ledger where it is now.

    The source is kept unless `delete` is true; then it goes last. Whatever kills the process, the same call
    under a new claim goes on where it stopped. Raises LockedError while somebody holds one of the locks,
    UsageError where there is nothing to move, StateError where another state is at the target.
    """
    stack = claim.stack
    with ExitStack() as locks:
        for side in (source, target):
            locks.enter_context(held_for_move(side.storage, side.location, stack.id, run))
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
                raise other_state(target.location, stack.id) from None
        elif copy.data != state.data:
            raise other_state(target.location, stack.id)
        claim.note_state(target.location.url, copy.generation)
        if delete and state:
            source.storage.delete(source.location.name, if_generation=state.generation)


def other_state(target: Location, stack: str) -> StateError:
    """The error of a move to a place where another state is."""
    return StateError(
        f"Another state is at {target.url}; nothing was changed.",
        advice="Look at both before you decide which one counts.",
        stack=stack,
    )

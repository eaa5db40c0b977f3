"""A renamed stack whose state lies where infra.yaml puts it: the state has to follow the name."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config import Config, GcsBackend, LocalBackend
from orchestrator.engine.state_move import StateObject
from orchestrator.engine.state_move import move_state as move_object
from orchestrator.errors import UsageError
from orchestrator.project.model import Stack
from orchestrator.project.states import gcs_url
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.session import Session
from orchestrator.run.states import States
from orchestrator.run.unlocking import refuse_held
from orchestrator.state.location import Location
from orchestrator.terraform.client import PlanOptions


def old_location(config: Config, stack: Stack, root: Path) -> Location | None:
    """Where the stack's state lay under the id that it had before; None when that is no other place."""
    settings = config.stacks.get(stack.id)
    if settings is None or settings.moved is None or not stack.backend.empty:
        return None
    environment, _, name = settings.moved.partition("/")
    match config.backend:
        case GcsBackend() as backend if stack.backend.kind == "gcs":
            given = backend.settings(environment, name)
            found = Location.parse(gcs_url(given["bucket"], given["prefix"]))
        case LocalBackend() as local if stack.backend.kind == "local":
            found = Location("", str(root / local.settings(environment, name)["path"]))
        case _:
            return None
    return None if found.url == stack.state else found


def left_behind(config: Config, states: States, stack: Stack, root: Path) -> Location | None:
    """Where a renamed stack's state still lies, when it has none under its new name."""
    old = old_location(config, stack, root)
    if old is None or states.generation(stack) is not None:
        return None
    return old if states.storage(old).stat(old.name) else None


def move_state(session: Session, stack: Stack) -> Location:
    """Take the state and the ledger entry along to the new name, under the locks of both states.

    The old object goes last, and a bucket with versions keeps it. A second try after an interruption goes on
    where the first one stopped. Returns where the state was.
    """
    states = session.states
    old = old_location(session.project.config, stack, session.project.root)
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
            move_object(claim, source, target, session.info.id, delete=True)
        else:
            claim.note_state(stack.state or "", _move_file(session, old, new))
    return old


def _move_file(session: Session, old: Location, new: Location) -> str:
    refuse_held(old)
    Path(new.name).parent.mkdir(parents=True, exist_ok=True)
    Path(old.name).rename(new.name)
    found = session.states.storage(new).stat(new.name)
    return found.generation if found else ""

"""A renamed stack whose state lies where infra.yaml puts it: the state has to follow the name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.config import Config, GcsBackend, LocalBackend
from orchestrator.errors import LockedError, StateError, UsageError
from orchestrator.project.model import Stack
from orchestrator.project.states import gcs_url
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.session import Session
from orchestrator.run.states import States
from orchestrator.run.unlocking import is_held
from orchestrator.state.gcs import Bucket
from orchestrator.state.location import Location
from orchestrator.state.locks import read_lock
from orchestrator.state.storage import ABSENT, PreconditionFailed
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
    """Take the state and the ledger entry along to the new name, under the old state's lock.

    The old object goes last, and a bucket with versions keeps it. Returns where the state lay.
    """
    old = left_behind(session.project.config, session.states, stack, session.project.root)
    new = session.states.location(stack)
    if old is None or new is None:
        raise UsageError(
            f"{stack.id} has no state under an older name.",
            advice=f"`moved:` of stacks.{stack.id} in infra.yaml says what it was called.",
        )
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        generation = (_move_object if old.is_remote else _move_file)(session, old, new)
        if claim.before:
            claim.keep_when_given_back(state_generation=generation)
    return old


def _move_object(session: Session, old: Location, new: Location) -> str:
    """Copy, then delete. Each step is conditional, so that a second try goes on where one was cut off."""
    source, target = session.states.bucket(old), session.states.bucket(new)
    with locked_object(source, old, f"moved to {new.url}", session.info.id):
        found = source.read(old.name)
        if found is None:
            raise StateError(f"{old.url} is gone.", advice="Look again.")
        made = target.write(new.name, found.data, if_generation=ABSENT)
        source.delete(old.name, if_generation=found.generation)
    return made.generation


def _move_file(session: Session, old: Location, new: Location) -> str:
    if is_held(old.name):
        raise LockedError(f"A process on this machine holds {old.name}.", advice="Wait until it has ended.")
    Path(new.name).parent.mkdir(parents=True, exist_ok=True)
    Path(old.name).rename(new.name)
    found = session.states.storage(new).stat(new.name)
    return found.generation if found else ""


@contextmanager
def locked_object(bucket: Bucket, location: Location, info: str, run: str) -> Iterator[None]:
    """Hold a state's lock as Terraform would."""
    content = {
        "ID": str(uuid.uuid4()),
        "Operation": "OperationTypeInvalid",
        "Info": info,
        "Who": f"infra@{run}",
        "Version": "",
        "Created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "Path": location.url,
    }
    try:
        lock = bucket.write(location.lock_name, json.dumps(content).encode(), if_generation=ABSENT)
    except PreconditionFailed:
        raise LockedError(
            f"{location.url} is locked: {read_lock(bucket, location)}.", advice="Wait until that has ended."
        ) from None
    try:
        yield
    finally:
        bucket.delete(location.lock_name, if_generation=lock.generation)

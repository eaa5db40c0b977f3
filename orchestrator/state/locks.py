"""Reads, takes and releases the locks on states."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.errors import LockedError
from orchestrator.jsontext import read_object
from orchestrator.state.location import Location
from orchestrator.state.records import Operation
from orchestrator.state.storage import ABSENT, ObjectReader, PreconditionFailed, Storage, timestamp

# How far the clock of the machine that wrote a lock may be from the ledger's for the two to belong together.
SKEW = timedelta(minutes=10)
# How `who` of a lock that infra itself took begins; the run follows.
OURS = "infra@"


@dataclass(frozen=True)
class LockInfo:
    """A state's lock. `created` is RFC 3339; `generation` is what `force-unlock` wants in a bucket.

    `written` is when it came to be by the clock of where it lies.
    """

    id: str
    operation: str
    who: str
    version: str
    created: str
    info: str
    generation: str
    written: str = ""

    def is_of_move(self, stack: str) -> bool:
        """Whether infra took it to move the state of `stack`."""
        return self.info == _purpose(stack) and self.who.startswith(OURS)

    def __str__(self) -> str:
        what = self.operation.removeprefix("OperationType").lower() or "an operation"
        return f"{self.who or 'somebody'} holds it for {what} since {self.created or 'an unknown time'}"


def _purpose(stack: str) -> str:
    """What a lock that infra takes to move a stack's state says of itself."""
    return f"infra state move {stack}"


def read_lock(storage: ObjectReader, location: Location) -> LockInfo | None:
    """The lock on a state; None when it is free. A lock that cannot be parsed is a lock all the same."""
    blob = storage.read(location.lock_name)
    if blob is None:
        return None
    try:
        content = read_object(blob.data)
    except ValueError:
        content = {}
    return LockInfo(
        id=str(content.get("ID", "")),
        operation=str(content.get("Operation", "")),
        who=str(content.get("Who", "")),
        version=str(content.get("Version", "")),
        created=str(content.get("Created", "")),
        info=str(content.get("Info", "")),
        generation=blob.generation,
        written=blob.updated,
    )


def release_lock(storage: ObjectReader, location: Location, lock: LockInfo) -> None:
    """Remove exactly that lock. One that is gone already is fine; LockedError when another took its place."""
    try:
        storage.delete(location.lock_name, if_generation=lock.generation)
    except PreconditionFailed:
        other = read_lock(storage, location)
        if other is not None and other.generation != lock.generation:
            raise LockedError(
                f"The lock was released and taken again meanwhile: {other}.", advice="Look at it again."
            ) from None


@contextmanager
def locked_for_move(storage: Storage, location: Location, stack: str, run: str) -> Iterator[None]:
    """Hold a state's lock as Terraform would, while the state is moved.

    Only for a stack that is claimed in the ledger. So a lock of another move of the same stack is of a run
    that was killed, and is replaced. Raises LockedError for any other lock.
    """
    lock_info = read_lock(storage, location)
    if lock_info and lock_info.is_of_move(stack):
        release_lock(storage, location, lock_info)
    content = {
        "ID": str(uuid.uuid4()),
        "Operation": "OperationTypeInvalid",
        "Info": _purpose(stack),
        "Who": f"{OURS}{run}",
        "Version": "",
        "Created": timestamp(storage),
        "Path": location.url,
    }
    try:
        lock = storage.write(location.lock_name, json.dumps(content).encode(), if_generation=ABSENT)
    except PreconditionFailed:
        raise LockedError(
            f"{location.url} is locked: {read_lock(storage, location)}.",
            advice="Wait until that has ended.",
            stack=stack,
        ) from None
    try:
        yield
    finally:
        storage.delete(location.lock_name, if_generation=lock.generation)


def belongs_to(lock: LockInfo, operation: Operation) -> bool:
    """Whether a lock is one that an operation's Terraform took.

    The ledger says so when a heartbeat has noted the lock's generation. Else it must be of the same machine
    and of the time of the operation, by the clock of where it lies.
    """
    if operation.lock:
        return lock.generation == operation.lock
    machine = operation.host.partition("/")[0]
    if not machine or lock.who.rpartition("@")[2] != machine:
        return False
    if operation.phase != "applying":
        return False
    try:
        written = datetime.fromisoformat(lock.written or lock.created)
        first = datetime.fromisoformat(operation.started)
        last = datetime.fromisoformat(operation.heartbeat or operation.started)
    except ValueError:
        return False
    # The same clock, in whole seconds, when the storage says when; else the machine's own.
    slack = timedelta(seconds=2) if lock.written else SKEW
    return first - slack <= written <= last + max(slack, timedelta(seconds=60))

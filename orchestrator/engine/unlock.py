"""`infra unlock`: inspects the lock on a state, and releases it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import datetime

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.errors import BlockedError, LockedError
from orchestrator.repository.model import Stack
from orchestrator.state.location import Location
from orchestrator.state.locks import LockInfo, belongs_to, read_lock, release_lock
from orchestrator.state.records import Operation


@dataclass(frozen=True)
class HeldLock:
    """A lock, and what the ledger says about who took it.

    `operation` is the one in the ledger, `live` whether it goes on, `ours` whether the lock is its own.
    `age` is in seconds, None when it cannot be told.
    """

    stack: Stack
    location: Location
    lock: LockInfo
    age: float | None
    operation: Operation | None
    live: bool
    ours: bool


def inspect_lock(states: States, ledgers: Ledgers, stack: Stack) -> HeldLock | None:
    """The lock on a stack's state; None when nobody holds it."""
    location = states.location(stack)
    if location is None:
        raise BlockedError(
            f"Where {stack.id} keeps its state cannot be told, and so neither who locks it.",
            advice=f"Use Terraform's own: `infra run {stack.id} -- force-unlock ID`.",
            stack=stack.id,
        )
    ledger = ledgers.of(stack)
    lock = read_lock(states.storage(location), location)
    if lock is None:
        return None
    entry = ledgers.entry(stack)
    operation = entry.operation if entry else None
    return HeldLock(
        stack=stack,
        location=location,
        lock=lock,
        age=_age(lock, ledger.storage.now()),
        operation=operation,
        live=bool(entry and ledger.is_live(entry)) or (not location.is_remote and _is_held(location.name)),
        ours=bool(operation and belongs_to(lock, operation)),
    )


def refuse_live(lock: HeldLock, *, force: bool) -> None:
    """Raise LockedError when whoever holds the lock is still at work; with `force` only a warning is due."""
    if not lock.location.is_remote and lock.live:
        raise LockedError(
            f"A process on this machine holds the state of {lock.stack.id}: {lock.lock}.",
            advice="End that process; its lock goes with it.",
            stack=lock.stack.id,
        )
    if lock.live and not force:
        raise LockedError(
            f"{lock.stack.id} is being worked on: {lock.operation}.",
            advice="Wait for it. `--force` releases it all the same; two applies at once lose resources.",
            stack=lock.stack.id,
        )


def release_held_lock(states: States, lock: HeldLock) -> None:
    """Release exactly the lock that was looked at."""
    release_lock(states.storage(lock.location), lock.location, lock.lock)


def refuse_held(location: Location) -> None:
    """Raise LockedError for a local state while a process holds its lock."""
    if _is_held(location.name):
        raise LockedError(
            f"A process on this machine holds {location.name}.", advice="Wait until it has ended."
        )


def _is_held(path: str) -> bool:
    """Whether a process holds the lock that Terraform takes on a local state file.

    The kernel frees it when the process dies; what is left then is only the note beside it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _age(lock: LockInfo, now: datetime) -> float | None:
    try:
        return max(0.0, (now - datetime.fromisoformat(lock.written or lock.created)).total_seconds())
    except ValueError:
        return None

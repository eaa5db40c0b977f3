"""Repairs the state of an interrupted apply: releases its lock, pushes the state that it could not save."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.engine.orphans import Orphan
from orchestrator.engine.session import Session
from orchestrator.errors import PartialError
from orchestrator.project.model import Stack
from orchestrator.run.evidence import Rescued, saved_copy
from orchestrator.state.locks import LockInfo, release_lock
from orchestrator.terraform.client import Workdir


def release_own_lock(session: Session, stack: Stack, lock: LockInfo) -> None:
    """Release exactly this lock on the stack's state."""
    location = session.memory.states.location(stack)
    if location:
        release_lock(session.memory.states.storage(location), location, lock)


def push_rescued(session: Session, stack: Stack, work: Workdir, rescued: Rescued) -> int:
    """Push a rescued state; returns the serial of the state then. `work` is initialized.

    Raises PartialError where Terraform does not take it.
    """
    path = saved_copy(work, rescued)
    try:
        done = session.terraform.client.run_raw(work, ("state", "push", str(path)))
    finally:
        path.unlink(missing_ok=True)
    head = session.memory.states.head(stack)
    if not done.ok or head is None or head.serial < rescued.head.serial:
        raise PartialError(
            f"The rescued state of {stack.id} could not be pushed: "
            f"{session.context.mask(done.error_text).strip()[:300]}",
            advice=f"It is kept: {rescued.where}. Mend what is wrong and resume again.",
            stack=stack.id,
        )
    return head.serial


def remove_deleted(session: Session, stack: Stack, work: Workdir, orphans: Sequence[Orphan]) -> None:
    """Remove from the state the predecessors of some objects, which the interrupted apply deleted.

    Raises PartialError where Terraform does not do it.
    """
    addresses = [orphan.address for orphan in orphans]
    done = session.terraform.client.run_raw(work, ("state", "rm", *addresses))
    if not done.ok:
        raise PartialError(
            f"{', '.join(addresses)} could not be removed from the state: "
            f"{session.context.mask(done.error_text).strip()[:300]}",
            advice=f"Mend what is wrong, then `infra resume {stack.id}` again.",
            stack=stack.id,
        )

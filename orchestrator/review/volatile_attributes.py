"""Finds attributes that are new in every plan of one commit, such as a time, by planning once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from orchestrator.engine.inspection import Inspect
from orchestrator.engine.pipeline import LAST_START, RunRequest, plan_all
from orchestrator.engine.session import Session
from orchestrator.plan.digest import Digest
from orchestrator.plan.digest_comparison import volatile_values

VolatileAttributes = tuple[tuple[str, str], ...]
FindVolatile = Callable[[Session, Mapping[str, Digest], Inspect], dict[str, VolatileAttributes]]


def find_volatile(
    session: Session, digests: Mapping[str, Digest], inspect: Inspect
) -> dict[str, VolatileAttributes]:
    """Plans stacks once more and returns, by stack, the attributes (address, path) that differ.

    A stack whose second plan fails has none. `inspect` must make digests.
    """
    stacks = tuple(id_ for id_ in digests if id_ in session.context.project.stacks)
    if not stacks or session.context.supervisor.interrupted:
        return {}
    # `plantimestamp()` counts in seconds.
    time.sleep(1 - time.time() % 1)
    replanned = plan_all(session, RunRequest(stacks, last_start=LAST_START, inspect=inspect))
    volatile_attributes: dict[str, VolatileAttributes] = {}
    for id_ in stacks:
        digest = replanned[id_].inspected.digest if id_ in replanned else None
        if digest is not None and (attributes := volatile_values(digests[id_], digest)):
            volatile_attributes[id_] = attributes
    return volatile_attributes

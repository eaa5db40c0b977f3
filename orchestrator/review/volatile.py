"""Which attributes are new in every plan of one commit, such as a time: found by planning once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from orchestrator.engine.inspection import Inspect
from orchestrator.engine.session import Session
from orchestrator.plan.comparing import volatile
from orchestrator.plan.digest import Digest
from orchestrator.run.pipeline import LAST_START, Request, plan_all

Attributes = tuple[tuple[str, str], ...]
FindVolatile = Callable[[Session, Mapping[str, Digest], Inspect], dict[str, Attributes]]


def find_volatile(session: Session, digests: Mapping[str, Digest], inspect: Inspect) -> dict[str, Attributes]:
    """Plan stacks once more and give the attributes (address, path) that differ from these plans, by stack.

    A stack whose second plan fails has none. `inspect` must make digests.
    """
    stacks = tuple(id_ for id_ in digests if id_ in session.context.project.stacks)
    if not stacks or session.context.supervisor.interrupted:
        return {}
    # `plantimestamp()` counts in seconds.
    time.sleep(1 - time.time() % 1)
    again = plan_all(session, Request(stacks, last_start=LAST_START, inspect=inspect))
    found: dict[str, Attributes] = {}
    for id_ in stacks:
        second = again[id_].inspected.digest if id_ in again else None
        if second is not None and (attributes := volatile(digests[id_], second)):
            found[id_] = attributes
    return found

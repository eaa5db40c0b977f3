"""The policy, as trunk's rules have it, over a change's plans."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.ci.event import Event
from orchestrator.ci.scope import Scope
from orchestrator.run.inspecting import Inspect, inspect_nothing
from orchestrator.run.session import Session


def policed(scope: Scope, event: Event | None) -> Callable[[Session], Inspect]:
    """What makes, for a session, the inspection of its plans."""
    return lambda session: inspect_nothing

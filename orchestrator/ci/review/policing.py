"""The policy, as trunk's rules have it, over a change's plans."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.ci.event import Event
from orchestrator.ci.review.scope import Scope
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.session import Session
from orchestrator.run.policing import police, rego_texts


def policed(scope: Scope, event: Event | None) -> Callable[[Session], Inspect]:
    """What makes, for a session, the inspection of its plans.

    The label that lets a plan delete or replace counts here as it stands; who set it is looked at before the
    apply.
    """
    policy = scope.rules.policy
    rego = rego_texts(scope.before.tree, policy.rego.folder) if scope.before else {}
    allowed = event is not None and policy.label in event.labels
    return lambda session: police(session.context, policy, allow_destroy=allowed, rego=rego)

"""Compares the plans of a merge queue's group with the approval of its pull request."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.engine.session import Session
from orchestrator.errors import ConfigError, ForgeError
from orchestrator.forge.event import Event
from orchestrator.forge.interface import Forge
from orchestrator.plan.digest import Digest
from orchestrator.repository.model import Finding, Stack
from orchestrator.review.approvals import Approvals, Verdict
from orchestrator.review.rollout.compare import needs_approval

CODE = "approval"
SHOWN = 5


def build_queue_check(
    session: Session, event: Event, forge: Forge
) -> Callable[[Stack, Digest], tuple[Finding, ...]] | None:
    """Builds the check of each plan; None if the group does not name its pull request.

    A difference is an error, which removes the pull request from the queue before anything is merged. A plan
    that cannot be compared yet, since changes ahead of it are not applied, passes; the apply compares it.
    """
    if event.pull_request is None:
        return None
    pull_request = forge.pull_request(event.pull_request)
    approvals = Approvals(session, forge)

    def check(stack: Stack, digest: Digest) -> tuple[Finding, ...]:
        if not needs_approval(session.context.project, stack.environment):
            return ()
        before = session.memory.ledgers.entry(stack)
        try:
            verdict = approvals.compare_queued(stack, digest, before, pull_request, event.base)
        except ConfigError as error:
            # Only compare and apply have a token for teams.
            words = f"It is compared when it is applied: {error.message}"
            return (Finding("info", CODE, words, error.advice, stack=stack.id),)
        except ForgeError as error:
            why = f"what was approved could not be read: {error.message}"
            return (Finding("error", CODE, why, error.advice, stack=stack.id),)
        return _findings(stack, verdict)

    return check


def _findings(stack: Stack, verdict: Verdict) -> tuple[Finding, ...]:
    if verdict.kind in ("approved", "apply"):
        return ()
    if verdict.kind == "mismatch":
        paths = ", ".join(
            f"{difference.address} {difference.path}".strip() for difference in verdict.differences[:SHOWN]
        )
        words = f"This is not what was approved: {verdict.reason}" + (f" ({paths})" if paths else "")
        return (
            Finding("error", CODE, f"{words}.", "Review the new plan, then queue it again.", stack=stack.id),
        )
    if verdict.kind == "refuse":
        words = f"Nobody approved this: {verdict.reason}."
        return (Finding("error", CODE, words, "Have the plan reviewed, then queue it.", stack=stack.id),)
    return (Finding("info", CODE, f"{verdict.reason}.", stack=stack.id),)

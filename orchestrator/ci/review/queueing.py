"""A merge queue: what is about to be merged, compared with what its pull request was approved for."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.ci.event import Event
from orchestrator.ci.landing.comparing import needs_approval
from orchestrator.engine.session import Session
from orchestrator.errors import ConfigError, HostError
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest
from orchestrator.project.model import Finding, Stack
from orchestrator.review.approvals import Approvals, Verdict

CODE = "approval"
SHOWN = 5


def judge_of(
    session: Session, event: Event, host: Host
) -> Callable[[Stack, Digest], tuple[Finding, ...]] | None:
    """What is said of each plan; None where the group does not say which pull request it is of.

    A difference is an error: the queue throws the pull request out before anything is merged. What cannot be
    compared yet, since changes ahead of it were not applied, passes; the apply compares it.
    """
    if event.pull_request is None:
        return None
    pull_request = host.pull_request(event.pull_request)
    approvals = Approvals(session, host)

    def judge(stack: Stack, digest: Digest) -> tuple[Finding, ...]:
        if not needs_approval(session.context.project, stack.environment):
            return ()
        before = session.memory.ledgers.entry(stack)
        try:
            verdict = approvals.judge_queued(stack, digest, before, pull_request, event.base)
        except ConfigError as error:
            # Only compare and apply have a token for teams.
            words = f"It is compared when it is applied: {error.message}"
            return (Finding("info", CODE, words, error.advice, stack=stack.id),)
        except HostError as error:
            why = f"what was approved could not be read: {error.message}"
            return (Finding("error", CODE, why, error.advice, stack=stack.id),)
        return _findings(stack, verdict)

    return judge


def _findings(stack: Stack, verdict: Verdict) -> tuple[Finding, ...]:
    if verdict.kind in ("approved", "apply"):
        return ()
    if verdict.kind == "mismatch":
        paths = ", ".join(f"{one.address} {one.path}".strip() for one in verdict.differences[:SHOWN])
        words = f"This is not what was approved: {verdict.reason}" + (f" ({paths})" if paths else "")
        return (
            Finding("error", CODE, f"{words}.", "Review the new plan, then queue it again.", stack=stack.id),
        )
    if verdict.kind == "refuse":
        words = f"Nobody approved this: {verdict.reason}."
        return (Finding("error", CODE, words, "Have the plan reviewed, then queue it.", stack=stack.id),)
    return (Finding("info", CODE, f"{verdict.reason}.", stack=stack.id),)

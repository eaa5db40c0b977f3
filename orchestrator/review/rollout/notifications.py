"""Makes notifications of the results of rollouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.config.notify import EventName, EventSeverity
from orchestrator.notify.model import Notification
from orchestrator.report.model import ORDER_OF_ATTENTION, StackReport
from orchestrator.report.rollout import EnvironmentResult, State
from orchestrator.review.rollout.results import INTERRUPTED

# What each state of an environment is to people; nobody has to know of the others.
_EVENTS: Mapping[State, tuple[EventName, EventSeverity]] = {
    "applied": ("rollout_done", "low"),
    "gate": ("gate_waiting", "medium"),
    "mismatch": ("mismatch", "high"),
    "blocked": ("rollout_failed", "high"),
    "failed": ("rollout_failed", "high"),
    "partial": ("rollout_failed", "high"),
    "stopped": ("check_failed", "high"),
}


def list_rollout_notifications(
    results: Iterable[EnvironmentResult], owners: Mapping[str, Sequence[str]]
) -> tuple[Notification, ...]:
    """The notifications of some results; `owners` are the owners by stack."""
    return tuple(each for result in results for each in _notifications(result, owners))


def _notifications(result: EnvironmentResult, owners: Mapping[str, Sequence[str]]) -> Iterator[Notification]:
    stacks = tuple(stack.id for stack in result.stacks if stack.report.result not in ("unchanged", "skipped"))

    def notification(
        event: EventName, severity: EventSeverity, summary: str, details: Iterable[str], ids: tuple[str, ...]
    ) -> Notification:
        return Notification(
            event,
            result.environment,
            severity,
            summary,
            tuple(details),
            ids,
            tuple(dict.fromkeys(owner for id_ in ids for owner in owners.get(id_, ()))),
            result.pull_requests,
            result.url,
        )

    if result.state in _EVENTS:
        event, severity = _EVENTS[result.state]
        if _is_interrupted(result):
            event = "interrupted"
        yield notification(event, severity, _summarize(result), _list_details(result), stacks)
    if result.past_rules:
        ids = tuple(result.past_rules)
        reasons = [f"{id_}: {reason}" for id_, reason in result.past_rules.items()]
        yield notification("break_glass", "high", ", ".join(ids), reasons, ids)
    if result.heartbeat:
        yield notification("check_stale", "medium", result.heartbeat, (), ())


def _is_interrupted(result: EnvironmentResult) -> bool:
    """Whether the job or a stack's Terraform ended before it could report."""
    return result.reason == INTERRUPTED or any(
        stack.report.result == "interrupted" for stack in result.stacks
    )


def _summarize(result: EnvironmentResult) -> str:
    numbers = ", ".join(f"#{number}" for number in result.pull_requests)
    names = [stack.id for stack in result.stacks if stack.report.result not in ("unchanged", "skipped")]
    stacks = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    subject = f"{stacks or result.environment}" + (f" ({numbers})" if numbers else "")
    return f"{subject}, commit {result.commit[:10]}" if result.commit else subject


def _list_details(result: EnvironmentResult) -> Iterator[str]:
    """Why: the reason of the environment, failed checks, and stacks that did not go through."""
    if result.reason:
        yield result.reason
    yield from (f"check {check.name}: {check.words}" for check in result.checks if not check.ok)
    reports: list[StackReport] = [stack.report for stack in result.stacks]
    for report in sorted(reports, key=lambda each: ORDER_OF_ATTENTION.index(each.result)):
        if report.reason and report.result not in ("unchanged", "skipped", "applied", "destroyed"):
            yield f"{report.id}: {report.reason}"

"""Makes notifications of the results of a scheduled check: only of what is new since the last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from orchestrator.config.notify import EventName, EventSeverity
from orchestrator.drift import text as words
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.notify.model import Notification


def list_drift_notifications(
    report: DriftReport, issues: Mapping[str, str], owners: Mapping[str, Sequence[str]]
) -> tuple[Notification, ...]:
    """The notifications of a report, the worst drift first.

    `issues` are the addresses of open issues by stack, `owners` are the owners by stack.
    """
    return tuple(_notifications(report, issues, owners))


def _notifications(
    report: DriftReport, issues: Mapping[str, str], owners: Mapping[str, Sequence[str]]
) -> Iterator[Notification]:
    environments = {stack.id: stack.environment for stack in report.stacks}

    def notification(event: EventName, severity: EventSeverity, id_: str, summary: str) -> Notification:
        environment = environments.get(id_, id_.partition("/")[0])
        return Notification(
            event,
            environment,
            severity,
            summary,
            (),
            (id_,),
            tuple(owners.get(id_, ())),
            (),
            issues.get(id_, ""),
        )

    for stack in report.by_attention():
        make = partial(notification, id_=stack.id)
        if stack.result == "drifted" and stack.is_new:
            event: EventName = "drift_high" if stack.severity == "high" else "drift_found"
            yield make(event, stack.severity or "low", summary=f"{stack.id}: {words.format_counts(stack)}")
        elif stack.failed and stack.is_new:
            yield make("check_stale", "medium", summary=f"{stack.id}: {stack.reason}")
        elif _is_ended(stack):
            yield make("drift_ended", "low", summary=f"{stack.id}: {stack.ended or 'cause unknown'}")
    for id_ in report.stale:
        yield notification("check_stale", "medium", id_, f"{id_} was not checked for too long")
    for sentence in report.lost:
        environment = sentence.partition(":")[0]
        yield Notification("check_stale", environment, "high", sentence)


def _is_ended(stack: StackDrift) -> bool:
    return bool(stack.ended_by or (stack.ended and stack.result == "clean"))

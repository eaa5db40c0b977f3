"""Which notifications a scheduled check makes: of what is new, and of what could not be checked."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.drift.episodes import add_history, update_record
from orchestrator.drift.model import DriftedAttribute, DriftedResource
from orchestrator.drift.notifications import list_drift_notifications
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.report.model import RunInfo

CHANGED = DriftedResource(
    "a.b", "a", "changed", "reverted", (DriftedAttribute("size", "reverted", "1", "2", "1"),), ("update",)
)
GONE = DriftedResource("a.c", "a", "deleted", "reverted", (), ("create",))
NET = StackDrift("prod/net", "prod", "drifted", resources=(CHANGED,), is_new=True)
RUN = RunInfo("R1", "ci", "c" * 40, "2026-01-05T03:17:00Z", 3.0)


def events(
    *stacks: StackDrift, stale: tuple[str, ...] = (), lost: tuple[str, ...] = ()
) -> list[tuple[str, ...]]:
    report = DriftReport(RUN, stacks, stale=stale, lost=lost)
    notifications = list_drift_notifications(report, {"prod/net": "https://x/3"}, {"prod/net": ("@ada",)})
    return [(each.event, each.environment, each.severity) for each in notifications]


def test_new_drift_is_detected_and_high_severity_is_reported() -> None:
    assert events(NET) == [("drift_found", "prod", "medium")]
    assert events(replace(NET, resources=(CHANGED, GONE))) == [("drift_high", "prod", "high")]
    (each,) = list_drift_notifications(
        DriftReport(RUN, (NET,)), {"prod/net": "https://x/3"}, {"prod/net": ("@ada",)}
    )
    assert (each.owners, each.url, each.stacks) == (("@ada",), "https://x/3", ("prod/net",))
    assert each.summary == "prod/net: 1 reverted"


def test_the_same_drift_is_not_sent_again() -> None:
    assert events(replace(NET, is_new=False)) == []


def test_ends_and_missing_checks() -> None:
    ended = StackDrift("prod/app", "prod", "clean", ended="fixed outside")
    unchecked = StackDrift("dev/net", "dev", "unchecked", "no answer", failed=True, is_new=True)
    assert events(ended) == [("drift_ended", "prod", "low")]
    assert events(unchecked) == [("check_stale", "dev", "medium")]
    assert events(replace(unchecked, failed=False)) == []
    assert events(stale=("qa/net",)) == [("check_stale", "qa", "medium")]
    assert events(lost=("dev: its check left no report.",)) == [("check_stale", "dev", "high")]
    assert events(StackDrift("prod/net", "prod", "clean")) == []


def test_a_check_that_fails_is_reported_when_it_begins_to_fail() -> None:
    unchecked = StackDrift("dev/net", "dev", "unchecked", "no answer", failed=True)
    first = add_history(unchecked, None)
    assert events(first) == [("check_stale", "dev", "medium")]
    record = update_record(None, first, None, "1", run="R1", at=RUN.started)
    assert events(add_history(unchecked, record)) == []
    other = replace(unchecked, reason="the account may not read it")
    assert events(add_history(other, record)) == [("check_stale", "dev", "medium")]


def test_drift_is_new_when_it_begins_or_changes() -> None:
    first = add_history(replace(NET, is_new=False), None)
    assert first.is_new
    record = update_record(None, first, None, "1", run="R1", at=RUN.started)
    assert not add_history(replace(NET, is_new=False), record).is_new
    assert add_history(replace(NET, is_new=False, resources=(GONE,)), record).is_new
    clean = StackDrift("prod/net", "prod", "clean")
    over = update_record(record, add_history(clean, record), None, "2", run="R2", at=RUN.started)
    assert not add_history(clean, over).is_new
    assert add_history(replace(NET, is_new=False), over).is_new

"""Which notifications the results of a rollout make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.report.rollout import EnvironmentCheck
from orchestrator.review.rollout.notifications import list_rollout_notifications
from orchestrator.review.rollout.results import INTERRUPTED
from tests.support.environment_results import make_result, make_stack

OWNERS = {"prod/net": ("@ada",)}


@pytest.mark.parametrize(
    ("state", "event", "severity"),
    [
        ("applied", "rollout_done", "low"),
        ("failed", "rollout_failed", "high"),
        ("partial", "rollout_failed", "high"),
        ("blocked", "rollout_failed", "high"),
        ("mismatch", "mismatch", "high"),
        ("gate", "gate_waiting", "medium"),
        ("stopped", "check_failed", "high"),
        ("nothing", None, None),
        ("waiting", None, None),
        ("superseded", None, None),
    ],
)
def test_what_each_state_is(state: str, event: str | None, severity: str | None) -> None:
    result = make_result(state, make_stack("prod/net", "failed", reason="no quota"))
    notifications = list_rollout_notifications([result], OWNERS)
    if event is None:
        assert notifications == ()
        return
    (each,) = notifications
    assert (each.event, each.severity, each.environment) == (event, severity, "prod")
    assert (each.stacks, each.owners, each.pull_requests) == (("prod/net",), ("@ada",), (42,))
    assert each.summary == "prod/net (#42), commit 1f3d5b7a9c"
    assert each.url == result.url
    assert "prod/net: no quota" in each.details


def test_an_interrupted_run_is_distinguished_from_a_failed_one() -> None:
    whole = make_result("partial", reason=INTERRUPTED)
    one_stack = make_result("partial", make_stack("prod/net", "interrupted"))
    for result in (whole, one_stack):
        (each,) = list_rollout_notifications([result], OWNERS)
        assert each.event == "interrupted"


def test_break_glass_and_missing_checks_are_notifications_of_their_own() -> None:
    result = make_result(
        "applied",
        make_stack("prod/net", "applied"),
        past_rules={"prod/net": "it was applied past the rules: fire"},
        heartbeat="The last check for drift was 9 days ago.",
    )
    done, past_rules, stale = list_rollout_notifications([result], OWNERS)
    assert done.event == "rollout_done"
    assert (past_rules.event, past_rules.severity, past_rules.owners) == ("break_glass", "high", ("@ada",))
    assert past_rules.details == ("prod/net: it was applied past the rules: fire",)
    assert (stale.event, stale.summary) == ("check_stale", result.heartbeat)


def test_failed_checks_are_named() -> None:
    checks = (EnvironmentCheck("shop", ok=False, words="status 500"), EnvironmentCheck("api", ok=True))
    (each,) = list_rollout_notifications([replace(make_result("stopped"), checks=checks)], {})
    assert each.details == ("check shop: status 500",)

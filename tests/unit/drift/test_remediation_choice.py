"""What is to be put right, in which way, and what no remediation may do by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest

from orchestrator.config.drift import Action, Drift, RemediationLimits, Window
from orchestrator.drift.model import Category, DriftedAttribute, DriftedResource, MatchedIgnoreRule
from orchestrator.drift.remediation_choice import RemediationDecision, apply_limits, decide, is_window_open
from orchestrator.drift.report import StackDrift

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def resource(name: str, *categories: Category, **more: Any) -> DriftedResource:
    """A changed resource; its first class is that of the whole."""
    attributes = tuple(
        DriftedAttribute(f"a{at}", category, 1, 2, 1) for at, category in enumerate(categories)
    )
    actions = ("update",) if categories[0] in ("reverted", "conflict", "unapplied") else ()
    drifted_resource = DriftedResource(f"x_y.{name}", "x_y", "changed", categories[0], attributes, actions)
    return replace(drifted_resource, **more)


def stack(*resources: DriftedResource, **more: Any) -> StackDrift:
    return StackDrift("dev/a", "dev", "drifted", resources=resources, digest="d" * 64, **more)


def ways(decided: RemediationDecision) -> dict[str, tuple[str, ...]]:
    return {remediation.action: remediation.addresses for remediation in decided.remediations}


def reasons(decided: RemediationDecision) -> list[str]:
    return [skipped.words for skipped in decided.skipped]


ALL = stack(
    resource("r", "reverted", "noise"),
    resource("c", "conflict"),
    resource("o", "unapplied", kind="unapplied"),
    resource("u", "unmanaged"),
    resource("k", "codified"),
    resource("i", "ignored"),
    resource("n", "noise"),
)


def test_each_class_goes_its_own_way() -> None:
    configured_actions: dict[str, Action] = {
        "reverted": "revert",
        "conflict": "pr",
        "codified": "accept",
        "noise": "accept",
    }
    decision = decide(ALL, Drift(actions={"dev": configured_actions}))
    assert ways(decision) == {"revert": ("x_y.r",), "pr": ("x_y.c",), "accept": ("x_y.k", "x_y.n")}
    assert decision.skipped == ()
    assert {remediation.digest for remediation in decision.remediations} == {"d" * 64}


def test_nothing_is_done_where_nothing_is_configured() -> None:
    assert decide(ALL, Drift()) == RemediationDecision()
    assert decide(ALL, Drift(actions={"prod": {"reverted": "revert"}})) == RemediationDecision()


def test_noise_alone_is_accepted_only_when_a_person_requests_it() -> None:
    quiet = replace(stack(resource("n", "noise")), result="clean")
    assert decide(quiet, Drift(actions={"dev": {"noise": "accept"}})) == RemediationDecision()
    assert ways(decide(quiet, Drift(), "accept")) == {"accept": ("x_y.n",)}


def test_a_baseline_is_taken_over_by_a_persons_word_and_by_infra_yaml() -> None:
    """With noise beside it; an attribute of another class in the same resource stays in the way."""
    alone = stack(resource("b", "baseline", "noise"))
    assert ways(decide(alone, Drift(), "accept")) == {"accept": ("x_y.b",)}
    assert ways(decide(replace(alone, result="clean"), Drift(), "accept")) == {"accept": ("x_y.b",)}
    beside = stack(resource("b", "baseline"), resource("k", "codified"))
    configured_actions: dict[str, Action] = {"baseline": "accept", "codified": "accept"}
    assert ways(decide(beside, Drift(actions={"dev": configured_actions}))) == {"accept": ("x_y.b", "x_y.k")}
    mixed = decide(stack(resource("b", "baseline", "unmanaged")), Drift(), "accept")
    assert (ways(mixed), len(reasons(mixed))) == ({}, 1)


def test_a_person_may_choose_the_remediation_and_sees_what_is_impossible() -> None:
    decision = decide(ALL, Drift(), "accept")
    assert ways(decision) == {"accept": ("x_y.k", "x_y.i", "x_y.n")}
    assert reasons(decision) == [
        "dev/a x_y.r: a0 is reverted: the next apply would undo it",
        "dev/a x_y.c: a0 is conflict: the next apply would undo it",
        "dev/a x_y.o: a0 is unapplied: an apply is due there, and the state would not change that",
        "dev/a x_y.u: a0 is unmanaged: no apply would undo it, and nobody would see it any more; set it in "
        "the code, or name it in `drift.ignore`",
    ]
    reverted = decide(ALL, Drift(), "revert")
    assert ways(reverted) == {"revert": ("x_y.r", "x_y.c", "x_y.o")}
    assert [skipped.address for skipped in reverted.skipped] == ["x_y.u", "x_y.k"]


def test_one_attribute_that_an_apply_would_undo_keeps_its_resource_from_being_accepted() -> None:
    """Also one that a rule lets be: it would be taken into the state as well."""
    covered = DriftedAttribute(
        "b", "reverted", 1, 2, 1, rule=MatchedIgnoreRule("x_y.k", "b", "known", "2027-01-01")
    )
    mixed = resource("k", "codified")
    mixed = replace(mixed, attributes=(*mixed.attributes, covered))
    decision = decide(stack(mixed), Drift(), "accept")
    assert decision.remediations == ()
    assert reasons(decision) == ["dev/a x_y.k: b is reverted: the next apply would undo it"]


@pytest.mark.parametrize("forced", ["revert", "accept", "pr"])
def test_what_a_rule_covers_and_what_could_not_be_checked_is_left_alone(forced: Action) -> None:
    rule = MatchedIgnoreRule("x_y.r", "*", "known", "2027-01-01")
    assert decide(stack(resource("r", "reverted", rule=rule)), Drift(), forced) == RemediationDecision()
    assert decide(replace(ALL, result="unchecked"), Drift(), forced) == RemediationDecision()


def test_a_stack_that_is_half_applied_is_for_an_apply() -> None:
    decision = decide(replace(stack(resource("r", "reverted")), partial=True), Drift(), "revert")
    assert decision.remediations == ()
    assert "the next apply does the rest" in decision.skipped[0].why
    assert "`infra " not in decision.skipped[0].why, "a laptop's command is no advice where only CI applies"


def test_what_was_deleted_is_made_again_and_is_in_no_pull_request() -> None:
    drifted_resource = DriftedResource("x_y.g", "x_y", "deleted", "reverted", actions=("create",))
    assert ways(decide(stack(drifted_resource), Drift(), "revert")) == {"revert": ("x_y.g",)}
    assert reasons(decide(stack(drifted_resource), Drift(), "pr")) == [
        "dev/a x_y.g: it is deleted: there is no value in the code to write"
    ]
    forgotten = replace(drifted_resource, category="codified", actions=())
    assert ways(decide(stack(forgotten), Drift(), "accept")) == {"accept": ("x_y.g",)}


def test_limits_hold_without_a_person() -> None:
    stack_drift = stack(
        resource("a", "reverted"),
        resource("b", "reverted"),
        resource("replaced", "reverted", actions=("delete", "create")),
        resource("other", "reverted"),
    )
    decided = decide(stack_drift, Drift(), "revert")
    inside = apply_limits(decided, RemediationLimits(addresses=("x_y.?", "x_y.replaced")), NOON)
    assert ways(inside) == {"revert": ("x_y.a", "x_y.b")}
    assert [skipped.address for skipped in inside.skipped] == ["x_y.replaced", "x_y.other"]
    assert ways(apply_limits(decided, RemediationLimits(deletes=True), NOON))["revert"][2] == "x_y.replaced"
    many = apply_limits(decided, RemediationLimits(max=2), NOON)
    assert many.remediations == ()
    assert many.skipped[-1].why == "3 changes are more than `drift.limits.max`, 2"
    # However they are put right: one of them by an apply, one by a pull request.
    configured_actions: dict[str, Action] = {"reverted": "revert", "conflict": "pr"}
    two = decide(
        stack(resource("a", "reverted"), resource("c", "conflict")),
        Drift(actions={"dev": configured_actions}),
    )
    assert len(two.remediations) == 2
    assert apply_limits(two, RemediationLimits(max=1), NOON).remediations == ()
    closed = apply_limits(decided, RemediationLimits(window=Window(start=time(1), end=time(2))), NOON)
    assert (closed.remediations, len(closed.skipped)) == ((), 1)


# 2026-01-05 is a Monday.
@pytest.mark.parametrize(
    ("window", "at", "is_in"),
    [
        (None, "05T12:00", True),
        (Window(), "05T00:00", True),
        (Window(start=time(2), end=time(5)), "05T02:00", True),
        (Window(start=time(2), end=time(5)), "05T05:00", False),
        (Window(start=time(2), end=time(5), zone="Europe/Berlin"), "05T01:30", True),
        (Window(("mon",), time(22), time(6)), "05T23:00", True),
        (Window(("mon",), time(22), time(6)), "06T05:00", True),
        (Window(("mon",), time(22), time(6)), "05T05:00", False),
        (Window(("tue",), time(22), time(6)), "06T05:00", False),
        (Window(("mon",), time(20), time(0)), "05T23:59", True),
        (Window(("mon",), time(20), time(0)), "06T00:00", False),
    ],
)
def test_when_something_may_be_put_right(window: Window | None, at: str, is_in: bool) -> None:
    assert is_window_open(window, datetime.fromisoformat(f"2026-01-{at}:00+00:00")) is is_in


@pytest.mark.parametrize(
    ("at", "is_in"), [("03-28T01:30", True), ("03-29T01:30", False), ("03-29T00:30", True)]
)
def test_a_window_follows_its_zone_through_the_year(at: str, is_in: bool) -> None:
    """At the end of March the clocks of Berlin go from 02:00 to 03:00."""
    window = Window(start=time(1), end=time(3), zone="Europe/Berlin")
    assert is_window_open(window, datetime.fromisoformat(f"2026-{at}:00+00:00")) is is_in

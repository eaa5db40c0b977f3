"""What the policy says of plans, rule by rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.config import load_text
from orchestrator.config.globs import matches
from orchestrator.config.rules import Policy
from orchestrator.masking import Masker
from orchestrator.plan.cost import MonthlyCost, unknown_cost
from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.plan.policy import (
    PlanSize,
    PolicyContext,
    Violation,
    check_sizes,
    evaluate,
    size_of,
    size_of_digest,
)
from orchestrator.plan.reader import read_plan


def change(
    address: str,
    *actions: str,
    after: dict[str, Any] | None = None,
    unknown: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One entry of `resource_changes`."""
    type_name = address.split(".")[-2] if "." in address else address
    body = {"actions": list(actions), "before": {}, "after": after or {}, "after_unknown": unknown or {}}
    return {"address": address, "mode": "managed", "type": type_name, "change": body, **more}


def document(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(changes)}


def evaluate_changes(
    policy: str,
    *changes: dict[str, Any],
    environment: str = "prod",
    protected: bool = True,
    allowed: bool = False,
) -> tuple[Violation, ...]:
    plan_document = document(*changes)
    plan: Plan = read_plan(json.dumps(plan_document), Masker())
    rules: Policy = load_text(f"policy: {policy}").policy
    return evaluate(plan, plan_document, rules, PolicyContext(environment, protected, allowed))


def messages(violations: Sequence[Violation]) -> list[tuple[str, str]]:
    return [(violation.severity, violation.rule) for violation in violations]


GONE = change("google_sql_database_instance.main", "delete")
REPLACED = change('module.db.google_sql_database_instance.main["a"]', "delete", "create")
MADE = change("google_storage_bucket.b", "create")


@pytest.mark.parametrize(
    ("policy", "protected", "allowed", "expected"),
    [
        ("{}", True, False, [("error", "destroy")]),
        ("{}", True, True, [("warning", "destroy")]),
        ("{}", False, False, [("warning", "destroy")]),
        ("{destroy: {prod: allow}}", True, False, []),
        ("{destroy: {prod: warn}}", True, False, [("warning", "destroy")]),
        ("{destroy: {prod: label}}", False, False, [("error", "destroy")]),
        ("{destroy: {prod: prevent}}", False, True, [("error", "destroy")]),
        ("{destroy: {dev: prevent}}", False, False, [("warning", "destroy")]),
    ],
)
def test_what_it_takes_to_delete(
    policy: str, protected: bool, allowed: bool, expected: list[tuple[str, str]]
) -> None:
    for deletion in (GONE, REPLACED, change("a.b", "create", "delete")):
        assert (
            messages(evaluate_changes(policy, MADE, deletion, protected=protected, allowed=allowed))
            == expected
        )


def test_nothing_deleted_is_nothing_to_report() -> None:
    allowed_changes = (MADE, change("a.b", "update"), change("a.c", "forget"), change("a.d", "no-op"))
    assert evaluate_changes("{destroy: {prod: prevent}}", *allowed_changes) == ()


def test_all_that_goes_is_one_violation_that_names_the_first_few() -> None:
    (violation,) = evaluate_changes("{}", *(change(f"a.b{number}", "delete") for number in range(7)))
    assert "a.b0, a.b1, a.b2, a.b3, a.b4 and 2 more" in violation.message
    assert "allow-destroy" in violation.message
    assert violation.address == "a.b0"
    (violation,) = evaluate_changes("{label: go-on}", GONE)
    assert "`go-on`" in violation.message
    (violation,) = evaluate_changes("{destroy: {prod: prevent}}", GONE)
    assert "policy: {destroy: {prod: prevent}}" in violation.advice


@pytest.mark.parametrize(
    ("entry", "hit"),
    [
        ("{type: google_sql_*, reason: Data.}", True),
        ("{type: google_storage_*, reason: Data.}", False),
        ("{address: 'module.db.*', reason: Data.}", True),
        ("{address: 'module.db.google_sql_database_instance.main[\"a\"]', reason: Data.}", True),
        ("{address: 'google_sql_database_instance.*', reason: Data.}", False),
        ("{type: google_sql_*, address: 'module.other.*', reason: Data.}", False),
        ("{type: google_sql_*, environments: [prod], reason: Data.}", True),
        ("{type: google_sql_*, environments: [dev, stag*], reason: Data.}", False),
    ],
)
def test_protected_resources(entry: str, hit: bool) -> None:
    policy = f"{{destroy: {{prod: allow}}, protect: [{entry}]}}"
    violations = evaluate_changes(policy, REPLACED, MADE, allowed=True)
    assert messages(violations) == ([("error", "protect")] if hit else [])
    assert all(
        "replace module.db" in violation.message and "Data." in violation.message for violation in violations
    )
    assert evaluate_changes(policy, change(REPLACED["address"], "update"), MADE) == ()


def test_a_resource_that_moved_is_protected_under_its_old_name() -> None:
    moved = change("a.new", "delete", "create", previous_address="a.old")
    policy = "{destroy: {prod: allow}, protect: [{address: a.old, reason: Data.}]}"
    assert messages(evaluate_changes(policy, moved)) == [("error", "protect")]


LABELS = "{labels: {required: [team, cost]}}"
BOTH = {"team": "a", "cost": "1"}


@pytest.mark.parametrize(
    ("after", "unknown", "expected"),
    [
        ({"labels": BOTH}, {}, []),
        ({"labels": {"team": "a"}}, {}, [("error", "labels")]),
        ({"labels": None}, {}, [("error", "labels")]),
        ({"labels": None, "effective_labels": BOTH}, {}, []),
        ({"labels": {"team": "a"}, "terraform_labels": {"cost": "1"}}, {}, []),
        ({"user_labels": BOTH}, {}, []),
        ({"labels": {"team": "a"}}, {"labels": {"cost": True}}, []),
        ({}, {"labels": True}, [("warning", "labels")]),
        ({"labels": {}}, {"effective_labels": True}, [("error", "labels")]),
        ({"name": "x"}, {}, []),
        ({"tags": ["web"]}, {}, []),
        ({"tags": None, "name": "x"}, {}, []),
    ],
)
def test_required_labels(after: dict[str, Any], unknown: dict[str, Any], expected: list[Any]) -> None:
    for actions in (("create",), ("update",), ("delete", "create")):
        bucket_change = change("google_storage_bucket.b", *actions, after=after, unknown=unknown)
        assert [
            each
            for each in messages(evaluate_changes(LABELS, bucket_change, allowed=True))
            if each[1] == "labels"
        ] == expected


def test_tags_are_labels_outside_google() -> None:
    violations = evaluate_changes(LABELS, change("aws_s3_bucket.b", "create", after={"tags": {"team": "a"}}))
    assert [violation.message for violation in violations] == ["aws_s3_bucket.b lacks the label cost."]
    assert evaluate_changes(LABELS, change("aws_s3_bucket.b", "create", after={"tags_all": BOTH})) == ()


def test_labels_are_required_by_the_rule() -> None:
    bare = change("google_storage_bucket.b", "create", after={"labels": {}})
    assert evaluate_changes("{labels: {required: [team], types: [google_sql_*]}}", bare) == ()
    assert evaluate_changes("{labels: {required: [team], environments: [dev]}}", bare) == ()
    assert evaluate_changes(LABELS, change("google_storage_bucket.b", "no-op", after={"labels": {}})) == ()
    data = change("google_storage_bucket.b", "create", after={"labels": {}}) | {"mode": "data"}
    assert evaluate_changes(LABELS, data) == ()
    (violation,) = evaluate_changes(LABELS, bare)
    assert violation.message == "google_storage_bucket.b lacks the labels team, cost."


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        ("{}", None),
        ("{stacks: 2, resources: 9, deletes: 2}", None),
        ("{stacks: 1}", "2 stacks in prod; 1 is the limit"),
        ("{resources: 8}", "9 resources in prod; 8"),
        ("{deletes: 1}", "2 deletions in prod; 1"),
        ("{deletes: 0}", "2 deletions in prod; 0"),
    ],
)
def test_limits(limits: str, over: str | None) -> None:
    sizes = {"prod/a": PlanSize(7, 2), "prod/b": PlanSize(2, 0), "prod/c": PlanSize(0, 0)}
    violations = check_sizes(sizes, load_text(f"policy: {{limits: {limits}}}").policy, "prod")
    assert [over in violation.message for violation in violations if over] == ([True] if over else [])
    assert messages(violations) == ([("error", "limits")] if over else [])


USD = MonthlyCost(60, "USD")
UNKNOWN = unknown_cost("there is no program infracost on PATH")


@pytest.mark.parametrize(
    ("costs", "over"),
    [
        ([USD, None], "is not known: prod/1: it was not estimated; 100.00 is the limit."),
        ([USD, UNKNOWN], "is not known: prod/1: there is no program infracost on PATH; 100.00"),
        ([USD, USD], "This change adds 120.00 USD to the monthly cost of prod; 100.00 is the limit."),
        ([USD, MonthlyCost(40, "USD")], None),
        ([USD, MonthlyCost(-600, "USD")], None),
    ],
)
def test_a_limit_of_the_cost_fails_closed(costs: list[MonthlyCost | None], over: str | None) -> None:
    policy = load_text("cost: infracost\npolicy: {limits: {cost: 100}}").policy
    sizes = {f"prod/{number}": PlanSize(1, 0, cost) for number, cost in enumerate(costs)}
    violations = check_sizes({**sizes, "prod/outputs": PlanSize(0, 0)}, policy, "prod")
    assert [(v.severity, over in v.message) for v in violations if over] == (
        [("error", True)] if over else []
    )
    assert bool(violations) == bool(over)
    assert policy.is_limited


@pytest.mark.parametrize(
    ("fact", "cost"),
    [
        ({"difference": 60, "currency": "USD"}, USD),
        (None, None),
        ("60", None),
        ({"difference": None}, None),
        ({"difference": 60, "currency": "$"}, None),
    ],
)
def test_the_cost_of_a_digest_is_one_or_not_known(fact: object, cost: MonthlyCost | None) -> None:
    digest = Digest("prod/a", "", "", facts={} if fact is None else {"cost": fact})
    assert size_of_digest(digest).cost == cost


def test_what_counts_towards_the_limits() -> None:
    counts = {"create": 1, "update": 2, "replace": 4, "delete": 8, "import": 16, "move": 32, "forget": 64}
    assert size_of(counts) == PlanSize(79, 12)


@pytest.mark.parametrize(
    ("value", "glob", "expected"),
    [
        ('a.b["x"]', 'a.b["x"]', True),
        ('a.b["x"]', 'a.b["?"]', True),
        ("a.b", "a*", True),
        ("a.b", "a.?", True),
        ("a.b", "b", False),
        ("a.b", "A.B", False),
    ],
)
def test_globs(value: str, glob: str, expected: bool) -> None:
    assert matches(value, ["never", glob]) is expected

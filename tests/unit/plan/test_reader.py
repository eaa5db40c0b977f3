"""Recorded plans of real Terraform: who changes, how, in which attributes; and nothing secret in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PlanFileError
from orchestrator.masking import HIDDEN, Masker
from orchestrator.plan.model import AttributeChange, Plan
from orchestrator.plan.reader import read_plan

RECORDED = Path(__file__).parents[2] / "data" / "plans"
CASES = sorted(path.parent.name for path in RECORDED.glob("*/plan.json"))


def load(case: str) -> Plan:
    return read_plan((RECORDED / case / "plan.json").read_bytes(), Masker())


def attributes(plan: Plan, address: str) -> dict[str, AttributeChange]:
    (change,) = [change for change in plan.changes if change.address == address]
    return {attribute.path: attribute for attribute in change.attributes}


COUNTS = {
    "create": {"create": 4},
    "update": {"update": 1},
    "replace": {"replace": 2},
    "delete": {"delete": 2},
    "no-op": {},
    "moved": {"move": 2, "update": 1},
    "import": {"import": 2, "update": 1},
    "forget": {"forget": 1},
    "sensitive": {"create": 1, "update": 2},
    "outputs": {},
    "data": {"create": 2},
    "encoded": {"create": 6},
    "deposed": {"delete": 1},
    "checks": {"create": 1},
}


@pytest.mark.parametrize("case", CASES)
def test_counts(case: str) -> None:
    plan = load(case)
    assert {key: number for key, number in plan.counts.items() if number} == COUNTS[case]
    assert list(plan.counts) == ["create", "update", "replace", "delete", "import", "move", "forget"]
    assert plan.terraform_version
    assert plan.format_version.startswith("1.")
    assert plan.complete
    assert not plan.errored


@pytest.mark.parametrize("case", CASES)
def test_no_secret_leaves_a_plan(case: str) -> None:
    plan = load(case)
    diff = (RECORDED / case / "diff.txt").read_text()
    masked = plan.mask(diff)
    text = json.dumps([change.document() for change in plan.changes]) + repr(plan)
    assert "hunter2" not in masked + text
    if "hunter2" not in diff:
        assert masked == diff


def test_what_is_no_secret_stays_in_the_diff() -> None:
    masked = load("encoded").mask((RECORDED / "encoded" / "diff.txt").read_text())
    for line in (
        '                  + name  = "DB_PASSWORD"',
        '                  + value = "b"',
        '              + user     = "bob"',
        '                "user": "bob"'.removeprefix("    "),
        "            #!/bin/sh",
        '          + size     = "12"',
        f"          + password = {HIDDEN}",
        f"          + token    = {HIDDEN}",
        f"          + secrets = {HIDDEN}",
        f"      + input  = {HIDDEN}",
    ):
        assert line in masked.splitlines()
    assert "Plan: 6 to add" in masked


def test_created_attributes_unknown_ones_inside_of_known_ones() -> None:
    plan = load("create")
    changes = attributes(plan, "terraform_data.second")
    assert changes["id"] == AttributeChange("id", None, None, unknown=True)
    assert changes["input.from_first"].unknown
    assert changes["input.list[1]"].unknown
    assert changes["input.list[0]"] == AttributeChange("input.list[0]", None, "x")
    assert changes['input.labels["a b"]'].after == "c"
    assert changes["input.text"].after == "one\ntwo\n"
    assert changes["input.number"].after == 12345678901234567890
    assert "input.nothing" not in changes
    assert [change.address for change in plan.shown_changes] == [
        "terraform_data.first",
        "terraform_data.second",
        'module.child.terraform_data.many["a"]',
        'module.child.terraform_data.many["b"]',
    ]
    assert all(change.is_create and not change.is_destructive for change in plan.changes)


def test_updated_attributes() -> None:
    assert list(attributes(load("update"), "terraform_data.main").values()) == [
        AttributeChange("input.added", None, True),
        AttributeChange("input.gone", 1, None),
        AttributeChange("input.list[1]", "b", "c"),
        AttributeChange("input.list[2]", "c", None),
        AttributeChange("input.name", "old", "new"),
        AttributeChange("output", {"gone": 1, "list": ["a", "b", "c"], "name": "old", "same": "same"}, None,
                        unknown=True),
    ]  # fmt: skip


def test_replacements_state_what_forces_them() -> None:
    plan = load("replace")
    careful, main = plan.shown_changes
    assert main.actions == ("delete", "create")
    assert careful.actions == ("create", "delete")
    assert main.replace_paths == ("triggers_replace",)
    assert main.action_reason == "replace_because_cannot_update"
    assert main.is_replace
    assert main.is_destructive
    assert not any((main.is_create, main.is_delete, main.is_update))
    assert plan.is_destructive


def test_moves_and_imports_may_change_as_well() -> None:
    moved = {change.address: change for change in load("moved").shown_changes}
    assert moved["terraform_data.new"].is_move
    assert moved["terraform_data.new"].is_no_op
    assert moved["terraform_data.new"].previous_address == "terraform_data.old"
    assert moved["terraform_data.new_and_changed"].counted_as == ("update", "move")
    imported = {change.address: change for change in load("import").shown_changes}
    assert imported["terraform_data.as_it_is"].counted_as == ("import",)
    assert imported["terraform_data.main"].counted_as == ("update", "import")
    assert imported["terraform_data.main"].import_id == "the-id"


def test_forgotten_and_deposed_objects() -> None:
    (forgotten,) = load("forget").shown_changes
    assert forgotten.is_forget
    assert not forgotten.is_destructive
    (deposed,) = load("deposed").shown_changes
    assert deposed.is_delete
    assert deposed.deposed == "0a1b2c3d"


def test_a_plan_without_changes() -> None:
    plan = load("no-op")
    assert not plan.has_changes
    assert plan.shown_changes == ()
    assert plan.changed_outputs == ()


def test_a_plan_of_outputs_only_is_a_change() -> None:
    plan = load("outputs")
    assert plan.has_changes
    assert plan.shown_changes == ()
    assert plan.changed_outputs == ("added", "changed", "removed")
    assert plan.outputs["changed"].actions == ("update",)
    assert (plan.outputs["changed"].before, plan.outputs["changed"].after) == ("old", "new")
    assert plan.outputs["removed"].actions == ("delete",)
    assert not plan.outputs["same"].is_changed


def test_data_sources_are_read_and_not_counted() -> None:
    plan = load("data")
    (data,) = [change for change in plan.changes if change.mode == "data"]
    assert data.is_read
    assert data not in plan.shown_changes


def test_sensitive_values_are_hidden_on_both_sides() -> None:
    plan = load("sensitive")
    main = attributes(plan, "terraform_data.main")
    assert main["input.a"] == AttributeChange("input.a", HIDDEN, HIDDEN, sensitive=True)
    assert main["input.d"] == AttributeChange("input.d", "c", "d")
    assert main["input.c[1]"].sensitive
    by_name = attributes(plan, "terraform_data.by_name")
    assert by_name["input.db_password"].after == HIDDEN
    assert by_name["input.pin_token"].after == HIDDEN
    assert by_name["input.enabled"].after is True
    assert by_name["input.plain"].after == f"copy of {HIDDEN}"
    marked = attributes(plan, "terraform_data.now_marked")
    assert marked == {"input.a": AttributeChange("input.a", HIDDEN, HIDDEN, sensitive=True)}
    assert plan.outputs["hidden"].sensitive
    assert plan.outputs["api_key"].after == HIDDEN
    assert plan.outputs["api_key"].raw_after == "output-hunter2"
    assert plan.outputs["hidden"].raw_after == "marked-hunter2"


def test_json_in_a_string_is_masked_by_leaf() -> None:
    change = attributes(load("encoded"), "terraform_data.json")["input"]
    assert json.loads(change.after)["user"] == "bob"
    assert json.loads(change.after)["password"] == HIDDEN
    assert json.loads(json.loads(change.after)["in"]) == {"token": HIDDEN}


def test_checks_are_reported_masked() -> None:
    plan = load("checks")
    check_blocks = {check.address: check for check in plan.checks}
    assert check_blocks["check.health"].status == "fail"
    assert check_blocks["check.health"].problems == (f"It is x, and password={HIDDEN}",)
    assert check_blocks["check.health"].kind == "check"
    assert "terraform_data.main" in check_blocks


READ = {"mode": "data", "type": "x", "change": {"actions": ["read"], "before": None, "after": {}}}
FOR_CHECK = {**READ, "address": "data.x.r", "name": "r", "action_reason": "read_because_check_nested"}
UNKNOWN = {**READ, "address": "data.x.s", "name": "s", "action_reason": "read_because_config_unknown"}
RESOURCE = {"mode": "managed", "type": "y", "name": "z", "address": "y.z"}
CREATED = {**RESOURCE, "change": {"actions": ["create"], "before": None, "after": {}}}
RESTING = {**RESOURCE, "change": {"actions": ["no-op"], "before": {}, "after": {}}}
OUTPUT = {"actions": ["update"], "before": 1, "after": 2}


@pytest.mark.parametrize(
    ("changes", "outputs", "expected"),
    [
        ([FOR_CHECK], {}, True),
        ([FOR_CHECK, RESTING], {}, True),
        ([], {}, False),
        ([RESTING], {}, False),
        ([UNKNOWN], {}, False),
        ([FOR_CHECK, UNKNOWN], {}, False),
        ([FOR_CHECK, CREATED], {}, False),
        ([FOR_CHECK], {"o": OUTPUT}, False),
    ],
)
def test_a_plan_that_only_reads_for_checks_changes_nothing(
    changes: list[dict[str, Any]], outputs: dict[str, Any], expected: bool
) -> None:
    plan = read_plan(document(resource_changes=changes, output_changes=outputs), Masker())
    assert plan.is_for_checks_only == expected


def document(**more: Any) -> bytes:
    return json.dumps({"format_version": "1.2", "terraform_version": "1.11.4", **more}).encode()


REFUSED = [
    (b"not json", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "names no format version"),
    (b'{"format_version": 1}', "names no format version"),
    (document(format_version="2.0"), "format 2.0; format 1.x is known"),
    (document(values={}), "a state, not a plan"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED)
def test_what_is_no_plan_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PlanFileError, match=words) as caught:
        read_plan(data, Masker())
    assert caught.value.advice


def test_a_newer_minor_format_is_read_and_empty_arrays_may_be_left_out() -> None:
    plan = read_plan(document(format_version="1.99", errored=True), Masker())
    assert (plan.errored, plan.applyable, plan.complete) == (True, False, False)
    assert not plan.has_changes


def test_drift_has_the_shape_of_changes() -> None:
    drift = {
        "address": "a.b",
        "type": "a",
        "change": {"actions": ["update"], "before": {"x": 1, "y": [1]}, "after": {"x": 2, "y": []}},
    }
    (change,) = read_plan(document(resource_drift=[drift]), Masker()).drift
    assert change.attributes == (AttributeChange("x", 1, 2), AttributeChange("y[0]", 1, None))


EMPTY_VALUES = [
    ({"a": []}, {"a": {}}, [AttributeChange("a", [], {})]),
    ({"a": None}, {"a": []}, [AttributeChange("a", None, [])]),
    ({"a": {"b": 1}}, {"a": None}, [AttributeChange("a.b", 1, None)]),
    ({"a": "x"}, {"a": {"b": 1}}, [AttributeChange("a", "x", {"b": 1})]),
    ({"a": 1}, {"a": True}, [AttributeChange("a", 1, True)]),
    ({"a": {}}, {"a": {"b": None}}, []),
]


@pytest.mark.parametrize(("before", "after", "expected"), EMPTY_VALUES)
def test_values_that_change_their_kind(before: Any, after: Any, expected: list[AttributeChange]) -> None:
    change = {"actions": ["update"], "before": before, "after": after}
    plan = read_plan(document(resource_changes=[{"address": "a.b", "change": change}]), Masker())
    assert list(plan.changes[0].attributes) == expected

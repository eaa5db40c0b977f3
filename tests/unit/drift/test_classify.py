"""The class of every attribute that changed outside, in recorded plans and by table."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.drift import IgnoreRule
from orchestrator.drift.classify import classify, find_drift_in_diff
from orchestrator.drift.facts import read_code
from orchestrator.drift.model import CodedResource, DriftedResource, DriftFacts
from orchestrator.drift.rules import covers, is_volatile, matches_path, shipped_volatile
from orchestrator.masking import HIDDEN, Masker
from orchestrator.plan.reader import read_plan

RECORDED = Path(__file__).parents[2] / "data" / "plans" / "drift"
CASES = sorted(path.parent.name for path in RECORDED.glob("*/plan.json"))
GOOGLE = "registry.terraform.io/hashicorp/google"


def facts_of(case: Path, folder: Path) -> DriftFacts:
    """What is known of a recorded case: its code, laid out as it was, and what is computed only."""
    checked = case / "checked.tf"
    shutil.copy(checked if checked.exists() else case / "applied.tf", folder / "main.tf")
    if (case / "child").is_dir():
        shutil.copytree(case / "child", folder / "child")
    computed = json.loads((case / "computed.json").read_text())

    def is_computed_only(provider: str, kind: str, path: tuple[str | int, ...]) -> bool:
        names = [part for part in path if isinstance(part, str)]
        known = computed.get(provider, {}).get(kind, ())
        return any(".".join(names[:count]) in known for count in range(1, len(names) + 1))

    return DriftFacts(read_code(folder, case), shipped_volatile(), is_computed_only)


def classified(data: bytes, facts: DriftFacts) -> dict[str, DriftedResource]:
    resources = classify(read_plan(data, Masker()), json.loads(data), facts)
    assert len({resource.address for resource in resources}) == len(resources)
    return {resource.address: resource for resource in resources}


@pytest.mark.parametrize("case", CASES)
def test_every_attribute_of_a_recorded_plan_has_its_class(case: str, tmp_path: Path) -> None:
    data = (RECORDED / case / "plan.json").read_bytes()
    resources = classified(data, facts_of(RECORDED / case, tmp_path))
    classes = {
        address: {
            "kind": resource.kind,
            "class": resource.category,
            "actions": list(resource.actions),
            **({"who": resource.who, "when": resource.when} if resource.who else {}),
            "attributes": {part.path: part.category for part in resource.attributes},
        }
        for address, resource in resources.items()
    }
    assert classes == json.loads((RECORDED / case / "expected.json").read_text())


def test_no_value_that_is_sensitive_is_in_it(tmp_path: Path) -> None:
    data = (RECORDED / "table" / "plan.json").read_bytes()
    secret = classified(data, facts_of(RECORDED / "table", tmp_path))[
        "google_secret_manager_secret_version.secret"
    ]
    (attribute,) = secret.attributes
    assert (attribute.before, attribute.after, attribute.planned) == (HIDDEN, HIDDEN, HIDDEN)
    assert attribute.sensitive


def test_without_the_code_the_plan_itself_shows_what_is_set() -> None:
    data = (RECORDED / "table" / "plan.json").read_bytes()
    resources = classified(data, DriftFacts())
    assert resources["google_pubsub_topic.codified"].category == "codified"
    # Only the code says what it ignores.
    assert resources["google_pubsub_topic.ignored"].category == "codified"


def test_which_part_of_a_plans_diff_is_drift() -> None:
    plan = read_plan((RECORDED / "table" / "plan.json").read_bytes(), Masker())
    paths = {change.address: [part.path for part in change.attributes] for change in find_drift_in_diff(plan)}
    assert paths == {
        "google_pubsub_topic.conflict": ["message_retention_duration"],
        "google_pubsub_topic.gone": [],
        "google_pubsub_topic.reverted": ["labels.team", "message_retention_duration"],
        "google_secret_manager_secret_version.secret": ["secret_data"],
    }
    nested = read_plan((RECORDED / "nested" / "plan.json").read_bytes(), Masker())
    service = find_drift_in_diff(nested)[0]
    # The image drifted too, and the plan leaves it alone.
    assert [part.path for part in service.attributes] == [
        "template[0].containers[0].env[0].value",
        "template[0].max_instance_request_concurrency",
    ]


def plan_json(drift: dict[str, Any], change: dict[str, Any], **more: Any) -> bytes:
    """A plan with one resource, `x_y.z`: what drifted, and what is planned."""
    name = {"address": "x_y.z", "mode": "managed", "type": "x_y", "name": "z", "provider_name": "p"}
    return json.dumps(
        {
            "format_version": "1.2",
            "resource_drift": [{**name, "change": {"actions": ["update"], **drift}}],
            "resource_changes": [{**name, "change": change}],
            **more,
        }
    ).encode()


def one_attribute(before: Any, after: Any, planned: Any, written: CodedResource) -> str:
    """The class of the attribute `a`, of which this is known."""
    quiet = planned == after
    change = {
        "actions": ["no-op"] if quiet else ["update"],
        "before": {"a": after},
        "after": {"a": planned},
        "after_unknown": {},
    }
    data = plan_json({"before": {"a": before}, "after": {"a": after}}, change)
    resources = classified(data, DriftFacts({"x_y.z": written}))
    return resources["x_y.z"].attributes[0].category


SET = CodedResource(frozenset({("a",)}))
TABLE: list[tuple[Any, Any, Any, CodedResource, str]] = [
    # state, world, planned, the code, class
    (1, 5, 1, SET, "reverted"),
    (1, 5, 3, SET, "conflict"),
    (1, 5, 5, SET, "codified"),
    (1, 5, 5, CodedResource(), "unmanaged"),
    (1, 5, 5, CodedResource(frozenset({("a",)}), (("a",),)), "ignored"),
    (1, 5, 5, CodedResource(ignores_all=True), "ignored"),
    (None, "", "", CodedResource(), "noise"),
    (None, [], [], SET, "noise"),
    ({}, None, None, CodedResource(), "noise"),
    (None, "x", None, CodedResource(), "reverted"),
    ("", "x", None, SET, "reverted"),
    (True, 1, 1, SET, "codified"),
    (1, 5, 1, CodedResource(frozenset({("a",)}), (("a",),)), "reverted"),
    (["x"], ["x", "y"], ["x"], SET, "reverted"),
    ([{"k": 1}], [{"k": 2}], [{"k": 1}], CodedResource(frozenset({("a", "k")})), "reverted"),
    ([{"k": 1}], [{"k": 2}], [{"k": 2}], CodedResource(frozenset({("a", "k")})), "codified"),
    ([{"k": 1}], [{"k": 2}], [{"k": 2}], CodedResource(frozenset({("a", "other")})), "unmanaged"),
    ([{"k": 1}], [{"k": 2}], [{"k": 2}], CodedResource(ignores=(("a", 0, "k"),)), "ignored"),
    ([{"k": 1}], [{"k": 2}], [{"k": 2}], CodedResource(ignores=(("a", 1, "k"),)), "unmanaged"),
]


@pytest.mark.parametrize(("state", "world", "planned", "written", "category"), TABLE)
def test_the_table(state: Any, world: Any, planned: Any, written: CodedResource, category: str) -> None:
    assert one_attribute(state, world, planned, written) == category


def test_what_is_known_after_apply_is_noise_only_where_nobody_sets_it() -> None:
    change = {
        "actions": ["update"],
        "before": {"a": 5, "b": 2},
        "after": {"b": 1},
        "after_unknown": {"a": True},
    }
    data = plan_json({"before": {"a": 1, "b": 1}, "after": {"a": 5, "b": 2}}, change)
    assert classes_of(data, DriftFacts({"x_y.z": SET})) == {"a": "conflict", "b": "reverted"}
    by_itself = DriftFacts(
        {"x_y.z": CodedResource()}, computed_only=lambda provider, kind, path: path == ("a",)
    )
    assert classes_of(data, by_itself) == {"a": "noise", "b": "reverted"}
    assert classes_of(data, DriftFacts({"x_y.z": CodedResource()})) == {"a": "unmanaged", "b": "reverted"}


def classes_of(data: bytes, facts: DriftFacts) -> dict[str, str]:
    return {attribute.path: attribute.category for attribute in classified(data, facts)["x_y.z"].attributes}


NEVER_CLEAN: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    # what drifted, what is planned, the attributes that count
    ({"a": ["", None]}, {"after": {"a": ""}, "after_unknown": {}}, {"a": "reverted"}),
    ({"a": [1, 5]}, {"after": {}, "after_unknown": {"a": True}}, {"a": "unapplied"}),
    ({"a": [1, 5]}, {"after": {"a": 5}, "after_unknown": {"b": True}}, {"a": "noise", "b": "unapplied"}),
    ({"a": [1, 5]}, {"after": {"a": 5}, "after_unknown": {}}, {}),
]


@pytest.mark.parametrize(("drift", "planned", "classes"), NEVER_CLEAN)
def test_drift_is_never_quiet_where_the_plan_changes_the_resource(
    drift: dict[str, Any], planned: dict[str, Any], classes: dict[str, str]
) -> None:
    before, after = ({name: pair[at] for name, pair in drift.items()} for at in (0, 1))
    change = {"actions": ["update"], "before": after, **planned}
    facts = DriftFacts({"x_y.z": CodedResource()}, ("x_y.a",))
    data = plan_json({"before": before, "after": after}, change)
    resource = classified(data, facts)["x_y.z"]
    assert not resource.is_quiet
    assert {attribute.path: attribute.category for attribute in resource.attributes} == classes


ZEROS: list[tuple[Any, Any, CodedResource, str]] = [
    # state, world, the code, class; the plan leaves it alone
    (None, 0, CodedResource(), "noise"),
    (False, None, CodedResource(), "noise"),
    ("", None, CodedResource(), "noise"),
    (None, False, SET, "codified"),
    (0, None, SET, "codified"),
    (None, 1, CodedResource(), "unmanaged"),
    ([{"k": None}, {"k": 1}], [{"k": 0}, {"k": 1}], CodedResource(), "noise"),
    (
        [{"k": 0}, {"k": None}],
        [{"k": None}, {"k": 0}],
        CodedResource(frozenset({("a", ""), ("a", "other")})),
        "noise",
    ),
    (None, [{"k": 0}], CodedResource(), "unmanaged"),
]


@pytest.mark.parametrize(("state", "world", "written", "category"), ZEROS)
def test_a_zero_value_of_what_the_code_leaves_unset_is_noise(
    state: Any, world: Any, written: CodedResource, category: str
) -> None:
    assert one_attribute(state, world, world, written) == category


def test_a_block_is_put_back_though_the_plan_leaves_out_its_zero_values() -> None:
    rule = {"a": [{"days": 0, "state": "x"}]}
    after = {"a": [{"days": None, "state": "x"}]}
    change = {"actions": ["update"], "before": {"a": []}, "after": after, "after_unknown": {}}
    data = plan_json({"before": rule, "after": {"a": []}}, change)
    written = CodedResource(frozenset({("a", ""), ("a", "state")}))
    assert classes_of(data, DriftFacts({"x_y.z": written})) == {"a": "reverted"}
    exact = CodedResource(frozenset({("a", ""), ("a", "state"), ("a", "days")}))
    assert classes_of(data, DriftFacts({"x_y.z": exact})) == {"a": "conflict"}


def test_what_the_code_does_not_set_has_no_third_value() -> None:
    assert one_attribute("hash", "other", "different hash", CodedResource()) == "reverted"
    assert one_attribute("hash", "other", "third", SET) == "conflict"


MERGED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, str]]] = [
    # in the state, in the world, planned; classes
    (
        {"labels": {"env": "dev"}, "effective_labels": {"env": "dev"}},
        {"labels": {"env": "dev"}, "effective_labels": {"env": "dev", "x": "y"}},
        {"labels": {"env": "dev"}, "effective_labels": {"env": "dev", "x": "y"}},
        {"effective_labels.x": "unmanaged"},
    ),
    (
        {"tags": {"env": "dev"}, "tags_all": {"env": "dev"}},
        {"tags": {"env": "hack"}, "tags_all": {"env": "hack"}},
        {"tags": {"env": "dev"}, "tags_all": {"env": "dev"}},
        {"tags.env": "reverted", "tags_all.env": "reverted"},
    ),
    (
        {"annotations": {"a": "1"}, "effective_annotations": {"a": "1"}},
        {"annotations": {"a": "2"}, "effective_annotations": {"a": "2"}},
        {"annotations": {"a": "2"}, "effective_annotations": {"a": "2"}},
        {"annotations.a": "codified", "effective_annotations.a": "codified"},
    ),
    # No such map in the code: an attribute like any other, which only the provider sets.
    (
        {"effective_size": {"a": 1}},
        {"effective_size": {"a": 2}},
        {"effective_size": {"a": 2}},
        {"effective_size.a": "noise"},
    ),
]


@pytest.mark.parametrize(("state", "world", "planned", "classes"), MERGED)
def test_a_merged_map_is_checked_by_what_it_adds_to_the_codes(
    state: dict[str, Any], world: dict[str, Any], planned: dict[str, Any], classes: dict[str, str]
) -> None:
    actions = ["no-op"] if planned == world else ["update"]
    data = plan_json(
        {"before": state, "after": world},
        {"actions": actions, "before": world, "after": planned, "after_unknown": {}},
    )
    written = CodedResource(frozenset({("labels",), ("tags",), ("annotations",)}))
    facts = DriftFacts(
        {"x_y.z": written}, computed_only=lambda provider, kind, path: str(path[0])[:9] == "effective"
    )
    assert classes_of(data, facts) == classes


def test_a_replacement_reports_only_its_cause() -> None:
    world = {"cause": "new", "text": "", "hold": False, "hash": "h", "size": 1}
    change = {
        "actions": ["delete", "create"],
        "before": world,
        "after": {"cause": None, "text": None, "hold": None, "hash": "different hash", "size": 2},
        "after_unknown": {"id": True},
        "replace_paths": [["cause"]],
    }
    facts = DriftFacts({"x_y.z": CodedResource(frozenset({("size",), ("hold",)}))})
    drifted = plan_json({"before": {**world, "cause": ""}, "after": world}, change)
    assert classes_of(drifted, facts) == {"cause": "reverted", "size": "unapplied", "hold": "unapplied"}
    pending = json.dumps({**json.loads(drifted), "resource_drift": []}).encode()
    assert classes_of(pending, facts) == {"cause": "unapplied", "size": "unapplied", "hold": "unapplied"}


def sibling_class(before: dict[str, Any], after: dict[str, Any], kind: str, sibling: dict[str, Any]) -> str:
    """The class of the one attribute that differs beside another resource of the stack."""
    document = json.loads(
        plan_json(
            {"before": {"id": "i-1", **before}, "after": {"id": "i-1", **after}},
            {"actions": ["no-op"], "before": {"id": "i-1", **after}, "after": {"id": "i-1", **after}},
        )
    )
    other = {"address": "o.o", "mode": "managed", "type": kind, "name": "o", "provider_name": "p"}
    document["resource_changes"].append(
        {**other, "change": {"actions": ["no-op"], "before": sibling, "after": sibling}}
    )
    (attribute,) = classified(json.dumps(document).encode(), DriftFacts())["x_y.z"].attributes
    return attribute.category


POLICY, SPACED = '{"a":[1,2]}', '{ "a": [1, 2] }'
ARN = "arn:aws:iam::1:policy/p"
INGRESS = {"from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8"], "self": False, "description": ""}
SIBLINGS: list[tuple[dict[str, Any], dict[str, Any], str, dict[str, Any], str]] = [
    # in the state, in the world, type of the sibling, its attributes; class
    ({"policy": ""}, {"policy": POLICY}, "o", {"ref": "i-1", "policy": SPACED}, "noise"),
    ({"policy": ""}, {"policy": POLICY}, "o", {"ref": "i-2", "policy": SPACED}, "unmanaged"),
    ({"policy": ""}, {"policy": POLICY}, "o", {"ref": "i-1", "policy": "{}"}, "unmanaged"),
    ({"policy": ""}, {"policy": POLICY}, "o", {"ref": "i-1", "other": POLICY}, "unmanaged"),
    ({"policy": POLICY}, {"policy": ""}, "o", {"ref": "i-1", "policy": POLICY}, "noise"),
    ({"policy": ""}, {"policy": POLICY}, "o", {"name": "i-1", "policy": POLICY}, "unmanaged"),
    (
        {"rule": [{"n": "a", "v": "1"}]},
        {"rule": [{"n": "a", "v": "2"}]},
        "o",
        {"ref": "i-1", "n": "b", "v": "2"},
        "unmanaged",
    ),
    ({"arns": []}, {"arns": [ARN]}, "o", {"ref": "i-1", "policy_arn": ARN}, "noise"),
    ({"arns": []}, {"arns": [ARN, "byhand"]}, "o", {"ref": "i-1", "policy_arn": ARN}, "unmanaged"),
    ({"ingress": []}, {"ingress": [INGRESS]}, "o", {**INGRESS, "group": "i-1"}, "noise"),
    ({"ingress": []}, {"ingress": [INGRESS]}, "o", {**INGRESS, "to_port": 80, "group": "i-1"}, "unmanaged"),
    (
        {"versioning": [{"on": False}]},
        {"versioning": [{"on": True}]},
        "x_y_versioning",
        {"ref": "i-1"},
        "noise",
    ),
    ({"cors_rule": []}, {"cors_rule": [{"k": 1}]}, "x_y_cors_configuration", {"ref": "i-1"}, "noise"),
    ({"versioning": []}, {"versioning": [{"on": True}]}, "x_y_versioning", {"ref": "i-2"}, "unmanaged"),
    ({"versioning": []}, {"versioning": [{"on": True}]}, "x_y_other", {"ref": "i-1"}, "unmanaged"),
]


@pytest.mark.parametrize(("before", "after", "kind", "sibling", "category"), SIBLINGS)
def test_what_another_resource_of_the_stack_sets_is_noise(
    before: dict[str, Any], after: dict[str, Any], kind: str, sibling: dict[str, Any], category: str
) -> None:
    assert sibling_class(before, after, kind, sibling) == category


def test_a_list_whose_members_moved_is_reported_as_a_whole() -> None:
    first, two, new = {"k": 1}, {"k": 2}, {"k": 0}
    change = {"actions": ["no-op"], "before": {"a": [new, first, two]}, "after": {"a": [new, first, two]}}
    data = plan_json({"before": {"a": [first, two]}, "after": {"a": [new, first, two]}}, change)
    (attribute,) = classified(data, DriftFacts({"x_y.z": SET}))["x_y.z"].attributes
    assert attribute.path == "a"
    data = plan_json({"before": {"a": [first, two, new]}, "after": {"a": [new, first, two]}}, change)
    (attribute,) = classified(data, DriftFacts({"x_y.z": SET}))["x_y.z"].attributes
    assert attribute.path == "a"


def test_what_a_moved_upstream_leaves_pending_names_it() -> None:
    name = {"address": "x_y.z", "mode": "managed", "type": "x_y", "name": "z", "provider_name": "p"}
    change = {"actions": ["update"], "before": {"a": 1}, "after": {"a": 2}}
    document = {
        "format_version": "1.2",
        "resource_changes": [{**name, "change": change}],
        "relevant_attributes": [
            {"resource": "module.m.data.terraform_remote_state.net", "attribute": ["outputs", "x"]}
        ],
    }
    data = json.dumps(document).encode()
    moved = classified(data, DriftFacts(upstreams={"net": "dev/net"}))["x_y.z"]
    assert (moved.kind, moved.upstreams, moved.is_waiting) == ("unapplied", ("dev/net",), True)
    other = classified(data, DriftFacts(upstreams={"other": "dev/other"}))["x_y.z"]
    assert (other.upstreams, other.is_waiting) == ((), False)


def test_data_sources_are_never_drift() -> None:
    read = {
        "address": "data.x.y",
        "mode": "data",
        "type": "x",
        "change": {"actions": ["read"], "after": {"a": 1}},
    }
    document = {"format_version": "1.2", "resource_changes": [read], "resource_drift": [read]}
    assert classified(json.dumps(document).encode(), DriftFacts()) == {}


WHO_AND_WHEN = [
    # in the state, in the world, who, when
    ({"update_time": "1", "last_modifier": "tf"}, {"update_time": "2", "last_modifier": "ada"}, "ada", "2"),
    ({"update_time": "1", "last_modifier": "tf"}, {"update_time": "2", "last_modifier": "tf"}, "tf", "2"),
    ({"update_time": "1", "last_modifier": "tf"}, {"update_time": "1", "last_modifier": "tf"}, "", ""),
    ({"last_modifier": "tf"}, {"last_modifier": "ada"}, "ada", ""),
    ({"update_time": None}, {"update_time": 5}, "", ""),
]


@pytest.mark.parametrize(("before", "after", "who", "when"), WHO_AND_WHEN)
def test_who_and_when_is_reported_only_of_this_change(
    before: dict[str, Any], after: dict[str, Any], who: str, when: str
) -> None:
    change = {"actions": ["no-op"], "before": {**after, "a": 2}, "after": {**after, "a": 2}}
    data = plan_json({"before": {**before, "a": 1}, "after": {**after, "a": 2}}, change)
    resource = classified(data, DriftFacts())["x_y.z"]
    assert (resource.who, resource.when) == (who, when)


def test_a_deposed_object_is_not_taken_for_the_real_one() -> None:
    name = {"address": "x_y.z", "mode": "managed", "type": "x_y", "provider_name": "p"}
    drift = {**name, "deposed": "0a1b", "change": {"actions": ["delete"], "before": {"a": 1}, "after": None}}
    keep = {**name, "change": {"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}}}
    document = {"format_version": "1.2", "resource_changes": [keep], "resource_drift": [drift]}
    (resource,) = classified(json.dumps(document).encode(), DriftFacts()).values()
    assert (resource.kind, resource.deposed, resource.category) == ("deleted", "0a1b", "codified")


# Rules

RULE = IgnoreRule('x_y.z["a*"]', "labels", "r", date(2027, 1, 31))
COVERED = [
    (RULE, 'x_y.z["ab"]', "labels", "x", True),
    (RULE, 'x_y.z["ab"]', "labels.team", "x", True),
    (RULE, 'x_y.z["ab"]', "labels_too", "x", False),
    (RULE, 'x_y.z["b"]', "labels", "x", False),
    (RULE, 'x_y.z["ab"]', "", None, False),
    (replace(RULE, attribute="*"), 'x_y.z["ab"]', "", None, True),
    (replace(RULE, attribute="*"), 'x_y.z["ab"]', "a[0].b", 1, True),
    (replace(RULE, value="^9"), 'x_y.z["ab"]', "labels", "91", True),
    (replace(RULE, value="^9"), 'x_y.z["ab"]', "labels", "19", False),
    (replace(RULE, value="9"), 'x_y.z["ab"]', "labels", [1, 9], True),
    (replace(RULE, until=date(2027, 1, 1)), 'x_y.z["ab"]', "labels", "x", False),
    (replace(RULE, until=date(2027, 1, 2)), 'x_y.z["ab"]', "labels", "x", True),
]


@pytest.mark.parametrize(("rule", "address", "path", "value", "covered"), COVERED)
def test_rules(rule: IgnoreRule, address: str, path: str, value: Any, covered: bool) -> None:
    assert covers(rule, address, path, value, date(2027, 1, 2)) is covered


def test_globs_name_an_attribute_and_what_is_in_it() -> None:
    assert matches_path("template[0].containers[0].image", "template[0].containers[0].image")
    assert matches_path("template", "template[0].containers[0].image")
    assert matches_path("template*image", "template[0].containers[0].image")
    assert not matches_path("image", "template[0].containers[0].image")
    assert is_volatile(["a_b.t.count"], "a_b", "t[0].count")
    assert not is_volatile(["a_b.t.count"], "a_c", "t[0].count")
    assert is_volatile(shipped_volatile(), "google_colab_schedule", "next_run_time")
    assert not is_volatile(shipped_volatile(), "google_pubsub_topic", "labels.etag")


def test_a_covered_resource_is_quiet_and_states_by_what() -> None:
    change = {"actions": ["update"], "before": {"a": 5}, "after": {"a": 1}, "after_unknown": {}}
    data = plan_json({"before": {"a": 1, "b": 1}, "after": {"a": 5, "b": 2}}, change)
    rule = IgnoreRule("x_y.*", "a", "known", date(2030, 1, 1))
    resource = classified(data, DriftFacts(rules=(rule,)))["x_y.z"]
    assert {
        attribute.path: attribute.rule and attribute.rule.reason for attribute in resource.attributes
    } == {"a": "known", "b": None}
    assert not resource.is_quiet
    whole = replace(rule, attribute="*")
    assert classified(data, DriftFacts(rules=(whole,)))["x_y.z"].is_quiet

"""Labels, policies, functions and the shape of what the world says: the parts that need no Terraform."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.provider.datasources import policy_data
from orchestrator.sandbox.provider.functions import FUNCTIONS
from orchestrator.sandbox.provider.labels import plan_labels, read_labels
from orchestrator.sandbox.provider.schema import parse_block
from orchestrator.sandbox.provider.session import ProviderError, ProviderInstance
from orchestrator.sandbox.provider.shaping import from_world, keep_shape
from orchestrator.sandbox.provider.values import UNKNOWN
from orchestrator.sandbox.world.objects import WorldObject

LABELS = {"type": ["map", "string"], "optional": True}
MADE = {"type": ["map", "string"], "computed": True}
LABELLED = parse_block({"attributes": {"labels": LABELS, "terraform_labels": MADE, "effective_labels": MADE}})
MARK = {"goog-terraform-provisioned": "true"}


def planned(configured: Any, prior: Any = None, **session: Any) -> dict[str, Any]:
    state = {"labels": configured, "terraform_labels": UNKNOWN, "effective_labels": UNKNOWN}
    plan_labels(LABELLED, state, prior, ProviderInstance(**session))
    return state


def test_labels_of_a_new_resource() -> None:
    state = planned({"a": "1"}, labels={"all": "x"})
    assert state["terraform_labels"] == state["effective_labels"] == {"a": "1", "all": "x", **MARK}
    assert state["labels"] == {"a": "1"}
    assert planned(None, attribution=False)["effective_labels"] == {}
    assert planned({"a": UNKNOWN})["effective_labels"] == UNKNOWN


def test_labels_that_others_put_there_are_left_alone() -> None:
    prior = {
        "labels": {"a": "1", "gone": "x"},
        "terraform_labels": {"a": "1", "gone": "x"},
        "effective_labels": {"a": "1", "gone": "x", "theirs": "y"},
    }
    state = planned({"a": "2"}, prior)
    assert state["effective_labels"] == {"a": "2", "theirs": "y"}
    assert state["terraform_labels"] == {"a": "2"}


def test_labels_read_from_a_cloud_that_has_one_kind_only() -> None:
    known_state = {"labels": {"a": "1"}, "terraform_labels": {"a": "1", "all": "x", **MARK}}
    state: dict[str, Any] = {
        "effective_labels": {"a": "2", "all": "x", "hand": "made", **MARK},
        "labels": None,
        "terraform_labels": None,
    }
    read_labels(state, known_state)
    assert state["labels"] == {"a": "2", "hand": "made"}
    assert state["terraform_labels"] == {"a": "2", "all": "x", "hand": "made", **MARK}


@pytest.mark.parametrize(
    ("name", "before", "now", "expected"),
    [
        ("x", None, "", None),
        ("x", False, None, False),
        ("x", None, "a", "a"),
        ("location", "eu", "EU", "eu"),
        ("name", "eu", "EU", "EU"),
        ("bucket", "b", "b/b", "b"),
        ("x", UNKNOWN, "a", "a"),
    ],
)
def test_shape_of_text(name: str, before: Any, now: Any, expected: Any) -> None:
    assert keep_shape(name, before, now, "string") == expected


def test_shape_of_collections() -> None:
    type_ = ["list", ["object", {"a": "string", "b": "number"}]]
    assert keep_shape("x", [{"a": None, "b": 1}], [{"a": "", "b": 2}], type_) == [{"a": None, "b": 2}]
    assert keep_shape("x", [{"a": None, "b": 1}], [], type_) == []
    assert keep_shape("x", ["b", "a"], ["a", "b"], ["set", "string"]) == ["b", "a"]
    assert keep_shape("x", ["b", "a"], ["a", "b"], ["list", "string"]) == ["a", "b"]


def test_shape_of_a_policy() -> None:
    policy = '{"bindings":[{"role":"r","members":["b","a"]},{"role":"q","members":["c"]}]}'
    two = '{"bindings":[{"members":["c"],"role":"q"},{"members":["a","b"],"role":"r"}]}'
    assert keep_shape("policy_data", policy, two, "string") == policy
    assert keep_shape("policy_data", policy, two.replace("c", "d"), "string") == two.replace("c", "d")
    assert keep_shape("policy_data", "no json", "[1]", "string") == "[1]"


def test_what_the_world_cannot_know_comes_from_the_state() -> None:
    block = parse_block(
        {
            "attributes": {"name": {"type": "string"}, "mine": {"type": "bool", "optional": True}},
            "block_types": {
                "timeouts": {
                    "nesting_mode": "single",
                    "block": {"attributes": {"create": {"type": "string"}}},
                },
                "rule": {"nesting_mode": "list", "block": {}},
            },
        }
    )
    known_state = {"name": "old", "mine": True, "timeouts": {"create": "5m"}, "rule": []}
    item = WorldObject(
        "google", "t", "i", {"name": "new", "timeouts": {"create": "1m"}}, "", "", partial=True
    )
    assert from_world(block, item, known_state) == {**known_state, "name": "new"}
    whole = WorldObject("google", "t", "i", {"name": "new"}, "", "")
    assert from_world(block, whole, known_state) == {**known_state, "name": "new", "mine": None}
    with pytest.raises(ProviderError, match="t/i: mine: a bool required"):
        from_world(block, WorldObject("google", "t", "i", {"mine": "perhaps"}, "", ""), known_state)


def test_policies_are_written_in_one_order() -> None:
    binding = {"role": "roles/b", "members": ["user:z", "user:a"], "condition": []}
    condition = {"title": "t", "expression": "e", "description": None}
    other = {"role": "roles/a", "members": ["user:q"], "condition": [condition]}
    audit = {
        "service": "allServices",
        "audit_log_configs": [
            {"log_type": "DATA_READ", "exempted_members": ["user:b", "user:a"]},
            {"log_type": "ADMIN_READ", "exempted_members": []},
        ],
    }
    text = policy_data({"binding": [binding, other], "audit_config": [audit]})
    assert text == policy_data({"binding": [other, binding], "audit_config": [audit]})
    assert text == (
        '{"auditConfigs":[{"auditLogConfigs":[{"exemptedMembers":["user:a","user:b"],"logType":"DATA_READ"},'
        '{"logType":"ADMIN_READ"}],"service":"allServices"}],"bindings":[{"condition":{"expression":"e",'
        '"title":"t"},"members":["user:q"],"role":"roles/a"},{"members":["user:a","user:z"],"role":"roles/b"}]}'
    )
    assert policy_data({}) == "{}"


def test_locations_come_from_the_parent_then_from_the_provider() -> None:
    session = ProviderInstance(locations={"project": "p", "region": "r"})
    path = "projects/other/regions/there/subnetworks/s"
    assert session.location("project", path) == "other"
    assert session.location("region", path) == "there"
    assert session.location("location", path) == "r"
    assert session.location("project", "s") == "p"
    assert session.location("zone") is None


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("project_from_id", "projects/p/topics/t", "p"),
        ("location_from_id", "projects/p/locations/eu/services/s", "eu"),
        ("name_from_id", "projects/p/topics/t", "t"),
        ("region_from_zone", "europe-west1-b", "europe-west1"),
    ],
)
def test_functions(name: str, argument: str, result: str) -> None:
    assert FUNCTIONS[name](argument) == result


@pytest.mark.parametrize(
    ("name", "argument"), [("zone_from_id", "x"), ("region_from_zone", ""), ("region_from_zone", "a")]
)
def test_functions_refuse(name: str, argument: str) -> None:
    with pytest.raises(ValueError, match="input string"):
        FUNCTIONS[name](argument)

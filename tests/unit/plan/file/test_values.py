from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.msgpack import UNKNOWN
from orchestrator.plan.file.schemas import TypeSchemas
from orchestrator.plan.file.values import NO_MARKS, Marks, json_number, value_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (1.5, 1.5), (1e22, 10**22), ("0.1", 0.1), ("12345678901234567890", 12345678901234567890)],
)  # fmt: skip
def test_numbers_are_those_that_json_has(value: Any, expected: Any) -> None:
    number = json_number(value)
    assert (number, type(number)) == (expected, type(expected))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "x", '"1"', True, None, []])
def test_other_numbers_are_left_to_terraform(value: Any) -> None:
    with pytest.raises(UnprovenPlanError):
        json_number(value)


def test_marks_of_an_element_of_a_set_are_of_the_set() -> None:
    marks = Marks(attributes={"users": Marks(each=Marks(attributes={"password": Marks(is_marked=True)}))})
    user = ["object", {"name": "string", "password": "string"}]
    value = {"users": [{"name": "a", "password": "b"}]}
    in_list, in_set = (
        value_type(["object", {"users": [kind, user]}]).sensitive_tree(value, [marks])
        for kind in ("list", "set")
    )
    assert in_list == {"users": [{"password": True}]}
    assert in_set == {"users": True}


def test_a_mark_inside_a_set_is_left_to_terraform() -> None:
    marks = Marks()
    marks.add([(0,)])
    with pytest.raises(UnprovenPlanError, match="an element of a set"):
        value_type(["set", "string"]).sensitive_tree(["a"], [marks])


@pytest.mark.parametrize(
    ("type_", "tree"),
    [("string", False), ("dynamic", False), (["list", "string"], []), (["map", "string"], {}),
     (["object", {"a": "string"}], {}), (["tuple", ["string"]], [])],
)  # fmt: skip
def test_the_tree_of_an_unknown_value_has_its_type(type_: Any, tree: Any) -> None:
    assert value_type(type_).sensitive_tree(UNKNOWN) == tree
    assert value_type(type_).unknown_tree(UNKNOWN) is True
    if type_ != "dynamic":
        own = [json.dumps(type_).encode(), UNKNOWN]
        assert value_type("dynamic").sensitive_tree(own) == tree
        assert value_type("dynamic").unknown_tree(own) is True


@pytest.mark.parametrize(
    ("type_", "value"),
    [("string", 1), ("bool", "true"), (["list", "string"], {}), (["map", "string"], []),
     (["object", {"a": "string"}], {}), (["object", {"a": "string"}], {"a": "b", "c": "d"}),
     (["tuple", ["string"]], []), ("dynamic", "a"), ("dynamic", [b"{", 1]), ("dynamic", [b'"other"', 1])],
)  # fmt: skip
def test_a_value_of_another_type_is_left_to_terraform(type_: Any, value: Any) -> None:
    with pytest.raises(UnprovenPlanError):
        value_type(type_).json(value)


def test_sensitive_attributes_of_a_schema_are_marked_wherever_they_are() -> None:
    """In blocks, in nested attributes, and in every element of either, beside what the plan marks."""
    secret = {"type": "string", "sensitive": True}
    plain = {"type": "string"}
    block = {
        "attributes": {
            "password": secret,
            "name": plain,
            "nested": {"nested_type": {"nesting_mode": "list", "attributes": {"key": secret, "id": plain}}},
        },
        "block_types": {
            "one": {"nesting_mode": "single", "block": {"attributes": {"token": secret}}},
            "many": {"nesting_mode": "list", "block": {"attributes": {"token": secret, "id": plain}}},
            "each": {"nesting_mode": "set", "block": {"attributes": {"token": secret}}},
            "none": {"nesting_mode": "list", "block": {"attributes": {"id": plain}}},
        },
    }
    schema = TypeSchemas({"resource_schemas": {"t": {"block": block}}}).find("managed", "t")
    value = {
        "password": None,
        "name": "n",
        "nested": [{"key": "k", "id": "i"}],
        "one": {"token": "t"},
        "many": [{"token": "t", "id": "i"}, {"token": UNKNOWN, "id": UNKNOWN}],
        "each": [{"token": "t"}],
        "none": [{"id": "i"}],
    }
    tree = {
        "password": True,
        "nested": [{"key": True}],
        "one": {"token": True},
        "many": [{"token": True}, {"token": True}],
        "each": True,
        "none": [{}],
    }
    assert schema.sensitive_tree(value, NO_MARKS) == tree
    marks = Marks()
    marks.add(["name"])
    marks.add(["many", (1,), "id"])
    assert schema.sensitive_tree(value, marks) == {
        **tree,
        "name": True,
        "many": [{"token": True}, {"token": True, "id": True}],
    }

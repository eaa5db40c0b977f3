"""Planning by the schema alone: unknowns on create, counterparts on update, and what forces a replacement."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.provider.planning import complete, replacement_paths
from orchestrator.sandbox.provider.schema import SchemaBlock, parse_block
from orchestrator.sandbox.provider.values import UNKNOWN

NOTHING: frozenset[str] = frozenset()


def block(nesting: str) -> SchemaBlock:
    inner = {
        "attributes": {
            "key": {"type": "string", "optional": True},
            "made": {"type": "string", "optional": True, "computed": True},
        }
    }
    return parse_block(
        {
            "attributes": {
                "id": {"type": "string", "computed": True},
                "name": {"type": "string", "required": True},
                "flag": {"type": "bool", "optional": True},
                "nested": {
                    "nested_type": {"nesting_mode": "list", **inner},
                    "optional": True,
                },
            },
            "block_types": {"b": {"nesting_mode": nesting, "block": inner}},
        }
    )


def state(**values: Any) -> dict[str, Any]:
    return {"id": None, "name": "n", "flag": None, "nested": None, "b": [], **values}


def test_create_makes_computed_values_unknown_at_any_depth() -> None:
    proposed = state(b=[{"key": "a", "made": None}], nested=[{"key": "x", "made": None}])
    planned = complete(block("list"), proposed, None, NOTHING)
    assert planned["id"] == UNKNOWN
    assert planned["name"] == "n"
    assert planned["flag"] is None
    assert planned["b"] == [{"key": "a", "made": UNKNOWN}]
    assert planned["nested"] == [{"key": "x", "made": UNKNOWN}]


def test_update_keeps_a_computed_null_of_the_prior_state() -> None:
    prior = state(id="1", b=[{"key": "a", "made": None}])
    proposed = state(id="1", name="m", b=[{"key": "b", "made": None}])
    assert complete(block("list"), proposed, prior, NOTHING) == proposed


def test_a_new_list_element_gets_unknowns() -> None:
    prior = state(id="1", b=[{"key": "a", "made": "x"}])
    proposed = state(id="1", b=[{"key": "a", "made": "x"}, {"key": "b", "made": None}])
    planned = complete(block("list"), proposed, prior, NOTHING)
    assert planned["b"] == [{"key": "a", "made": "x"}, {"key": "b", "made": UNKNOWN}]


def test_set_elements_are_matched_by_what_is_configured() -> None:
    prior = state(id="1", b=[{"key": "a", "made": None}, {"key": "b", "made": "y"}])
    proposed = state(id="1", b=[{"key": "c", "made": None}, {"key": "a", "made": None}])
    planned = complete(block("set"), proposed, prior, NOTHING)
    assert planned["b"] == [{"key": "c", "made": UNKNOWN}, {"key": "a", "made": None}]


@pytest.mark.parametrize("nesting", ["single", "group"])
def test_single_blocks(nesting: str) -> None:
    proposed = state(id="1", b={"key": "a", "made": None})
    assert complete(block(nesting), proposed, state(id="1", b=None), NOTHING)["b"]["made"] == UNKNOWN
    prior = state(id="1", b={"key": "z", "made": None})
    assert complete(block(nesting), proposed, prior, NOTHING)["b"]["made"] is None


def test_map_blocks_are_matched_by_key() -> None:
    prior = state(id="1", b={"x": {"key": "a", "made": None}})
    proposed = state(id="1", b={"x": {"key": "b", "made": None}, "y": {"key": "c", "made": None}})
    planned = complete(block("map"), proposed, prior, NOTHING)
    assert planned["b"] == {"x": {"key": "b", "made": None}, "y": {"key": "c", "made": UNKNOWN}}


def test_blocks_of_an_unknown_number_stay_unknown() -> None:
    assert complete(block("list"), state(b=UNKNOWN), None, NOTHING)["b"] == UNKNOWN


def test_existing_blocks_stay_when_nobody_sets_them() -> None:
    prior = state(id="1", b=[{"key": "a", "made": "x"}])
    assert complete(block("list"), state(id="1"), prior, frozenset({"b"}))["b"] == prior["b"]
    assert complete(block("list"), state(id="1"), prior, NOTHING)["b"] == []


def test_unset_and_empty_are_one_for_an_optional_argument() -> None:
    prior = state(id="1", flag=False)
    assert complete(block("list"), state(id="1"), prior, NOTHING)["flag"] is False
    assert complete(block("list"), state(id="1"), state(id="1", flag=True), NOTHING)["flag"] is None


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["name"], [("name",)]),
        (["id", "no_such_thing"], []),
        (["b"], [("b",)]),
        (["b.key"], [("b", 1, "key")]),
        (["b.made"], []),
        (["*"], [("b",), ("name",)]),
        (["name", "*"], [("b",), ("name",)]),
    ],
)
def test_what_forces_a_replacement(patterns: list[str], paths: list[Any]) -> None:
    prior = state(id="1", b=[{"key": "a", "made": "x"}, {"key": "b", "made": "y"}])
    planned = state(id="1", name="m", b=[{"key": "a", "made": "x"}, {"key": "c", "made": "y"}])
    assert replacement_paths(block("list"), prior, planned, patterns) == paths


def test_a_block_that_came_or_went_is_named_whole() -> None:
    prior = state(id="1", b=[{"key": "a", "made": "x"}])
    assert replacement_paths(block("list"), prior, state(id="1"), ["b.key"]) == [("b",)]
    other = state(id="1", b=[{"key": "z", "made": "x"}])
    assert replacement_paths(block("set"), prior, other, ["b.key"]) == [("b",)]


def test_an_unknown_value_counts_as_a_change() -> None:
    assert replacement_paths(block("list"), state(), state(name=UNKNOWN), ["name"]) == [("name",)]

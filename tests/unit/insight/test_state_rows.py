"""What of a state is in the dataset: addresses, types, names, and hashes of what nobody hides."""

from __future__ import annotations

import json

import pytest

from orchestrator.config import Masking
from orchestrator.insight.state_rows import StateRows, StateRules, read_state_rows
from orchestrator.masking import Masker
from tests.support.insight import state_of

RULES = StateRules(Masker(), (), b"k" * 32)


def rows_of(data: bytes, rules: StateRules = RULES) -> StateRows:
    return read_state_rows(data, "state", rules, with_attributes=True)


def attributes_of(data: bytes, rules: StateRules = RULES) -> dict[str, tuple[object, ...]]:
    return {str(path): tuple(rest) for _, path, *rest in rows_of(data, rules).attributes}


def test_resources_have_type_module_and_provider() -> None:
    data = json.loads(state_of(("a_b.c", {"name": "x"})))
    data["resources"][0] |= {"module": 'module.m["k"]'}
    data["resources"][0]["instances"][0] |= {"index_key": "west", "status": "tainted"}
    data["resources"].append(
        {
            "mode": "data",
            "type": "a_d",
            "name": "d",
            "provider": "odd",
            "instances": [{"attributes": {"x": 1}}],
        }
    )
    assert rows_of(json.dumps(data).encode()).resources == [
        (
            *('module.m["k"].a_b.c["west"]', "managed", 'module.m["k"]', "a_b", "c"),
            *("registry.terraform.io/hashicorp/google", 1),
        ),
        ("data.a_d.d", "data", "", "a_d", "d", "", 0),
    ]


def test_equal_values_have_equal_hashes() -> None:
    attributes = attributes_of(
        state_of(("a_b.c", {"name": "x", "title": "x", "size": 3, "labels": {"team": "x"}, "none": None}))
    )
    assert attributes["name"][0] == attributes["title"][0] == attributes["labels.team"][0]
    assert attributes["name"][0] != attributes["size"][0]
    assert "none" not in attributes


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"password": "hunter2"}, "password"),
        ({"nested": {"api_token": "hunter2"}}, "nested.api_token"),
        ({"items": [{"secret": "hunter2"}]}, "items"),
        ({"result": "hunter2", "marks": [[{"type": "get_attr", "value": "result"}]]}, "result"),
        (
            {
                "env": {"A": "hunter2"},
                "marks": [[{"type": "get_attr", "value": "env"}, {"type": "index", "value": {"value": "A"}}]],
            },
            "env.A",
        ),
        (
            {
                "list": [{"x": "hunter2"}],
                "marks": [
                    [
                        {"type": "get_attr", "value": "list"},
                        {"type": "index", "value": {"value": 0, "type": "number"}},
                        {"type": "get_attr", "value": "x"},
                    ]
                ],
            },
            "list",
        ),
        ({"whole": {"x": "hunter2"}, "marks": [[{"type": "get_attr", "value": "whole"}]]}, "whole"),
        ({"json": json.dumps({"password": "hunter2"})}, "json"),
        ({"note": "key AKIAIOSFODNN7EXAMPLE here"}, "note"),
        ({"pin": "4711"}, "pin"),
    ],
)
def test_what_masking_hides_has_neither_value_nor_hash(attributes: dict[str, object], path: str) -> None:
    rules = StateRules(Masker(Masking(names=("pin",))), ("*",), b"k" * 32)
    rows = attributes_of(state_of(("a_b.c", {"name": "seen", **attributes})), rules)
    assert rows[path] == (None, 1, None)
    assert rows["name"][1:] == (0, '"seen"')


def test_values_are_saved_only_where_infra_yaml_names_them() -> None:
    state = state_of(("a_b.c", {"name": "x", "machine_type": "small"}))
    assert {row[2] for row in attributes_of(state).values()} == {None}
    rules = StateRules(Masker(), ("*.machine_type",), b"k" * 32)
    assert {path: row[2] for path, row in attributes_of(state, rules).items()} == {
        "name": None,
        "machine_type": '"small"',
    }


def test_outputs_have_names_and_no_values() -> None:
    outputs = {"id": {"value": "x"}, "key": {"value": "y", "sensitive": True}, "db_password": {"value": "z"}}
    rows = rows_of(state_of(outputs=outputs)).outputs
    assert [(name, sensitive, digest is None) for name, sensitive, digest in rows] == [
        ("db_password", 0, True),
        ("id", 0, False),
        ("key", 1, True),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"version": 4, "resources": [7]}',
        b'{"version": 4, "resources": [{"instances": [7]}]}',
        b'{"version": 4, "resources": [{"instances": [{}]}]}',
        b'{"version": 5}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_state_is_named(data: bytes) -> None:
    assert rows_of(data).problem.startswith("state ")
    assert not rows_of(data).resources

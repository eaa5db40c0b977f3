from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.terminal.deprecated_keys import RENAMED_KEYS, RenamedKey, add_deprecated_keys

SCHEMAS = Path(__file__).parents[4] / "docs" / "schemas"
# The schema of each command's document; other documents have none.
SCHEMA_OF = {
    "affected": "affected",
    "test": "test",
    "ci plan": "ci-plan",
    "ci comment": "ci-plan",
    "drift": "drift",
    "drift --fix": "drift",
    "drift --last": "drift-last",
    "drift history": "drift-history",
}


@pytest.mark.parametrize("key", RENAMED_KEYS, ids=lambda key: f"{key.commands[0]} {key.old}")
def test_both_keys_are_written(key: RenamedKey) -> None:
    value: dict[str, Any] = {key.name: "same"}
    for parent in reversed(key.parents):
        value = {parent: [value]}
    (extended,) = objects(add_deprecated_keys(key.commands[0], value), key.name)
    assert (extended[key.name], extended[key.old]) == ("same", "same")
    assert list(extended).index(key.name) < list(extended).index(key.old)
    assert add_deprecated_keys("another command", value) == value


def test_a_command_prints_both_keys() -> None:
    out = io.StringIO()
    App({}, io.StringIO(), out, io.StringIO()).emit("ci approve", pending={"dev/a": ""})
    assert json.loads(out.getvalue())["owed"] == {"dev/a": ""}


@pytest.mark.parametrize("key", [key for key in RENAMED_KEYS if key.values], ids=lambda key: key.old)
def test_the_old_key_has_the_old_value(key: RenamedKey) -> None:
    for new, old in key.values.items():
        value: Any = {key.name: new}
        for parent in reversed(key.parents):
            value = {parent: value}
        (extended,) = objects(add_deprecated_keys(key.commands[0], value), key.name)
        assert (extended[key.name], extended[key.old]) == (new, old)


def test_the_keys_of_a_mapping_have_their_old_names() -> None:
    figures = {"endings": {"reverted by a remediation": 2, "destroyed": 1}}
    document = add_deprecated_keys("drift history", {"figures": figures})
    assert document["figures"]["ended"] == {"reverted by a correction": 2, "destroyed": 1}


def test_a_key_that_a_document_has_already_is_left_alone() -> None:
    document = {"pending": {"a": ""}, "owed": {}}
    assert add_deprecated_keys("ci approve", document) == document


@pytest.mark.parametrize("key", RENAMED_KEYS, ids=lambda key: f"{key.commands[0]} {key.old}")
def test_schemas_list_the_old_key_as_deprecated(key: RenamedKey) -> None:
    for name in {SCHEMA_OF[command] for command in key.commands if command in SCHEMA_OF}:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        pairs = [
            properties
            for properties in objects(schema, key.old)
            if key.name in properties and isinstance(properties[key.old], dict)
        ]
        assert pairs
        for properties in pairs:
            assert properties[key.old]["deprecated"] is True
            assert f"`{key.name}`" in properties[key.old]["description"]


def test_nothing_else_is_listed_as_deprecated() -> None:
    """Of documents, that is; infra.schema.json is made from the models of infra.yaml."""
    olds = {key.old for key in RENAMED_KEYS}
    for path in SCHEMAS.glob("*.json"):
        if path.name != "infra.schema.json":
            schema = json.loads(path.read_text(encoding="utf-8"))
            assert {name for name, value in members(schema) if is_deprecated(value)} <= olds


def objects(value: Any, key: str) -> Iterator[dict[str, Any]]:
    """Every object in a document that has a key."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for item in value.values():
            yield from objects(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item, key)


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key in a document, with its value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item
            yield from members(item)
    elif isinstance(value, list):
        for item in value:
            yield from members(item)


def is_deprecated(value: Any) -> bool:
    return isinstance(value, dict) and value.get("deprecated") is True

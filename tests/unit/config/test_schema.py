"""The JSON Schema agrees with what `load_text` accepts, and its committed copy is current."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.config import json_schema, load_text
from orchestrator.errors import ConfigError
from tests.unit.config.test_loading import WHOLE

COPY = Path(__file__).parents[3] / "docs" / "schemas" / "infra.schema.json"

GOOD = [
    WHOLE.replace("2026-01-02", '"2026-01-02"'),
    "{}",
    "environments: {dev: , prod: {soak: 0}}",
    "backend: {local: {path: 'a/{environment}/{stack}'}}",
    "environments:\nmasking:\n",
]
BAD = [
    "truk: main",
    "lock_files: always",
    "environments: {prod: {timeouts: {plan: 20}}}",
    "environments: {prod: {timeouts: {plan: soon}}}",
    "environments: {'a b': {}}",
    "environments: {a: {var_files: [/x]}}",
    "environments: {a: {var_files: [x/../y]}}",
    "backend: {}",
    "backend: {gcs: {bucket: b}, local: {path: 'a/{environment}/{stack}'}}",
    "backend: {gcs: {bucket: '{env}'}}",
    "stacks: {/x: {}}",
    "masking: {names: ['a b']}",
    "version: 2",
]


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_is_valid(text: str) -> None:
    load_text(text)
    assert list(validator().iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize("text", BAD)
def test_what_does_not_load_is_not(text: str) -> None:
    with pytest.raises(ConfigError):
        load_text(text)
    assert list(validator().iter_errors(yaml.safe_load(text)))


def test_every_key_is_described_and_each_example_holds() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    for key, part in [pair for section in sections for pair in section["properties"].items()]:
        words = part.get("description") or schema["$defs"][part["$ref"].rpartition("/")[2]]["description"]
        assert words.endswith("."), key
        for example in part.get("examples", ()):
            checker = jsonschema.Draft202012Validator({**part, "$defs": schema["$defs"]})
            assert list(checker.iter_errors(example)) == [], key
    for example in schema["examples"]:
        load_text(json.dumps(example))


def test_defaults_are_written_as_in_the_file() -> None:
    timeouts: dict[str, Any] = json_schema()["$defs"]["Timeouts"]["properties"]
    assert {key: part["default"] for key, part in timeouts.items()} == {
        "plan": "20m",
        "apply": "2h",
        "unlock": "1m",
    }


def test_the_committed_copy_is_current() -> None:
    assert json.loads(COPY.read_text()) == json_schema(), "infra schema > docs/schemas/infra.schema.json"

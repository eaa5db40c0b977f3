"""The part of plan JSON's `prior_state` that is nowhere else in a plan: outputs, and data sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from orchestrator.errors import UnprovenPlanError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.plan.file.instance_address import parse_address
from orchestrator.plan.file.schemas import ResourceSchema
from orchestrator.plan.file.values import Marks, Step, json_number, value_type

STATE_FORMAT = 4
# Finds the schema of a type of a provider: provider, mode, type.
FindSchema = Callable[[str, str, str], ResourceSchema]


def read_prior_state(data: bytes, find_schema: FindSchema) -> dict[str, Any]:
    """`prior_state` of a state file, with its data sources alone, all of them in the root module.

    Raises UnprovenPlanError for a state of another form.
    """
    try:
        state = read_object(data)
        if state["version"] != STATE_FORMAT:
            raise UnprovenPlanError(f"the format of its state is {state['version']}")
        outputs = {
            name: {
                "sensitive": bool(output.get("sensitive")),
                "value": _value(output),
            }
            for name, output in (state.get("outputs") or {}).items()
        }
        resources = [
            resource
            for group in state.get("resources") or ()
            if group["mode"] == "data"
            for resource in _data_sources(group, find_schema)
        ]
    except MALFORMED as error:
        raise UnprovenPlanError("its state has another form") from error
    return {"values": {"outputs": outputs, "root_module": {"resources": resources}}}


@lru_cache
def provider_source(configuration: str) -> str:
    """The source of a provider's configuration, such as `module.a.provider["HOST/NAMESPACE/TYPE"].alias`."""
    _, _, rest = configuration.partition('provider["')
    source, end, _ = rest.partition('"]')
    if not (source and end):
        raise UnprovenPlanError("the address of a provider in it has another form")
    return source


def _value(output: Mapping[str, Any]) -> Any:
    kind = value_type(output["type"])
    return kind.json(kind.from_state(output["value"]))


def _data_sources(group: Mapping[str, Any], find_schema: FindSchema) -> Iterator[dict[str, Any]]:
    schema = find_schema(provider_source(group["provider"]), "data", group["type"])
    base = ".".join(filter(None, (group.get("module"), "data", group["type"], group["name"])))
    for instance in group["instances"]:
        if "attributes" not in instance:
            raise UnprovenPlanError("its state has another form")
        value = schema.type.from_state(instance["attributes"])
        marks = Marks()
        for path in instance.get("sensitive_attributes") or ():
            marks.add(map(_step, path))
        address = base + _key_text(instance.get("index_key"))
        parse_address(address)
        yield {
            "address": address,
            "mode": "data",
            "values": schema.type.json(value),
            "sensitive_values": schema.sensitive_tree(value, marks),
        }


def _key_text(key: str | int | None) -> str:
    if key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    if not key.isprintable() or any(character in key for character in '"\\$%'):
        raise UnprovenPlanError("a key in its state has another form")
    return f'["{key}"]'


def _step(step: Mapping[str, Any]) -> Step:
    if step["type"] == "get_attr":
        return str(step["value"])
    if step["type"] == "index" and step["value"]["type"] in ("string", "number"):
        key = step["value"]["value"]
        return (key if isinstance(key, str) else int(json_number(key)),)
    raise UnprovenPlanError("a mark in its state has another form")

"""The JSON Schema of infra.yaml, for editors and for people."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orchestrator.config.raw import RawConfig

if TYPE_CHECKING:
    from pydantic_core import core_schema

_EXAMPLE = {
    "version": 1,
    "trunk": "main",
    "backend": {"gcs": {"bucket": "acme-terraform-state", "prefix": "{environment}/state/{stack}"}},
    "environments": {"dev": {}, "prod": {"protected": True, "timeouts": {"plan": "20m"}}},
    "stacks": {"prod/service": {"depends_on": ["prod/network"]}},
}
_NULL = {"type": "null"}


class _Documented(GenerateJsonSchema):
    """Describes each key by the docstring of its attribute, and keeps the order of keys.

    The order of environments in an example means something. Pydantic can read the docstrings too, but it does
    so whenever the models are imported, which would slow down every command.
    """

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        document = super().model_schema(schema)
        properties = document.get("properties", {})
        docstrings = _attribute_docstrings(schema["cls"])
        for name, field in schema["cls"].model_fields.items():
            if name in docstrings:
                key = field.alias or name
                properties[key] = {"description": docstrings[name], **properties[key]}
        return document


def _attribute_docstrings(model: type) -> dict[str, str]:
    """The docstrings below a model's attributes, by name, with those of the models that it extends."""
    docstrings: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if cls.__module__.startswith("orchestrator."):
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
            for statement, following in pairwise(definition.body):  # type: ignore[attr-defined]
                match statement, following:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        docstrings[name] = inspect.cleandoc(text)
    return docstrings


def build() -> dict[str, Any]:
    """The schema as a person would write it: no titles that repeat keys, no defaults that say nothing."""
    made = RawConfig.model_json_schema(schema_generator=_Documented)
    sections = {name.removeprefix("Raw"): _section(part) for name, part in made.pop("$defs").items()}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "infra.yaml",
        **_tidy(made),
        "properties": {key: _nullable(_tidy(part)) for key, part in made["properties"].items()},
        "examples": [_EXAMPLE],
        "$defs": sections,
    }


def _section(part: dict[str, Any]) -> dict[str, Any]:
    tidy = _tidy(part)
    return tidy if tidy.get("required") else _nullable(tidy)


def _nullable(part: dict[str, Any]) -> dict[str, Any]:
    """A key with nothing after it (`dev:`) counts as an empty mapping."""
    return {**part, "type": ["object", "null"]} if part.get("type") == "object" else part


def _tidy(part: dict[str, Any]) -> dict[str, Any]:
    """One schema with everything below it."""
    tidy = _without_null(part)
    tidy = {key: value for key, value in tidy.items() if key != "title"}
    if "$ref" in tidy:
        # The section documents its own defaults.
        tidy = {**tidy, "$ref": tidy["$ref"].replace("/Raw", "/")}
        tidy.pop("default", None)
    if "default" in tidy and (default := _written(tidy.pop("default"))) not in (None, [], {}):
        tidy["default"] = default
    for key in ("properties", "patternProperties"):
        if key in tidy:
            tidy[key] = {name: _tidy(below) for name, below in tidy[key].items()}
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(tidy.get(key), dict):
            tidy[key] = _tidy(tidy[key])
    return tidy


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    """`X or nothing` as one schema instead of a choice of two."""
    choice = part.get("anyOf", [])
    if len(choice) != 2 or choice[1] != _NULL:
        return part
    rest = {key: value for key, value in part.items() if key != "anyOf"}
    one = choice[0]
    return {**one, "type": [one["type"], "null"], **rest} if "type" in one else {**one, **rest}


def _written(default: Any) -> Any:
    """A default as it would be written: a time, kept as seconds, is a duration in the file."""
    if not isinstance(default, float) or not default:
        return int(default) if isinstance(default, float) else default
    return f"{default / 3600:.0f}h" if default % 3600 == 0 else f"{default / 60:.0f}m"

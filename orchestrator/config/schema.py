"""The JSON Schema of infra.yaml, for editors and for people."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import is_dataclass
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
        model = schema["cls"]
        keys = {name: field.alias or name for name, field in model.model_fields.items()}
        return _describe(document, model, keys)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        document = super().dataclass_schema(schema)
        section = schema["cls"]
        keys = {name: section.keys.get(name, name) for name in schema["fields"]}
        for field in schema["schema"]["fields"]:
            property_ = document["properties"][keys[field["name"]]]
            property_.update(_field_metadata(field["schema"]))
        return _describe(document, section, keys)

    def encode_default(self, dft: Any) -> Any:
        # A section documents its own defaults.
        return {} if is_dataclass(dft) else super().encode_default(dft)


def _field_metadata(schema: Any) -> dict[str, Any]:
    """What `Field` says beside a type's own schema, such as examples."""
    metadata: dict[str, Any] = {}
    while isinstance(schema, dict):
        metadata = {**schema.get("metadata", {}).get("pydantic_js_updates", {}), **metadata}
        schema = schema.get("schema")
    return {key: value for key, value in metadata.items() if key == "examples"}


def _describe(document: JsonSchemaValue, section: type, keys: Mapping[str, str]) -> JsonSchemaValue:
    """Adds the docstrings of a section's attributes; `keys` are the keys of infra.yaml by attribute."""
    properties = document.get("properties", {})
    for name, text in _attribute_docstrings(section).items():
        if name in keys:
            properties[keys[name]] = {"description": text, **properties[keys[name]]}
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


def build_schema() -> dict[str, Any]:
    """Build the schema, without titles that repeat keys and without empty defaults."""
    schema = RawConfig.model_json_schema(schema_generator=_Documented)
    sections = {_section_name(name): _section(part) for name, part in schema.pop("$defs").items()}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "infra.yaml",
        **_tidy(schema),
        "properties": {key: _nullable(_tidy(part)) for key, part in schema["properties"].items()},
        "examples": [_EXAMPLE],
        "$defs": sections,
    }


def _section_name(name: str) -> str:
    return name.removeprefix("Raw").removesuffix("Settings")


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
        tidy = {**tidy, "$ref": f"#/$defs/{_section_name(tidy['$ref'].rpartition('/')[2])}"}
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
    schema = choice[0]
    return {**schema, "type": [schema["type"], "null"], **rest} if "type" in schema else {**schema, **rest}


def _written(default: Any) -> Any:
    """A default as the file would write it: seconds become a duration."""
    if not isinstance(default, float) or not default:
        return int(default) if isinstance(default, float) else default
    return f"{default / 3600:.0f}h" if default % 3600 == 0 else f"{default / 60:.0f}m"

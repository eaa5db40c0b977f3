"""Does a request, and its answer, fit GitHub's own description of its API?

The description is cut down by `openapi_cut`; what is wrong comes back as text, one line for each thing.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.support.openapi_cut import TARGET

_URN = "urn:github"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_WHOLE: dict[str, Callable[[str], object]] = {
    "integer": int,
    "boolean": lambda text: {"true": True, "false": False}[text],
}
_ERROR = "#/components/schemas/basic-error"
_formats = FormatChecker(formats=())


@_formats.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(_TIME.fullmatch(value))


@_formats.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or not value or bool(re.match(r"[a-z]+:", value))


@cache
def description() -> dict[str, Any]:
    """The cut description."""
    loaded: dict[str, Any] = json.loads(gzip.decompress(TARGET.read_bytes()))
    return loaded


@cache
def _validator(pointer: str) -> Draft202012Validator:
    resource = DRAFT202012.create_resource(description())
    registry: Registry[Any] = Registry().with_resource(_URN, resource)
    return Draft202012Validator({"$ref": _URN + pointer}, registry=registry, format_checker=_formats)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """The paths as patterns, the most literal first, as GitHub's own router has it."""
    found = sorted(description()["paths"], key=lambda one: (one.count("{"), -len(one)))
    deep = ("path", "ref", "branch")

    def part(match: re.Match[str]) -> str:
        return ".+" if match[1] in deep else "[^/]+"

    return [(re.compile(re.sub(r"\{(\w+)\}", part, one)), one) for one in found]


def template_of(method: str, path: str) -> str:
    """The path of the operation as the description has it; '' when it has none."""
    fits = [one for pattern, one in _templates() if pattern.fullmatch(path)]
    able = [one for one in fits if method.lower() in description()["paths"][one]]
    # `{ref}` swallows slashes: of several the one that spells more out is meant.
    return max(able, key=lambda one: len(re.sub(r"\{\w+\}", "", one)), default="")


def violations(
    method: str, path: str, query: Mapping[str, str], body: bytes, status: int, content: Any
) -> list[str]:
    """What does not fit; empty when all does."""
    template = template_of(method, path)
    if not template:
        return [] if status == 404 else ["the description has no such operation"]
    operation = description()["paths"][template][method.lower()]
    pointer = f"#/paths/{template.replace('~', '~0').replace('/', '~1')}/{method.lower()}"
    found: list[str] = []
    if status < 400:
        found += [f"query: {one}" for one in _query(operation, query)]
        found += [f"request: {one}" for one in _body(operation, pointer, body)]
    return found + [f"answer {status}: {one}" for one in _answer(operation, pointer, status, content)]


def _query(operation: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
    known = {
        one["name"]: one for one in map(_resolved, operation.get("parameters", ())) if one["in"] == "query"
    }
    for name, text in query.items():
        if name not in known:
            yield f"there is no parameter {name!r}"
            continue
        schema = known[name]["schema"]
        convert = _WHOLE.get(str(schema.get("type")), str)
        try:
            value = convert(text)
        except (KeyError, ValueError):
            yield f"{name}={text!r} is no {schema['type']}"
            continue
        if "enum" in schema and value not in schema["enum"]:
            yield f"{name}={text!r} is none of {schema['enum']}"
    for name, one in known.items():
        if one.get("required") and name not in query:
            yield f"{name} is missing"


def _body(operation: Mapping[str, Any], pointer: str, body: bytes) -> Iterator[str]:
    told = operation.get("requestBody")
    if told is None or not body:
        if told and told.get("required"):
            yield "the body is missing"
        return
    value = json.loads(body)
    schema = told["content"]["application/json"]["schema"]
    yield from _wrong(f"{pointer}/requestBody/content/application~1json/schema", value)
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"there is no field {name!r}" for name in value if name not in schema["properties"])


def _answer(operation: Mapping[str, Any], pointer: str, status: int, content: Any) -> Iterator[str]:
    told = operation["responses"].get(str(status))
    if told is None:
        if status < 400:
            yield f"the description has no such answer, only {', '.join(operation['responses'])}"
        else:
            yield from _wrong(_ERROR, content)
        return
    where = f"{pointer}/responses/{status}"
    if "$ref" in told:
        where = told["$ref"]
        told = _resolved(told)
    kinds = told.get("content", {})
    kind = next((one for one in ("application/json", *kinds) if one in kinds), None)
    if kind is None:
        if content is not None and status < 400:
            yield "there should be no body"
        return
    yield from _wrong(f"{where}/content/{kind.replace('/', '~1')}/schema", content)


def _wrong(pointer: str, value: Any) -> Iterator[str]:
    for error in _validator(pointer).iter_errors(value):
        closest = best_match(error.context) if error.context else None
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"{place}: {error.message[:300]}" + (f" ({closest.message[:200]})" if closest else "")


def _resolved(value: Mapping[str, Any]) -> Any:
    if "$ref" not in value:
        return value
    found: Any = description()
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found

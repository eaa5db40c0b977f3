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
    paths = sorted(description()["paths"], key=lambda path: (path.count("{"), -len(path)))
    deep = ("path", "ref", "branch")

    def part(match: re.Match[str]) -> str:
        return ".+" if match[1] in deep else "[^/]+"

    return [(re.compile(re.sub(r"\{(\w+)\}", part, path)), path) for path in paths]


def template_of(method: str, path: str) -> str:
    """The path of the operation as the description has it; '' when it has none."""
    fits = [template for pattern, template in _templates() if pattern.fullmatch(path)]
    able = [fit for fit in fits if method.lower() in description()["paths"][fit]]
    # `{ref}` swallows slashes: of several the one that spells more out is meant.
    return max(able, key=lambda template: len(re.sub(r"\{\w+\}", "", template)), default="")


def violations(
    method: str, path: str, query: Mapping[str, str], body: bytes, status: int, content: Any
) -> list[str]:
    """What does not fit; empty when all does."""
    template = template_of(method, path)
    if not template:
        return [] if status == 404 else ["the description has no such operation"]
    operation = description()["paths"][template][method.lower()]
    pointer = f"#/paths/{template.replace('~', '~0').replace('/', '~1')}/{method.lower()}"
    violations_found: list[str] = []
    if status < 400:
        violations_found += [f"query: {violation}" for violation in _query(operation, query)]
        violations_found += [f"request: {violation}" for violation in _body(operation, pointer, body)]
    return violations_found + [
        f"answer {status}: {violation}" for violation in _answer(operation, pointer, status, content)
    ]


def _query(operation: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
    parameters = {
        parameter["name"]: parameter
        for parameter in map(_resolved, operation.get("parameters", ()))
        if parameter["in"] == "query"
    }
    for name, text in query.items():
        if name not in parameters:
            yield f"there is no parameter {name!r}"
            continue
        schema = parameters[name]["schema"]
        convert = _WHOLE.get(str(schema.get("type")), str)
        try:
            value = convert(text)
        except (KeyError, ValueError):
            yield f"{name}={text!r} is no {schema['type']}"
            continue
        if "enum" in schema and value not in schema["enum"]:
            yield f"{name}={text!r} is none of {schema['enum']}"
    for name, parameter in parameters.items():
        if parameter.get("required") and name not in query:
            yield f"{name} is missing"


def _body(operation: Mapping[str, Any], pointer: str, body: bytes) -> Iterator[str]:
    request_body = operation.get("requestBody")
    if request_body is None or not body:
        if request_body and request_body.get("required"):
            yield "the body is missing"
        return
    value = json.loads(body)
    schema = request_body["content"]["application/json"]["schema"]
    yield from _wrong(f"{pointer}/requestBody/content/application~1json/schema", value)
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"there is no field {name!r}" for name in value if name not in schema["properties"])


def _answer(operation: Mapping[str, Any], pointer: str, status: int, content: Any) -> Iterator[str]:
    resolved = operation["responses"].get(str(status))
    if resolved is None:
        if status < 400:
            yield f"the description has no such answer, only {', '.join(operation['responses'])}"
        else:
            yield from _wrong(_ERROR, content)
        return
    where = f"{pointer}/responses/{status}"
    if "$ref" in resolved:
        where = resolved["$ref"]
        resolved = _resolved(resolved)
    kinds = resolved.get("content", {})
    kind = next((media for media in ("application/json", *kinds) if media in kinds), None)
    if kind is None:
        if content is not None and status < 400:
            yield "there should be no body"
        return
    yield from _wrong(f"{where}/content/{kind.replace('/', '~1')}/schema", content)


def _wrong(pointer: str, value: Any) -> tuple[str, ...]:
    return _mistakes(pointer, json.dumps(value))


@cache
def _mistakes(pointer: str, document: str) -> tuple[str, ...]:
    """What does not fit in a document; the same answer comes often, and a check is half of a request."""
    mistakes = []
    for error in _validator(pointer).iter_errors(json.loads(document)):
        closest = best_match(error.context) if error.context else None
        text = "/".join(str(part) for part in error.absolute_path)
        mistakes.append(f"{text}: {error.message[:300]}" + (f" ({closest.message[:200]})" if closest else ""))
    return tuple(mistakes)


def _resolved(value: Mapping[str, Any]) -> Any:
    if "$ref" not in value:
        return value
    resolved: Any = description()
    for part in value["$ref"].removeprefix("#/").split("/"):
        resolved = resolved[part]
    return resolved

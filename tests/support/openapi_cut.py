"""Cuts GitHub's description of its API down to what the sandbox's GitHub serves.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    python -m tests.support.openapi_cut package/generated/api.github.com.json

Kept are the operations of `routes.ROUTES` with everything that they refer to, as JSON Schema: descriptions,
examples and webhooks are dropped, and `nullable` becomes a type.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.sandbox.github.api_users import OPERATIONS
from orchestrator.sandbox.github.routes import ROUTES

TARGET = Path(__file__).parents[1] / "data/openapi/github.json.gz"
DROPPED = (
    *("description", "example", "examples", "externalDocs", "title", "summary", "tags", "operationId"),
    *("default", "deprecated", "x-github", "headers", "readOnly", "operation_id"),
)
# GitHub still answers these older addresses, which PyGithub asks; the description has left them out.
OLDER = {"/repos/{owner}/{repo}/statuses/{sha}": "/repos/{owner}/{repo}/commits/{ref}/statuses"}
# Names of things, whose values are not schemas: nothing in them is a keyword.
NAMES = ("properties", "schemas", "responses", "parameters")


def cut(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the description that is used."""
    operations = [*OPERATIONS, *((route.method, route.template) for route in ROUTES)]
    paths: dict[str, Any] = {}
    for method, template in sorted(operations):
        path = whole["paths"][OLDER.get(template, template) if method == "GET" else template]
        paths.setdefault(template, {})[method.lower()] = operation(path[method.lower()])
    components: dict[str, Any] = {}
    # The description forgets that an issue's events tell of closing, merging and the like.
    forgotten = {"$ref": "#/components/schemas/issue-event"}
    todo = references([paths, forgotten])
    while todo:
        kind, name = todo.pop()
        if name not in components.get(kind, {}):
            value = cleaned(whole["components"][kind][name])
            components.setdefault(kind, {})[name] = value
            todo |= references(value)
    components["schemas"]["issue-event-for-issue"]["anyOf"].append(forgotten)
    return {"info": {"version": whole["info"]["version"]}, "paths": paths, "components": ordered(components)}


def operation(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One operation: its parameters, its request's body, its answers."""
    return {
        key: cleaned(raw[key], named=True) for key in ("parameters", "requestBody", "responses") if key in raw
    }


def cleaned(raw: Any, *, named: bool = False) -> Any:
    """A part of the description as JSON Schema. `named`: its keys are names, not keywords."""
    if isinstance(raw, list):
        return [cleaned(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    fields = {
        key: cleaned(value, named=key in NAMES and not named)
        for key, value in raw.items()
        if named or key not in DROPPED
    }
    if not named and fields.pop("nullable", False):
        return nullable(fields)
    return fields


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, which null fits too."""
    if "type" in schema and isinstance(schema["type"], str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def references(value: Any) -> set[tuple[str, str]]:
    """The components that it refers to, as (kind, name)."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    references_found = set().union(*map(references, value.values()))
    target = value.get("$ref")
    if isinstance(target, str):
        kind, name = target.removeprefix("#/components/").split("/")
        references_found.add((kind, name))
    return references_found


def ordered(value: Any) -> Any:
    """With sorted keys, so that the file is the same each time."""
    return json.loads(json.dumps(value, sort_keys=True))


def main(source: Path) -> None:
    """Write the file anew."""
    text = json.dumps(cut(json.loads(source.read_bytes())), sort_keys=True, separators=(",", ":"))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A file in Terraform's JSON syntax → `CodeFacts`. JSON keeps no lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.guard.facts import (
    Called,
    CodeFacts,
    Gathered,
    Held,
    Named,
    Required,
    Store,
)
from orchestrator.guard.reads import template_reads
from orchestrator.project.hclfacts import parse_template
from orchestrator.project.text import UNKNOWN, Text, literal

HOLDERS = ("resource", "data", "ephemeral", "action", "list")
# Strings in these places of a `terraform` block are the words themselves.
PLAIN = frozenset({"backend", "cloud", "required_version", "required_providers"})


class TwiceError(Exception):
    """A key stands twice in one object: Terraform takes both, a JSON reader one."""


def read_json(data: bytes) -> CodeFacts:
    """The facts of a file in JSON."""
    found = Gathered()
    try:
        content = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except TwiceError as error:
        return CodeFacts(unreadable=(1, f"the key {error} stands twice in one object"))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        return CodeFacts(unreadable=(line, "this is no JSON that can be read"))
    for body in _objects(content):
        _file(body, found)
    _templates(content, found)
    return found.facts()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise TwiceError(key)
        found[key] = value
    return found


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """A block's bodies: JSON writes one as an object and several as an array, also of arrays."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (one for each in value for one in _objects(each))


def _labelled(value: Any) -> Iterator[tuple[str, Any]]:
    for block in _objects(value):
        yield from block.items()


def _bodies(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for label, bodies in _labelled(value):
        yield from ((label, body) for body in _objects(bodies))


def _file(content: Mapping[str, Any], found: Gathered) -> None:
    for body in _objects(content.get("terraform")):
        _terraform(body, found)
    for name, body in _bodies(content.get("provider")):
        found.configured.append(Named(name, 1))
        found.arguments.extend(Named(key, 1, name) for key in body if key != "//")
    for name, body in _bodies(content.get("module")):
        if "source" in body:
            found.calls.append(Called(name, _text(body["source"]), 1))
    for kind in HOLDERS:
        _held(kind, content.get(kind), found)
    for body in _objects(content.get("removed")):
        _provisioners(body, "removed", found)
    for _, body in _bodies(content.get("check")):
        _held("data", body.get("data"), found)


def _terraform(body: Mapping[str, Any], found: Gathered) -> None:
    for kind, settings in _bodies(body.get("backend")):
        found.backends.append(Store("", (kind,), _texts(settings, plain=True), 1))
    for settings in _objects(body.get("cloud")):
        found.backends.append(Store("", ("cloud",), _texts(settings, plain=True), 1))
    for block in _objects(body.get("required_providers")):
        for name, value in block.items():
            found.required.append(Required(name, _source(name, value), 1))
    found.metas.extend(Named(name, 1) for name, _ in _labelled(body.get("provider_meta")))


def _source(name: str, value: Any) -> str | None:
    if isinstance(value, str) or (isinstance(value, dict) and "source" not in value):
        return f"hashicorp/{name}"
    source = value.get("source") if isinstance(value, dict) else None
    return literal(_text(source)) if isinstance(source, str) else None


def _held(kind: str, value: Any, found: Gathered) -> None:
    for type_name, named in _labelled(value):
        for name, body in _bodies(named):
            given = body.get("provider")
            local = type_name.split("_")[0]
            if isinstance(given, str):
                local = given.strip("${} ").split(".")[0]
            found.held.append(Held(kind, type_name, local, 1))
            if kind == "resource":
                _provisioners(body, type_name, found)
            if kind == "data" and type_name == "terraform_remote_state":
                _remote_state(name, body, found)


def _provisioners(body: Mapping[str, Any], of: str, found: Gathered) -> None:
    for name, _ in _labelled(body.get("provisioner")):
        found.provisioners.append(Named(f"provisioner {name}", 1, of))
    if body.get("connection"):
        found.provisioners.append(Named("connection", 1, of))


def _remote_state(name: str, body: Mapping[str, Any], found: Gathered) -> None:
    config = body.get("config", {})
    settings = _texts(config) if isinstance(config, dict) else None
    kind = _text(body["backend"]) if "backend" in body else None
    found.states.append(Store(name, kind, settings, 1))


def _texts(settings: Mapping[str, Any], *, plain: bool = False) -> dict[str, Text] | None:
    """Settings by name; None when a name is itself a template."""
    found: dict[str, Text] = {}
    for key, value in settings.items():
        if "${" in key or "%{" in key:
            return None
        if key != "//":
            found[key] = (value,) if plain and isinstance(value, str) else _text(value)
    return found


def _text(value: Any) -> Text:
    if isinstance(value, str):
        return parse_template(value)[0] if "${" in value or "%{" in value else (value,)
    return UNKNOWN


def _templates(value: Any, found: Gathered) -> None:
    """What the templates in all strings read, keys included."""
    if isinstance(value, str):
        reads, unreadable = template_reads(value) if "${" in value or "%{" in value else ((), None)
        found.reads.extend(reads)
        found.unreadable = found.unreadable or unreadable
    elif isinstance(value, list):
        for each in value:
            _templates(each, found)
    elif isinstance(value, dict):
        for key, each in value.items():
            _templates(key, found)
            _templates(each, found)

"""Terraform's JSON syntax → the same `FileFacts` that `hclfacts.py` makes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.project.facts import (
    NO_TYPES,
    BackendBlock,
    FileFacts,
    ModuleCall,
    OutputUse,
    PathUse,
    RemoteState,
    Types,
)
from orchestrator.project.hclfacts import parse_template
from orchestrator.project.text import UNKNOWN, Text

Broken = tuple[int | None, str]

# Strings in these places are no templates but the words themselves.
PLAIN = ("required_version", "required_providers", "backend", "cloud")


def parse(data: bytes) -> FileFacts:
    """What a `.tf.json` file says."""
    content, broken = _load(data)
    if broken:
        return FileFacts(broken=broken)
    terraform = list(_objects(content.get("terraform")))
    outputs, paths = _expressions(content)
    return FileFacts(
        calls=tuple(_calls(content)),
        backend=next((block for part in terraform for block in _backends(part)), None),
        required_version=tuple(
            version for part in terraform if isinstance(version := part.get("required_version"), str)
        ),
        required_providers=dict(_providers(terraform)),
        remote_states=tuple(_remote_states(content)),
        outputs=outputs,
        paths=paths,
        locals=_texts(item for part in _objects(content.get("locals")) for item in part.items()),
        variables=_texts(
            (name, part["default"]) for name, part in _labelled(content.get("variable")) if "default" in part
        ),
        types=_types(content),
        settings=_settings(content),
    )


def parse_values(data: bytes) -> tuple[dict[str, Text], Broken | None]:
    """The strings of a `.tfvars.json` file by variable name, and what does not parse."""
    content, broken = _load(data)
    values = {
        name: (_plain(value),) for name, value in content.items() if isinstance(value, str | int | float)
    }
    return dict(values), broken


def _load(data: bytes) -> tuple[dict[str, Any], Broken | None]:
    try:
        content = json.loads(data.decode("utf-8-sig", "surrogateescape"))
    except json.JSONDecodeError as error:
        return {}, (error.lineno, error.msg)
    except RecursionError:
        return {}, (None, "it is nested too deeply")
    if not isinstance(content, dict):
        return {}, (1, "the file must hold an object")
    return content, None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """A block's bodies: JSON writes one as an object and several as an array."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (one for each in value for one in _objects(each))


def _labelled(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies under one label: `{"name": {…}}`; keys that begin with `//` are comments."""
    for block in _objects(value):
        for label, bodies in block.items():
            if not label.startswith("//"):
                yield from ((label, body) for body in _objects(bodies))


def _calls(content: Mapping[str, Any]) -> Iterator[ModuleCall]:
    for name, body in _labelled(content.get("module")):
        source = body.get("source")
        arguments = _texts((key, value) for key, value in body.items() if key != "source")
        told = _text(source) if isinstance(source, str) else None
        yield ModuleCall(name, told, None, arguments, frozenset(body))


def _backends(terraform: Mapping[str, Any]) -> Iterator[BackendBlock]:
    for kind, body in _labelled(terraform.get("backend")):
        yield BackendBlock(kind, _texts(body.items()), not body, None)
    for body in _objects(terraform.get("cloud")):
        yield BackendBlock("cloud", _texts(body.items()), not body, None)


def _providers(terraform: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for part in terraform:
        for block in _objects(part.get("required_providers")):
            for name, value in block.items():
                source = value.get("source") if isinstance(value, dict) else None
                yield name, source if isinstance(source, str) else f"hashicorp/{name}"


def _remote_states(content: Mapping[str, Any]) -> Iterator[RemoteState]:
    for kind, named in _labelled(content.get("data")):
        if kind != "terraform_remote_state":
            continue
        for name, body in _labelled(named):
            config = body.get("config", {})
            defaults = body.get("defaults")
            yield RemoteState(
                name,
                _text(body["backend"]) if "backend" in body else None,
                {key: _text(value) for key, value in config.items()} if isinstance(config, dict) else None,
                _text(body["workspace"]) if "workspace" in body else None,
                frozenset(defaults) if isinstance(defaults, dict) else frozenset(),
                None,
            )


def _types(content: Mapping[str, Any]) -> Types:
    found: dict[str, set[str]] = {"resource": set(), "data": set(), "ephemeral": set()}
    providers = {name for name, _ in _labelled(content.get("provider"))}
    for kind, types in found.items():
        for type_name, named in _labelled(content.get(kind)):
            if type_name == "terraform_remote_state":
                continue
            types.add(type_name)
            for _, body in _labelled(named):
                given = body.get("provider")
                local = (
                    given.strip("${} ").split(".")[0] if isinstance(given, str) else type_name.split("_")[0]
                )
                providers.add(local)
    if not providers and not any(found.values()):
        return NO_TYPES
    resources, data, ephemeral = (frozenset(types) for types in found.values())
    return Types(resources, data, ephemeral, frozenset(providers))


def _settings(content: Mapping[str, Any]) -> tuple[str, ...]:
    """What `init` looks at, as text."""
    calls = [
        f"{name} {body.get('source')} {body.get('version')}"
        for name, body in _labelled(content.get("module"))
    ]
    return (json.dumps(content["terraform"]), *calls) if "terraform" in content else tuple(calls)


def _expressions(content: Mapping[str, Any]) -> tuple[tuple[OutputUse, ...], tuple[PathUse, ...]]:
    """What the templates in all strings read."""
    outputs: list[OutputUse] = []
    paths: list[PathUse] = []
    for text in _templates(content):
        _, facts = parse_template(text)
        outputs.extend(facts.outputs)
        paths.extend(PathUse(use.function, use.path, None, use.pattern) for use in facts.paths)
        if text.startswith(("${path.module}/", "${path.root}/")):
            paths.append(PathUse("", _text(text), None))
    return tuple(outputs), tuple(paths)


def _templates(value: Any, key: str = "") -> Iterator[str]:
    """Every string with an interpolation. `depends_on` reads no value."""
    if isinstance(value, str):
        if "${" in value or "%{" in value:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _templates(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in PLAIN and name != "depends_on" and not name.startswith("//"):
                yield from _templates(each, name)


def _texts(items: Any) -> dict[str, Text]:
    found = ((name, _text(value)) for name, value in items)
    return {name: text for name, text in found if text != UNKNOWN}


def _text(value: Any) -> Text:
    """A JSON value as a string, as far as it can be told."""
    if isinstance(value, str):
        return parse_template(value)[0] if "${" in value or "%{" in value else (value,)
    return (_plain(value),) if isinstance(value, int | float) else UNKNOWN


def _plain(value: str | int | float) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)

"""Writes the facts of code as JSON values, and reads them again.

A value has the parts of a fact by short names, and leaves out what is empty. Strings keep bytes that are no
UTF-8 as lone surrogates, as the facts do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.repository.facts import (
    NO_TYPES,
    NOTHING,
    BackendBlock,
    ModuleCall,
    ModuleFacts,
    OutputUse,
    PathUse,
    ProviderTypes,
    RemoteState,
    VariableFacts,
)
from orchestrator.repository.hcl.text import Listed, Part, Ref, Text

# A JSON value.
Json = Any


def encode_facts(facts: ModuleFacts) -> Json:
    """A module's facts as a JSON object."""
    types = facts.types
    parts = {
        "files": facts.files,
        "calls": {name: _encode_call(call) for name, call in facts.calls.items()},
        "backend": _encode_backend(facts.backend) if facts.backend is not None else None,
        "versions": facts.required_version,
        "providers": dict(facts.required_providers),
        "states": {name: _encode_state(state) for name, state in facts.remote_states.items()},
        "outputs": [(use.name, use.output, use.optional) for use in facts.outputs],
        "paths": [(file, *_encode_use(use)) for file, use in facts.paths],
        "locals": encode_texts(facts.locals),
        "items": {name: (_encode(keys), _encode(values)) for name, (keys, values) in facts.items.items()},
        "variables": {
            name: (_encode_some(v.default), v.type, v.nullable, v.ephemeral)
            for name, v in facts.variables.items()
        },
        "types": [
            sorted(names) for names in (types.resources, types.data_sources, types.ephemeral, types.providers)
        ]
        if types != NO_TYPES
        else None,
        "broken": facts.broken,
        "settings": facts.settings,
        "at": [(kind, name, file) for (kind, name), file in facts.at.items()],
        "only_moves": facts.has_only_moves,
    }
    return {name: value for name, value in parts.items() if value}


def decode_facts(value: Json) -> ModuleFacts:
    """The facts that `encode_facts` wrote. What is no such value is a KeyError, TypeError or ValueError."""
    part = value.get
    types, backend = part("types"), part("backend")
    return ModuleFacts(
        files=tuple(part("files", ())),
        calls={name: _decode_call(call) for name, call in part("calls", NOTHING).items()},
        backend=_decode_backend(backend) if backend is not None else None,
        required_version=tuple(part("versions", ())),
        required_providers=part("providers", NOTHING),
        remote_states={name: _decode_state(state) for name, state in part("states", NOTHING).items()},
        outputs=tuple(OutputUse(*use) for use in part("outputs", ())),
        paths=tuple((file, _decode_use(use)) for file, *use in part("paths", ())),
        locals=decode_texts(part("locals", NOTHING)),
        items={
            name: (_decode(keys), _decode(values)) for name, (keys, values) in part("items", NOTHING).items()
        },
        variables={
            name: VariableFacts(_decode_some(default), *rest)
            for name, (default, *rest) in part("variables", NOTHING).items()
        },
        types=ProviderTypes(*map(frozenset, types)) if types is not None else NO_TYPES,
        broken=tuple((name, line, text) for name, line, text in part("broken", ())),
        settings=tuple(part("settings", ())),
        at={(kind, name): file for kind, name, file in part("at", ())},
        has_only_moves=part("only_moves", False),
    )


def encode_uses(uses: Iterable[PathUse]) -> Json:
    """The paths that a template reads."""
    return [_encode_use(use) for use in uses]


def decode_uses(value: Json) -> tuple[PathUse, ...]:
    """The paths that `encode_uses` wrote."""
    return tuple(_decode_use(use) for use in value)


def _encode_call(call: ModuleCall) -> Json:
    return call.name, _encode_some(call.source), call.line, encode_texts(call.arguments)


def _decode_call(value: Json) -> ModuleCall:
    name, source, line, arguments = value
    return ModuleCall(name, _decode_some(source), line, decode_texts(arguments) or NOTHING)


def _encode_backend(block: BackendBlock) -> Json:
    return block.kind, encode_texts(block.attributes), block.empty, block.line


def _decode_backend(value: Json) -> BackendBlock:
    kind, attributes, empty, line = value
    return BackendBlock(kind, decode_texts(attributes), empty, line)


def _encode_state(state: RemoteState) -> Json:
    config = None if state.config is None else encode_texts(state.config)
    backend, workspace = _encode_some(state.backend), _encode_some(state.workspace)
    return state.name, backend, config, workspace, sorted(state.defaults), state.line


def _decode_state(value: Json) -> RemoteState:
    name, backend, config, workspace, defaults, line = value
    return RemoteState(
        name,
        _decode_some(backend),
        None if config is None else decode_texts(config),
        _decode_some(workspace),
        frozenset(defaults),
        line,
    )


def _encode_use(use: PathUse) -> Sequence[Json]:
    return use.function, _encode(use.path), use.line, _encode_some(use.pattern), use.argument


def _decode_use(value: Sequence[Json]) -> PathUse:
    function, path, line, pattern, argument = value
    return PathUse(function, _decode(path), line, _decode_some(pattern), argument)


def encode_texts(texts: Mapping[str, Text]) -> dict[str, Json]:
    """Strings by name."""
    return {name: _encode(text) for name, text in texts.items()}


def decode_texts(value: Mapping[str, Json]) -> dict[str, Text]:
    """The strings that `encode_texts` wrote."""
    return {name: _decode(text) for name, text in value.items()}


def _encode_some(text: Text | None) -> Json:
    return None if text is None else _encode(text)


def _decode_some(value: Json) -> Text | None:
    return None if value is None else _decode(value)


def _encode(text: Text) -> Json:
    """A string where the text is one; else its parts."""
    if len(text) == 1 and isinstance(text[0], str):
        return text[0]
    return [_encode_part(part) for part in text]


def _encode_part(part: Part) -> Json:
    """A reference is a list of two, a listed file an object."""
    match part:
        case Ref(kind, name):
            return kind, name
        case Listed(folder, pattern):
            return {"folder": _encode(folder), "pattern": _encode(pattern)}
        case _:
            return part


def _decode(value: Json) -> Text:
    return (value,) if type(value) is str else tuple(map(_decode_part, value))


def _decode_part(value: Json) -> Part:
    if type(value) is str:
        return value
    if type(value) is list:
        return Ref(*value)
    return Listed(_decode(value["folder"]), _decode(value["pattern"]))

"""A recorded schema as the messages of the plugin protocol, version 6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tf.gen import tfplugin_pb2 as pb

from orchestrator.sandbox.provider.values import Type

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_OBJECT_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


def head(provider: Mapping[str, Any], functions: Mapping[str, Any]) -> bytes:
    """The part of GetProviderSchema's answer that is there whatever types are in use."""
    response = pb.GetProviderSchema.Response(provider=_schema(provider))
    response.server_capabilities.get_provider_schema_optional = True
    for name, raw in sorted(functions.items()):
        response.functions[name].CopyFrom(function(raw))
    return bytes(response.SerializeToString())


def entry(section: str, name: str, raw: Mapping[str, Any]) -> bytes:
    """One type as an answer of its own: protobuf messages put one after the other are merged."""
    response = pb.GetProviderSchema.Response()
    getattr(response, section)[name].CopyFrom(_schema(raw))
    return bytes(response.SerializeToString())


def function(raw: Mapping[str, Any]) -> Any:
    """A provider function's signature as the protocol sends it."""
    message = pb.Function(summary=raw.get("summary", ""), description=raw.get("description", ""))
    getattr(message, "return").type = _type_bytes(raw["return_type"])
    for parameter in raw.get("parameters") or []:
        message.parameters.append(_parameter(parameter))
    if raw.get("variadic_parameter"):
        message.variadic_parameter.CopyFrom(_parameter(raw["variadic_parameter"]))
    return message


def _parameter(raw: Mapping[str, Any]) -> Any:
    return pb.Function.Parameter(
        name=raw.get("name", ""),
        type=_type_bytes(raw["type"]),
        allow_null_value=raw.get("is_nullable", False),
    )


def _type_bytes(type_: Type) -> bytes:
    return json.dumps(type_, separators=(",", ":")).encode()


def _schema(raw: Mapping[str, Any]) -> Any:
    return pb.Schema(version=int(raw.get("version", 0)), block=_block(raw.get("block") or {}))


def _block(raw: Mapping[str, Any]) -> Any:
    return pb.Schema.Block(
        attributes=[_attribute(name, each) for name, each in sorted((raw.get("attributes") or {}).items())],
        block_types=[_nested(name, each) for name, each in sorted((raw.get("block_types") or {}).items())],
        description=raw.get("description", ""),
        deprecated=raw.get("deprecated", False),
    )


def _nested(name: str, raw: Mapping[str, Any]) -> Any:
    return pb.Schema.NestedBlock(
        type_name=name,
        block=_block(raw.get("block") or {}),
        nesting=_NESTING[raw["nesting_mode"]],
        min_items=int(raw.get("min_items", 0)),
        max_items=int(raw.get("max_items", 0)),
    )


def _attribute(name: str, raw: Mapping[str, Any]) -> Any:
    message = pb.Schema.Attribute(
        name=name,
        description=raw.get("description", ""),
        required=raw.get("required", False),
        optional=raw.get("optional", False),
        computed=raw.get("computed", False),
        sensitive=raw.get("sensitive", False),
        deprecated=raw.get("deprecated", False),
    )
    nested = raw.get("nested_type")
    if nested is None:
        message.type = _type_bytes(raw["type"])
        return message
    message.nested_type.nesting = _OBJECT_NESTING[nested["nesting_mode"]]
    for child, each in sorted((nested.get("attributes") or {}).items()):
        message.nested_type.attributes.append(_attribute(child, each))
    return message

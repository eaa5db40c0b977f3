"""Objects of the world as Terraform's state, in the shape that the state had: unset stays unset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.provider.labels import read_labels
from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.session import ProviderError
from orchestrator.sandbox.provider.values import (
    Type,
    Unknown,
    Value,
    ValueTypeError,
    canonical,
    default_of,
    from_json,
    is_empty,
    to_json,
)
from orchestrator.sandbox.world.objects import WorldObject

# Terraform's side of the provider alone knows these.
_NOT_OF_THE_WORLD = ("timeouts",)


def to_world(block: SchemaBlock, state: Mapping[str, Value]) -> dict[str, Any]:
    """A state as the attributes of an object."""
    data: dict[str, Any] = to_json(dict(state), block.type)
    return {name: value for name, value in data.items() if name not in _NOT_OF_THE_WORLD}


def from_world(block: SchemaBlock, item: WorldObject, values: Mapping[str, Value]) -> dict[str, Value]:
    """An object as a state; `known` is the state before, or the one that was requested.

    What a file holds is taken as it is. A partial object comes from an API that knows no difference between
    unset and empty, so it is given the shape of what is known.
    """
    attributes = {name: value for name, value in item.attributes.items() if name not in _NOT_OF_THE_WORLD}
    try:
        read: dict[str, Value] = from_json(attributes, block.type)
    except ValueTypeError as error:
        raise ProviderError(
            f"The sandbox's world holds a value of the wrong type: {item.address}: {error}",
            "Somebody edited it by hand. Mend it, or delete it.",
        ) from error
    state: dict[str, Value] = {}
    for name, type_ in block.type[1].items():
        before = values.get(name)
        if name in _NOT_OF_THE_WORLD or (item.partial and name not in attributes):
            state[name] = default_of(type_) if isinstance(before, Unknown) else before
        else:
            state[name] = keep_shape(name, before, read[name], type_) if item.partial else read[name]
    for name, nested in block.blocks.items():
        if state[name] is None and nested.nesting in ("list", "set"):
            state[name] = []
    if item.partial:
        read_labels(state, values)
    return state


def keep_shape(name: str, before: Value, now: Value, type_: Type) -> Value:
    """`now`, but as `before` was where the two mean the same to Google's provider.

    Null, false, 0 and empty are one; so are a location in capitals or not, and a set or a policy in another
    order.
    """
    if isinstance(before, Unknown) or before == now or (is_empty(before) and is_empty(now)):
        return now if isinstance(before, Unknown) else before
    if isinstance(before, str) and isinstance(now, str):
        return before if _means_the_same(name, before, now) else now
    if isinstance(before, dict) and isinstance(now, dict) and type_[0] == "object":
        return {key: keep_shape(key, before.get(key), now.get(key), each) for key, each in type_[1].items()}
    if isinstance(before, list) and isinstance(now, list) and type_[0] in ("list", "set"):
        if type_[0] == "set" and canonical(before, type_) == canonical(now, type_):
            return before
        if len(before) == len(now) and (type_[0] == "list" or len(now) == 1):
            return [keep_shape(name, old, new, type_[1]) for old, new in zip(before, now, strict=True)]
    return now


def _means_the_same(name: str, before: str, now: str) -> bool:
    if name == "location":
        return bool(before.casefold() == now.casefold())
    if name == "bucket":
        return before.removeprefix("b/") == now.removeprefix("b/")
    if name == "policy_data":
        return bool(_policy(before) == _policy(now))
    return False


def _policy(text: str) -> Any:
    """A policy with its bindings and members in order; text that is none stays what it is."""
    try:
        bindings = json.loads(text).get("bindings") or []
        return sorted(
            json.dumps({**each, "members": sorted(each.get("members") or [])}, sort_keys=True)
            for each in bindings
        )
    except (ValueError, AttributeError, TypeError):
        return text

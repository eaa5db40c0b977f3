"""Terraform's values: msgpack and JSON, read and written by the types of a provider's schema.

Types are the JSON ones of `terraform providers schema -json`: `"string"`, `["list", T]`, `["object", {…}]`.
In Python a value is None, str, bool, int, Decimal, list (also for sets and tuples), dict, `Unknown` or
`Dynamic`. Numbers are exact: Terraform sends 0.1 as text because no binary float equals it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgpack

Type = Any  # a JSON type, see above
Value = Any  # a value, see above

_UNKNOWN_CODE = 0
_REFINED_CODE = 12
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Unknown:
    """A value that is known after apply; `refinement` is what Terraform already knows about it, as sent."""

    refinement: bytes | None = None


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Dynamic:
    """A value whose type the schema leaves open; it travels with its own type."""

    type: Type
    value: Value


class ValueTypeError(ValueError):
    """A value does not have the type that the schema asks for; `path` leads to it."""

    def __init__(self, path: str, required: str, value: object) -> None:
        super().__init__(f"{path or 'the value'}: {required} required, but it is {value!r}")
        self.path = path


def decode(data: bytes, type_: Type) -> Value:
    """The value that Terraform sent as msgpack."""
    raw = msgpack.unpackb(data, ext_hook=_extension, raw=False, strict_map_key=False)
    return _typed(raw, type_, "", _from_wire_dynamic)


def encode(value: Value, type_: Type) -> bytes:
    """The value as the msgpack that Terraform reads."""
    packed: bytes = msgpack.packb(_to_wire(value, type_))
    return packed


def from_json(value: object, type_: Type) -> Value:
    """A value read from a state or a world's file; text and numbers convert as in Terraform."""
    return _typed(value, type_, "", _from_json_dynamic)


def to_json(value: Value, type_: Type) -> Any:
    """The value as JSON data, for a world's file. Unknown values have no such form."""
    if value is None:
        return None
    if isinstance(value, Unknown):
        raise ValueTypeError("", "a known value", value)
    if isinstance(value, Dynamic):
        return {"type": value.type, "value": to_json(value.value, value.type)}
    kind = _kind(type_)
    if kind in ("list", "set"):
        return [to_json(item, type_[1]) for item in value]
    if kind == "tuple":
        return [to_json(item, each) for item, each in zip(value, type_[1], strict=True)]
    if kind == "map":
        return {key: to_json(item, type_[1]) for key, item in value.items()}
    if kind == "object":
        return {key: to_json(value.get(key), each) for key, each in type_[1].items()}
    return _number_to_json(value) if kind == "number" else value


def parse_json(text: str | bytes) -> Any:
    """JSON text with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def is_known(value: Value) -> bool:
    """False when the value is unknown or holds an unknown at any depth."""
    if isinstance(value, Unknown):
        return False
    return all(is_known(child) for child in _children(value))


def same(value: Value, right: Value, type_: Type) -> bool:
    """Equality as Terraform sees it: the order of a set's elements does not count, 1 is 1.0."""
    return bool(canonical(value, type_) == canonical(right, type_))


def canonical(value: Value, type_: Type) -> Any:
    """The value with its sets sorted, to be compared."""
    if value is None or isinstance(value, (Unknown, Dynamic)):
        return value
    kind = _kind(type_)
    if kind == "set":
        return sorted((canonical(item, type_[1]) for item in value), key=repr)
    if kind == "list":
        return [canonical(item, type_[1]) for item in value]
    if kind == "map":
        return {key: canonical(item, type_[1]) for key, item in value.items()}
    if kind == "object":
        return {key: canonical(value.get(key), each) for key, each in type_[1].items()}
    return Decimal(value) if kind == "number" else value


def default_of(type_: Type) -> Value:
    """What an API returns when it has nothing to say: empty text, 0, false, an empty collection."""
    kind = _kind(type_)
    if kind in ("list", "set"):
        return []
    if kind == "map":
        return {}
    if kind == "tuple":
        return [default_of(each) for each in type_[1]]
    if kind == "object":
        return {key: default_of(each) for key, each in type_[1].items()}
    return {"string": "", "number": 0, "bool": False}.get(kind)


def is_empty(value: Value) -> bool:
    """Null, false, 0, empty text or an empty collection: one and the same to providers of the older kind."""
    return not isinstance(value, (Unknown, Dynamic)) and not value


def _kind(type_: Type) -> str:
    return str(type_) if isinstance(type_, str) else str(type_[0])


def _children(value: Value) -> Iterator[Value]:
    if isinstance(value, Dynamic):
        yield value.value
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _extension(code: int, data: bytes) -> Unknown:
    return Unknown(data) if code == _REFINED_CODE else UNKNOWN


def _typed(raw: Any, type_: Type, path: str, dynamic: Any) -> Value:
    """`raw` as a value of `type_`; `dynamic` reads the values that carry their own type."""
    if raw is None or isinstance(raw, Unknown):
        return raw
    kind = _kind(type_)
    if kind == "dynamic":
        return dynamic(raw, path)
    if kind in ("list", "set", "tuple"):
        if not isinstance(raw, list):
            raise ValueTypeError(path, f"a {kind}", raw)
        types = type_[1] if kind == "tuple" else [type_[1]] * len(raw)
        pairs = zip(raw, types, strict=True)
        return [_typed(item, each, f"{path}[{index}]", dynamic) for index, (item, each) in enumerate(pairs)]
    if kind in ("map", "object"):
        if not isinstance(raw, dict):
            raise ValueTypeError(path, f"a {kind}", raw)
        keys = type_[1] if kind == "object" else dict.fromkeys(raw, type_[1])
        return {key: _typed(raw.get(key), each, _join(path, key), dynamic) for key, each in keys.items()}
    return _primitive(raw, kind, path)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)


def _primitive(raw: Any, kind: str, path: str) -> Value:
    if kind == "bool":
        if isinstance(raw, bool):
            return raw
        if raw in ("true", "false"):
            return raw == "true"
    elif kind == "number" and not isinstance(raw, bool) and isinstance(raw, (int, float, Decimal, str)):
        return _number(raw, path)
    elif kind == "string":
        if isinstance(raw, str):
            return raw
        if isinstance(raw, bool):
            return str(raw).lower()
        if isinstance(raw, (int, float, Decimal)):
            return str(_number(raw, path))
    raise ValueTypeError(path, f"a {kind}", raw)


def _number(raw: int | float | Decimal | str, path: str) -> int | Decimal:
    if isinstance(raw, int):
        return raw
    try:
        number = Decimal(raw)
        return int(number) if number == number.to_integral_value() else number
    except ArithmeticError as error:
        raise ValueTypeError(path, "a number", raw) from error


def _from_wire_dynamic(raw: Any, path: str) -> Dynamic:
    type_ = json.loads(raw[0])
    return Dynamic(type_, _typed(raw[1], type_, path, _from_wire_dynamic))


def _from_json_dynamic(raw: Any, path: str) -> Dynamic:
    if not isinstance(raw, dict) or "type" not in raw:
        raise ValueTypeError(path, "an object with type and value", raw)
    return Dynamic(raw["type"], _typed(raw.get("value"), raw["type"], path, _from_json_dynamic))


def _to_wire(value: Value, type_: Type) -> Any:
    if value is None:
        return None
    if isinstance(value, Unknown):
        if value.refinement is None:
            return msgpack.ExtType(_UNKNOWN_CODE, b"\x00")
        return msgpack.ExtType(_REFINED_CODE, value.refinement)
    kind = _kind(type_)
    if isinstance(value, Dynamic):
        return [json.dumps(value.type, separators=(",", ":")).encode(), _to_wire(value.value, value.type)]
    if kind in ("list", "set"):
        return [_to_wire(item, type_[1]) for item in value]
    if kind == "tuple":
        return [_to_wire(item, each) for item, each in zip(value, type_[1], strict=True)]
    if kind == "map":
        return {key: _to_wire(item, type_[1]) for key, item in sorted(value.items())}
    if kind == "object":
        return {key: _to_wire(value.get(key), each) for key, each in sorted(type_[1].items())}
    return _number_to_wire(value) if kind == "number" else value


def _number_to_wire(value: int | Decimal) -> int | float | str:
    """An integer if it fits in 64 bits, a float if that is exact, else text: what Terraform itself sends."""
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    try:
        return float(value) if Decimal(float(value)) == value else format(value, "f")
    except OverflowError:
        return format(value, "f")


def _number_to_json(value: int | Decimal) -> int | float | str:
    if isinstance(value, int):
        return value
    try:
        return float(value) if Decimal(repr(float(value))) == value else format(value, "f")
    except OverflowError:
        return format(value, "f")

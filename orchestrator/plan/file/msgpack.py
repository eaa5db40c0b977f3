"""Decodes the msgpack in which Terraform writes values: the one extension is the unknown value."""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import Enum
from typing import Any

from orchestrator.errors import UnprovenPlanError


class UnknownValue(Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


# A value that is known after the apply.
UNKNOWN = UnknownValue.UNKNOWN
# Unknown without and with what is known about it all the same.
_EXTENSIONS = frozenset({0, 12})
_DEEPEST = 200
_Reader = Callable[[bytes, int, int], tuple[Any, int]]


def decode_msgpack(data: bytes) -> Any:
    """A value: None, bool, int, float, str, list, dict, UNKNOWN; bytes are the description of a type.

    Raises UnprovenPlanError for anything that Terraform does not write today.
    """
    try:
        value, at = _value(data, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise UnprovenPlanError("a value in it is damaged") from error
    if at != len(data):
        raise UnprovenPlanError("a value in it is damaged")
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    code = data[at]
    at += 1
    if 0xA0 <= code < 0xC0:
        end = at + (code & 0x1F)
        return _decoded(data, at, end), end
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    if code < 0x80:
        return code, at
    if code < 0x90:
        return _map(data, at, code & 0x0F, depth)
    if code < 0xA0:
        return _list(data, at, code & 0x0F, depth)
    if code >= 0xE0:
        return code - 0x100, at
    reader = _READERS.get(code)
    if reader is None:
        raise UnprovenPlanError(f"a value in it has the type {code:#x}")
    return reader(data, at, depth)


def _bytes(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise IndexError
    return data[at : at + size], at + size


def _text(data: bytes, at: int, size: int) -> tuple[str, int]:
    return _decoded(data, at, at + size), at + size


def _decoded(data: bytes, at: int, end: int) -> str:
    if end > len(data):
        raise IndexError
    return str(data[at:end], "utf-8")


def _list(data: bytes, at: int, size: int, depth: int) -> tuple[list[Any], int]:
    _check_depth(depth)
    items = []
    for _ in range(size):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, size: int, depth: int) -> tuple[dict[str, Any], int]:
    _check_depth(depth)
    members: dict[str, Any] = {}
    for _ in range(size):
        code = data[at]
        if 0xA0 <= code < 0xC0:
            end = at + 1 + (code & 0x1F)
            key, at = _decoded(data, at + 1, end), end
        else:
            key, at = _value(data, at, depth + 1)
            if not isinstance(key, str):
                raise UnprovenPlanError("a key in it is no text")
        members[key], at = _value(data, at, depth + 1)
    if len(members) != size:
        raise UnprovenPlanError("a key stands twice in it")
    return members, at


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise UnprovenPlanError("a value in it is nested too deeply")


def _extension(data: bytes, at: int, size: int) -> tuple[UnknownValue, int]:
    code = data[at]
    _, end = _bytes(data, at + 1, size)
    if code not in _EXTENSIONS:
        raise UnprovenPlanError(f"a value in it has the extension {code}")
    return UNKNOWN, end


def _number(form: str) -> _Reader:
    reader = struct.Struct(form)
    return lambda data, at, depth: (reader.unpack_from(data, at)[0], at + reader.size)


def _sized(size: int, read: Callable[[bytes, int, int], tuple[Any, int]]) -> _Reader:
    return lambda data, at, depth: read(data, at + size, int.from_bytes(data[at : at + size]))


def _nested(size: int, read: Callable[[bytes, int, int, int], tuple[Any, int]]) -> _Reader:
    return lambda data, at, depth: read(data, at + size, int.from_bytes(data[at : at + size]), depth)


def _fixed(size: int) -> _Reader:
    return lambda data, at, depth: _extension(data, at, size)


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_READERS: dict[int, _Reader] = {
    **{0xC4 + power: _sized(1 << power, _bytes) for power in range(3)},
    **{0xC7 + power: _sized(1 << power, _extension) for power in range(3)},
    **{0xCA + at: _number(form) for at, form in enumerate((">f", ">d"))},
    **{0xCC + at: _number(form) for at, form in enumerate((">B", ">H", ">I", ">Q"))},
    **{0xD0 + at: _number(form) for at, form in enumerate((">b", ">h", ">i", ">q"))},
    **{0xD4 + power: _fixed(1 << power) for power in range(5)},
    **{0xD9 + power: _sized(1 << power, _text) for power in range(3)},
    **{0xDC + power: _nested(2 << power, _list) for power in range(2)},
    **{0xDE + power: _nested(2 << power, _map) for power in range(2)},
}

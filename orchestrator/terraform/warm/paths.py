"""Finds what a provider might read from the folder that Terraform runs in.

A shared provider runs in a folder of its own, so a relative path means another file to it. A string that
names something in the stack's folder is taken for such a path: at worst a stack is planned with providers of
its own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from orchestrator.protobuf import read_fields

_LONGEST_PATH = 4096
_DYNAMIC_VALUE_MSGPACK, _DYNAMIC_VALUE_JSON = 1, 2
# By the first byte of a msgpack item: how many bytes hold its length, and how many follow besides.
_STRINGS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BINARIES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    0xD4: 2,
    0xD5: 3,
    0xD6: 5,
    0xD7: 9,
    0xD8: 17,
    # Headers of arrays and maps; their items follow as items of their own.
    0xDC: 2,
    0xDD: 4,
    0xDE: 2,
    0xDF: 4,
}


class RelativePaths:
    """Whether messages name files of one folder; each string is looked up once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._checked: set[bytes] = set()

    def first_in(self, message: bytes) -> str | None:
        """The first relative path to something that exists in the folder; None when there is none.

        `message` is a request of the plugin protocol. Raises ValueError when it cannot be read.
        """
        for _, value in read_fields(message):
            if isinstance(value, bytes):
                for text in _strings_of_field(value):
                    if text not in self._checked:
                        self._checked.add(text)
                        if self.names_something(os.fsdecode(text)):
                            return os.fsdecode(text)
        return None

    def names_something(self, text: str) -> bool:
        """Whether a string is a relative path to something in the folder."""
        if not text or text.startswith("/") or "\0" in text or len(text) > _LONGEST_PATH:
            return False
        try:
            return os.path.lexists(self._root / text)
        except (OSError, ValueError):
            return False


def absolute_paths(message: bytes, home: str) -> Iterator[Path]:
    """The absolute paths among the strings of a request, `~/…` below `home` included.

    Raises ValueError when it cannot be read.
    """
    for _, value in read_fields(message):
        for text in _strings_of_field(value) if isinstance(value, bytes) else ():
            if len(text) <= _LONGEST_PATH and b"\0" not in text:
                if text.startswith(b"/"):
                    yield Path(os.fsdecode(text))
                elif text.startswith(b"~/"):
                    yield Path(home) / os.fsdecode(text[2:])


def _strings_of_field(value: bytes) -> Iterator[bytes]:
    """The strings of a field when it is a DynamicValue; nothing for any other field."""
    try:
        fields = list(read_fields(value))
    except ValueError:
        return
    for number, content in fields:
        if isinstance(content, bytes) and number == _DYNAMIC_VALUE_MSGPACK:
            try:
                yield from list(msgpack_strings(content))
            except ValueError:
                # A field of another kind, such as a nested message.
                continue
        elif isinstance(content, bytes) and number == _DYNAMIC_VALUE_JSON and content[:1] in (b"{", b"["):
            raise ValueError("a value in JSON")


def msgpack_strings(data: bytes) -> Iterator[bytes]:
    """Every string in a msgpack value, keys of maps included; ValueError when it is none."""
    at = 0
    while at < len(data):
        first = data[at]
        at += 1
        if first <= 0x7F or first >= 0xE0 or 0x80 <= first <= 0x9F:
            continue  # small numbers; headers of small maps and arrays
        if 0xA0 <= first <= 0xBF:
            length = first & 0x1F
        elif first in _FIXED:
            at = _after(data, at + _FIXED[first])
            continue
        elif first in _STRINGS or first in _BINARIES or first in _EXTENSIONS:
            width = (_STRINGS.get(first) or _BINARIES.get(first) or _EXTENSIONS.get(first)) or 0
            length = _length(data, at, width)
            at += width
            if first not in _STRINGS:
                at = _after(data, at + length + (1 if first in _EXTENSIONS else 0))
                continue
        else:
            raise ValueError(f"msgpack byte {first:#x}")
        end = _after(data, at + length)
        yield data[at:end]
        at = end


def _length(data: bytes, at: int, width: int) -> int:
    _after(data, at + width)
    number: int = struct.unpack_from({1: ">B", 2: ">H", 4: ">I"}[width], data, at)[0]
    return number


def _after(data: bytes, end: int) -> int:
    if end > len(data):
        raise ValueError("cut off")
    return end

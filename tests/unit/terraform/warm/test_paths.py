"""The strings of messages, compared with what msgpack itself reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.terraform.warm.paths import RelativePaths, msgpack_strings

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
VALUES = st.recursive(
    LEAVES | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=300)),
    lambda below: st.lists(below, max_size=17) | st.dictionaries(st.text(max_size=40), below, max_size=17),
    max_leaves=20,
)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return []


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_every_string_of_a_value_is_read(value: Any) -> None:
    assert [text.decode() for text in msgpack_strings(msgpack.packb(value))] == strings(value)


@given(st.binary(max_size=200))
def test_other_bytes_end_in_a_value_error_or_in_strings(data: bytes) -> None:
    try:
        texts = list(msgpack_strings(data))
    except ValueError:
        return
    assert all(text in data for text in texts)


def message(value: Any) -> bytes:
    """A request whose field 3 is a DynamicValue."""
    packed: bytes = msgpack.packb(value)
    inner = b"\x0a" + length(packed) + packed
    return b"\x0a\x09thing_foo" + b"\x1a" + length(inner) + inner


def length(data: bytes) -> bytes:
    size = len(data)
    return bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [{"source": "data/x.txt"}]}, "data/x.txt"),
        ({"a": "."}, "."),
        ({"x" * 100: "y" * 100, "b": "data"}, "data"),
        ({"a": "data/y.txt", "b": "", "c": "/etc/passwd", "d": "x" * 5000, "e": "a\0b"}, None),
        (None, None),
    ],
)
def test_a_relative_path_is_one_that_names_something(tmp_path: Path, value: Any, path: str | None) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x.txt").write_text("")
    assert RelativePaths(tmp_path).first_in(message(value)) == path


def test_a_value_in_json_is_not_guessed_at(tmp_path: Path) -> None:
    value = b'\x12\x09{"a":"b"}'
    with pytest.raises(ValueError, match="JSON"):
        RelativePaths(tmp_path).first_in(b"\x1a" + length(value) + value)

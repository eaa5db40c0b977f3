from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.msgpack import UNKNOWN, decode_msgpack

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES | st.binary(max_size=300),
    lambda below: st.lists(below, max_size=20) | st.dictionaries(st.text(max_size=40), below, max_size=20),
    max_leaves=40,
)


@given(VALUES)
def test_values_are_decoded_as_by_the_library(value: Any) -> None:
    assert decode_msgpack(msgpack.packb(value)) == value


@pytest.mark.parametrize("size", [15, 16, 31, 32, 255, 256, 65_535, 65_536])
def test_every_size_has_its_form(size: int) -> None:
    for value in ("x" * size, b"x" * size, [None] * size, {str(at): None for at in range(size)}):
        assert decode_msgpack(msgpack.packb(value)) == value


@pytest.mark.parametrize("code", [0, 12])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 16, 17, 300, 70_000])
def test_unknown_values(code: int, size: int) -> None:
    assert decode_msgpack(msgpack.packb(msgpack.ExtType(code, b"x" * size))) is UNKNOWN


@pytest.mark.parametrize(
    "data", [b"", b"\xa2x", b"\x91", b"\x81\x01\x01", b"\xc1", b"\xd4\x07\x00", b"\xd4\x00", b"\x01\x01",
             b"\xa1\xff", b"\x82\xa1a\x01\xa1a\x02", b"\x91" * 300 + b"\x01", b"\xdc\xff"],
)  # fmt: skip
def test_anything_else_is_left_to_terraform(data: bytes) -> None:
    with pytest.raises(UnprovenPlanError):
        decode_msgpack(data)

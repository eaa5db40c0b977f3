"""Values: whatever Terraform can send comes back the same, and what does not fit its type is named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.provider.values import (
    UNKNOWN,
    Dynamic,
    Unknown,
    ValueTypeError,
    canonical,
    decode,
    default_of,
    encode,
    from_json,
    is_empty,
    is_known,
    parse_json,
    same,
    to_json,
)

NUMBERS = st.integers() | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal(-(10**60)), max_value=Decimal(10**60)
)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "bool": st.booleans(),
    "number": NUMBERS,
}


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 3, unknown: bool = True) -> tuple[Any, Any]:
    """A type, and a value of it."""
    kinds = ["string", "bool", "number"]
    if depth:
        kinds += ["list", "set", "map", "object", "tuple", "dynamic"]
    kind = draw(st.sampled_from(kinds))
    type_, value = _typed(draw, kind, depth, unknown)
    odd = draw(st.integers(0, 9))
    if odd == 0:
        return type_, None
    if odd == 1 and unknown:
        return type_, draw(st.sampled_from([UNKNOWN, Unknown(b"\x81\x01\xc2")]))
    return type_, value


def _typed(draw: st.DrawFn, kind: str, depth: int, unknown: bool) -> tuple[Any, Any]:
    if kind in PRIMITIVES:
        return kind, draw(PRIMITIVES[kind])
    children = draw(st.lists(typed_values(depth - 1, unknown), min_size=1, max_size=3))
    if kind == "dynamic":
        inner, value = children[0]
        return "dynamic", Dynamic(inner, value)
    if kind == "tuple":
        return ["tuple", [type_ for type_, _ in children]], [value for _, value in children]
    if kind == "object":
        names = [f"a{index}" for index in range(len(children))]
        types = {name: type_ for name, (type_, _) in zip(names, children, strict=True)}
        return ["object", types], {name: value for name, (_, value) in zip(names, children, strict=True)}
    type_, value = children[0]
    items = [value] * draw(st.integers(0, 2))
    if kind == "map":
        return ["map", type_], {f"k{index}": item for index, item in enumerate(items)}
    return [kind, type_], items


@given(typed_values())
def test_msgpack_round_trip(typed: tuple[Any, Any]) -> None:
    type_, value = typed
    assert canonical(decode(encode(value, type_), type_), type_) == canonical(value, type_)


@given(typed_values(unknown=False))
def test_json_round_trip(typed: tuple[Any, Any]) -> None:
    type_, value = typed
    text = json.dumps(to_json(value, type_))
    assert canonical(from_json(parse_json(text), type_), type_) == canonical(value, type_)


@pytest.mark.parametrize(
    ("number", "wire"),
    [
        (7, 7),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (Decimal("0.5"), 0.5),
        (Decimal("0.1"), "0.1"),
        (Decimal("1e-400"), format(Decimal("1e-400"), "f")),
    ],
)
def test_numbers_as_terraform_sends_them(number: Any, wire: Any) -> None:
    assert msgpack.unpackb(encode(number, "number")) == wire
    assert decode(msgpack.packb(wire), "number") == number


def test_unknowns_keep_their_refinement() -> None:
    refined = msgpack.packb(msgpack.ExtType(12, b"\x81\x01\xc2"))
    assert decode(refined, "string") == Unknown(b"\x81\x01\xc2")
    assert encode(decode(refined, "string"), "string") == refined
    assert encode(UNKNOWN, "string") == b"\xd4\x00\x00"
    assert not is_known({"a": [1, UNKNOWN]})
    assert not is_known(Dynamic("string", UNKNOWN))
    assert is_known({"a": [1, None]})


def test_missing_attributes_are_null_and_strangers_are_dropped() -> None:
    type_ = ["object", {"a": "string", "b": "number"}]
    assert from_json({"a": "x", "gone": 1}, type_) == {"a": "x", "b": None}
    assert msgpack.unpackb(encode({"a": "x"}, type_)) == {"a": "x", "b": None}


@pytest.mark.parametrize(
    ("raw", "type_", "value"),
    [
        ("5", "number", 5),
        ("0.1", "number", Decimal("0.1")),
        (5, "string", "5"),
        (True, "string", "true"),
        ("true", "bool", True),
    ],
)
def test_conversions_of_hand_written_json(raw: Any, type_: Any, value: Any) -> None:
    assert from_json(raw, type_) == value


@pytest.mark.parametrize(
    ("raw", "type_", "message"),
    [
        ("x", ["list", "string"], "a list required, but it is 'x'"),
        (
            {"a": [{"b": "no"}]},
            ["object", {"a": ["list", ["object", {"b": "bool"}]]}],
            "a[0].b: a bool required",
        ),
        ("ten", "number", "a number required"),
        (True, "number", "a number required"),
        ([], ["map", "string"], "a map required"),
        (3, "dynamic", "an object with type and value"),
    ],
)
def test_wrong_types_are_named(raw: Any, type_: Any, message: str) -> None:
    with pytest.raises(ValueTypeError) as caught:
        from_json(raw, type_)
    assert message in str(caught.value)


def test_equality_is_terraforms() -> None:
    assert same(["a", "b"], ["b", "a"], ["set", "string"])
    assert not same(["a", "b"], ["b", "a"], ["list", "string"])
    assert same(1, Decimal("1.0"), "number")
    assert not same(None, "", "string")


def test_defaults_and_emptiness() -> None:
    type_ = ["object", {"a": "string", "l": ["list", "string"], "t": ["tuple", ["bool"]], "d": "dynamic"}]
    assert default_of(type_) == {"a": "", "l": [], "t": [False], "d": None}
    empty: list[Any] = [None, "", 0, False, [], {}]
    assert all(is_empty(each) for each in empty)
    assert not any(is_empty(each) for each in (UNKNOWN, "x", 1, [None], Dynamic("string", "")))


def test_an_unknown_value_has_no_json() -> None:
    with pytest.raises(ValueTypeError):
        to_json([UNKNOWN], ["list", "string"])

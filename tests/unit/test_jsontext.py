"""JSON from outside is UTF-8 that can be printed and written again, or a ValueError."""

from __future__ import annotations

import pytest

from orchestrator.jsontext import read_json, read_object


@pytest.mark.parametrize("data", [b'{"a": "\xc3\xa9"}', b'\xef\xbb\xbf{"a": "\\u00e9"}', '{"a": "é"}'])
def test_utf_8_is_read(data: bytes | str) -> None:
    assert read_json(data) == {"a": "é"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'"\\ud800"', "surrogates not allowed"),
        (b'"\xed\xa0\x80"', "can't decode byte 0xed"),
        ('"\ud800"', "surrogates not allowed"),
        ('{"a": 1}'.encode("utf-16"), "can't decode byte 0xff"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
    ],
)
def test_what_nothing_could_print_is_refused(data: bytes | str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_json(data)


def test_an_object_is_no_other_value() -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        read_object(b"[]")

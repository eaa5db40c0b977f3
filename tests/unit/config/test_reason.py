"""What counts as a reason: something that can be read."""

from __future__ import annotations

import pytest

from orchestrator.config.loading import load_text
from orchestrator.config.reason import clean_reason
from orchestrator.errors import ConfigError

INVISIBLE = {
    "empty": "",
    "blanks": " \t\n",
    "zero width space": "\u200b",
    "joiners and marks of direction": "\u200c\u200d\u200e\u200f\u2060",
    "bidirectional controls": "\u202a\u202e\u2066\u2069",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "controls": "\x00\x1b\x7f\x9b",
    "half a pair": "\ud800",
    "private use": "\ue000",
    "unassigned": "\u0378",
    "tags": "\U000e0041\U000e0042",
    "variation selectors": "\ufe0f\U000e0100",
    "other blanks": "\u00a0\u2003\u3000\u2028\u2029",
    "combining marks alone": "\u0301\u034f",
    "fillers": "\u115f\u1160\u3164\uffa0",
    "blank braille": "\u2800",
    "punctuation": "… - !?",
}


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_what_nobody_can_read_is_no_reason(text: str) -> None:
    with pytest.raises(ValueError, match="must say why"):
        clean_reason(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the probe is down", "the probe is down"),
        ("  two\n lines\u200b ", "two lines"),
        ("\u202eno tricks\u202c", "no tricks"),
        ("INC-4711", "INC-4711"),
        ("7", "7"),
        ("プローブ停止", "プローブ停止"),
        ("résumé", "résumé"),
    ],
)
def test_a_reason_is_one_line_of_what_can_be_read(text: str, expected: str) -> None:
    assert clean_reason(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "guard: {allow: [{rule: basic-role, reason: '%s'}]}",
        "drift: {ignore: [{address: a.b, attribute: c, until: 2030-01-01, reason: '%s'}]}",
        "policy: {protect: [{address: a.b, reason: '%s'}]}",
        "lint: {ignore: [{rule: basic-role, reason: '%s'}]}",
        "environments: {prod: {approval_ignores: [{address: a.b, attribute: c, reason: '%s'}]}}",
    ],
)
def test_infra_yaml_takes_no_invisible_reason(text: str) -> None:
    with pytest.raises(ConfigError, match="must say why"):
        load_text((text % "\u200b").encode())

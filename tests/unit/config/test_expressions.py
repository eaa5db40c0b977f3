"""Expressions of infra.yaml match what `re` matches, in a time that nobody's text can stretch."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.expressions import parse_expression

EXPRESSIONS = (
    r"ab[0-9A-F]{2}",
    r"(?<=b=)\S+",
    r"(?<=a|b)c+",
    r"\bab+\b",
    r"\Bb\B",
    r"(?i)ab[a-c]+x",
    r"(?i:a)b",
    r"^a+b",
    r"(?m)^a+$",
    r"a+$",
    r"\Aa|b\Z",
    r"(?:a|ab)+c",
    r"[^ab]b",
    r"a.b",
    r"(?s)a.b",
    r"(?<!a)bc?",
    r"b(?!c)",
    r"b(?=[ac])",
    r"(?:a+)+b",
    r"(a?){3}b{2}",
    r"a{2,3}?b?",
    r"\d\Bx|\wa",
    r"\w+b",
)
# Whether these match depends on what follows, so that a part of the text alone says nothing.
LOOKS_AHEAD = re.compile(r"\$|\\[bBZ]|\(\?[!=]")


@pytest.mark.parametrize("text", EXPRESSIONS)
@given(value=st.text(alphabet="abcAB=x1 \n", max_size=9))
def test_what_matches_is_what_re_would_match_anywhere(text: str, value: str) -> None:
    expression, pattern = parse_expression(text), re.compile(text)
    spans = expression.spans(value)
    assert expression.search(value) is (pattern.search(value) is not None) is bool(spans)
    if LOOKS_AHEAD.search(text):
        matches = [pattern.match(value, start) for start in range(len(value))]
    else:
        bounds = combinations(range(len(value) + 1), 2)
        matches = [pattern.fullmatch(value, start, end) for start, end in bounds]
    assert {index for start, end in spans for index in range(start, end)} == {
        index for match in matches if match for index in range(*match.span())
    }


def test_the_longest_text_counts() -> None:
    assert parse_expression("key=.*?;").spans("key=a;b; c") == [(0, 8)]
    assert parse_expression("ab|abc").spans("abcab") == [(0, 3), (3, 5)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"(a+)+$", "a" * 20_000 + "!"),
        (r"(a|a)*b", "a" * 20_000),
        (r"a*a*a*a*b", "a" * 20_000),
        (r"[a-z]+-x", "a" * 20_000),
        (r"(a|b)*a(a|b){12}c", "abbab" * 4_000),
        (r"[^x]+x", "".join(map(chr, range(0x3000, 0x8000)))),
    ],
)
def test_no_text_takes_longer_than_it_is_long(text: str, value: str) -> None:
    """`re` would take hours or years for the first three."""
    assert parse_expression(text).spans(value) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "unterminated character set"),
        ("a*", "does not match an empty text"),
        ("A-[[0-9]+", "possible nested set at position 3"),
        ("[a--b]", "possible set difference"),
        (r"(a)\1", "references to groups"),
        ("(?>a)", "atomic groups"),
        ("a++", "possessive"),
        ("(?<=ab)c(?=de)", "one character only"),
        ("(((a{1000}){1000}){1000})", "too many"),
        ("(" * 100_000, "smaller"),
    ],
)
def test_what_cannot_be_matched_so_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse_expression(text)

"""Globs mean what they say, and take no longer than their length times the text's."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.globs import matches


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("", "", True),
        ("", "*", True),
        ("a", "", False),
        ("prod", "prod", True),
        ("prod", "p*d", True),
        ("prods", "p*d", False),
        ("abab", "*ab", True),
        ("aba", "*ab", False),
        ("ab", "*ab*ab", False),
        ("a\nb", "a?b", True),
        ('x["a"]', 'x["*"]', True),
        ("x[1]", "x[0-9]", False),
        ("a.b", "a?b", True),
    ],
)
def test_patterns(value: str, pattern: str, expected: bool) -> None:
    assert matches(value, [pattern]) is expected


@given(value=st.text(alphabet="ab\n", max_size=8), pattern=st.text(alphabet="ab*?", max_size=7))
def test_the_same_as_an_expression_that_searches_everywhere(value: str, pattern: str) -> None:
    plain = "".join({"*": ".*", "?": "."}.get(char, char) for char in pattern)
    assert matches(value, [pattern]) is (re.fullmatch(plain, value, re.DOTALL) is not None)


@pytest.mark.parametrize(
    "pattern", ["*a" * 300 + "*b", "*a*" * 100 + "b", "?*" * 200 + "b", "*" * 1000 + "b"]
)
def test_many_stars_take_no_time(pattern: str) -> None:
    begun = time.process_time()
    assert not matches("a" * 5000, [pattern])
    assert time.process_time() - begun < 5

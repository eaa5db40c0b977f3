"""Globs in rules about names: `*` stands for anything, `?` for one character, brackets for themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache


def matches(value: str, patterns: Iterable[str]) -> bool:
    """Whether the whole value is as one of the globs has it; addresses with `["a"]` need no escapes."""
    return any(_expression(pattern).fullmatch(value) for pattern in patterns)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression that never goes back over what it has matched.

    What stands between two stars is taken where it comes first, which leaves the most for the rest: an atomic
    group keeps the search from trying any later place.
    """
    first, *parts = re.sub(r"\*+", "*", pattern).split("*")
    if not parts:
        return re.compile(_literal(first), re.DOTALL)
    *middle, last = parts
    between = "".join(f"(?>.*?{_literal(part)})" for part in middle)
    # The end is looked for once, from behind.
    ending = f"(?=.{{{len(last)},}}\\Z).*(?<={_literal(last)})" if last else ".*"
    return re.compile(f"{_literal(first)}{between}{ending}", re.DOTALL)


def _literal(part: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in part)

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
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)

"""Glob patterns of a listing's `matchGlob`, as regular expressions over object names."""

from __future__ import annotations

import re

from orchestrator.sandbox.gcs.errors import GcsError, invalid

_ELEMENTS = re.compile(r"\*\*/|\*\*|\*|\?|\\.|\[!?[^\]]+\]|\{|\}|,|.", re.DOTALL)
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def compile_glob(pattern: str) -> re.Pattern[str]:
    """The expression that matches whole names; 400 for a pattern whose brackets do not close.

    `*` and `?` stay within one part of a name, `**` crosses slashes, `**/` may stand for nothing,
    `[a-z]` and `[!a-z]` match one character, `{a,b}` either text, and a backslash takes away a meaning.
    """
    depth, parts = 0, []
    for element in _ELEMENTS.findall(pattern):
        if element in _FIXED:
            parts.append(_FIXED[element])
        elif element == "{":
            depth += 1
            parts.append("(?:")
        elif element == "}" and depth:
            depth -= 1
            parts.append(")")
        elif element == "," and depth:
            parts.append("|")
        elif element[0] == "[" and len(element) > 1:
            parts.append(_character_class(element))
        elif element == "[":
            raise _malformed(pattern)
        else:
            parts.append(re.escape(element[-1]))
    if depth:
        raise _malformed(pattern)
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        raise _malformed(pattern) from None


def _character_class(element: str) -> str:
    negated = element[1] == "!"
    members = re.sub(r"([\\\[\]^&|~])", r"\\\1", element[2 if negated else 1 : -1])
    return f"[{'^/' if negated else ''}{members}]"


def _malformed(pattern: str) -> GcsError:
    return invalid(f"Invalid value '{pattern}' for matchGlob.", location="matchGlob")

"""Rewrites Terraform's diff for GitHub's `diff` highlighting, with the sign in the first column."""

from __future__ import annotations

import re
from collections.abc import Iterator

# One sign alone stands in an even column from the second on; in odd ones are lists in a warning.
_SIGNED = re.compile(r"(?P<indent> *)(?P<sign>-/\+|\+/-|<=|(?<=  )[-+~])(?= )(?P<rest>.*)", re.DOTALL)
_OPENS = re.compile(r"<<[-~]?(?P<end>\w+)\Z")
# What GitHub would colour in the first column.
_COLOURED = ("+", "-", "!", "@", "#", "<", ">", "diff ", "index ")
_BEGINS = "Terraform will perform the following actions:\n"
# Orange stands for a change in place, and for a replacement whose own sign would look like an addition.
_COLOUR_OF = {"~": "!", "+/-": "! +/-"}
# Where Terraform writes inside a heredoc, in columns from the sign of the attribute.
_HEREDOC_SIGN, _HEREDOC_END = 4, 2


def color_diff(diff: str) -> str:
    """The diff with `+`, `-` and `-/+` in the first column, and `!` for Terraform's `~`.

    Lines of a text that begin with such a sign are not changes; a text that is added or removed as a whole
    has the sign on each of its lines. What stands before the first action is left out.
    """
    return "\n".join(_lines(strip_preamble(diff).split("\n")))


def strip_preamble(diff: str) -> str:
    """The diff from its first action on; coloured it is not shorter."""
    _, separator, rest = diff.partition(_BEGINS)
    return (rest if separator else diff).strip("\n")


def _lines(lines: list[str]) -> Iterator[str]:
    end, column, whole = "", 0, ""
    for line in lines:
        if end:
            if line.startswith(end):
                end = ""
                yield _plain(line, whole)
            else:
                yield _inside(line, column, whole)
            continue
        signed = _SIGNED.fullmatch(line)
        if signed and len(signed["sign"]) == 1 and len(signed["indent"]) % 2:
            signed = None
        opens = _OPENS.search(line)
        if opens:
            before = len(line) - len(line.lstrip(" "))
            column = len(signed["indent"]) if signed else max(0, before - 2)
            end = " " * (column + _HEREDOC_END) + opens["end"]
            whole = signed["sign"] if signed and signed["sign"] in ("+", "-") else ""
        yield _signed(line, signed) if signed else _plain(line)


def _inside(line: str, column: int, whole: str) -> str:
    """A line of a text: only a sign in its own column is Terraform's."""
    signed = _SIGNED.fullmatch(line)
    if signed and not whole and len(signed["indent"]) == column + _HEREDOC_SIGN:
        return _signed(line, signed)
    return _plain(line, whole)


def _signed(line: str, match: re.Match[str]) -> str:
    sign = match["sign"]
    if sign == "<=":
        return _plain(line)
    first = _COLOUR_OF.get(sign, sign)
    rest = " " * (len(match["indent"]) + len(sign)) + match["rest"]
    # The sign takes the place of spaces, so that columns stay where they are.
    taken = len(rest) - len(rest.lstrip(" "))
    return first + rest[min(len(first), max(taken - 1, 0)) :]


def _plain(line: str, sign: str = "") -> str:
    if sign:
        return sign + (line[1:] if line.startswith(" ") else line)
    return f" {line}" if line.startswith(_COLOURED) else line

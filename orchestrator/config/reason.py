"""Validates the reasons that people give for exceptions from rules."""

from __future__ import annotations

import unicodedata

# Letters by their Unicode category that are drawn as nothing.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_LETTERS = ("L", "N")
# Characters without a shape of their own: controls, formats such as U+200B, half pairs, private, unassigned.
_INVISIBLE = "C"


def clean_reason(value: str) -> str:
    """The text on one line, without invisible characters.

    Raises ValueError for a text in which nobody can read a letter or a digit.
    """
    visible = "".join(
        " " if character.isspace() else character
        for character in value
        if character.isspace() or not unicodedata.category(character).startswith(_INVISIBLE)
    )
    if not any(
        unicodedata.category(character)[0] in _LETTERS and character not in _FILLERS for character in visible
    ):
        raise ValueError("must say why, in words that can be read")
    return " ".join(visible.split())

"""HTML made of parts: text is escaped, markup is kept."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

EMPTY = ("br", "hr", "input", "meta", "wbr")


class Html(str):
    """Markup that is safe to show as it is."""

    __slots__ = ()


def el(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """An element. A `_` at the end of an attribute's name is left out (`class_`), True has no value."""
    told = ""
    for key, value in attributes.items():
        if value is not False:
            shown = key.removesuffix("_").replace("_", "-")
            told += f" {shown}" if value is True else f' {shown}="{escape(str(value))}"'
    if name in EMPTY:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Parts one after the other: what is no markup yet is escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))

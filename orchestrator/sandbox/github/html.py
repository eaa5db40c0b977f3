"""HTML from elements: text is escaped, markup is not."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

EMPTY = ("br", "hr", "input", "meta", "wbr")


class Html(str):
    """Markup that is safe to show as it is."""

    __slots__ = ()


def el(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """An element. A `_` at the end of an attribute's name is left out (`class_`), True has no value."""
    attributes_text = ""
    for key, value in attributes.items():
        if value is not False:
            attribute = key.removesuffix("_").replace("_", "-")
            attributes_text += f" {attribute}" if value is True else f' {attribute}="{escape(str(value))}"'
    if name in EMPTY:
        return Html(f"<{name}{attributes_text}>")
    return Html(f"<{name}{attributes_text}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Parts one after the other: what is no markup yet is escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))

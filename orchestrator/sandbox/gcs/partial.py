"""Partial responses: the parameter `fields` selects what an answer of the JSON API shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.sandbox.gcs.errors import invalid

# The selected names, each with what is selected within it; an empty selection takes everything.
Selection = Mapping[str, "Selection"]

_ELEMENTS = re.compile(r"[\w*]+|[(),/]")


def parse_selection(text: str) -> Selection:
    """From `items(name,size),nextPageToken` or `items/name`; 400 for anything malformed."""
    elements = _ELEMENTS.findall(text)
    selection: dict[str, Any] = {}
    if "".join(elements) != text or _read(elements, 0, selection) != len(elements):
        raise invalid(f"Invalid field selection {text}", reason="invalidParameter", location="fields")
    return selection


def select(value: Any, selection: Selection) -> Any:
    """The selected part of a document; every item of a list is selected from alike."""
    if not selection:
        return value
    if isinstance(value, list):
        return [select(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: selection.get(name, selection.get("*")) for name in value}
    return {name: select(value[name], part) for name, part in inner.items() if part is not None}


def _read(elements: Sequence[str], position: int, selection: dict[str, Any]) -> int:
    """Add the paths that begin at a position to a selection; returns where they end, -1 when malformed."""
    while True:
        branch = selection
        while True:
            if position >= len(elements) or elements[position] in "(),/":
                return -1
            branch = branch.setdefault(elements[position], {})
            position += 1
            if elements[position : position + 1] != ["/"]:
                break
            position += 1
        if elements[position : position + 1] == ["("]:
            position = _read(elements, position + 1, branch)
            if position < 0 or elements[position : position + 1] != [")"]:
                return -1
            position += 1
        if elements[position : position + 1] != [","]:
            return position
        position += 1

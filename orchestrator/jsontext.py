"""JSON from outside: one way to read it, whose every failure is a ValueError."""

from __future__ import annotations

import json
import re
from typing import Any

# What reading a document of another form than the documented one raises.
MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError)

# An escape that is half of a character, unless its other half follows.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(data: bytes | str) -> Any:
    """The value of a JSON text.

    Raises ValueError for what is no JSON in UTF-8, is nested too deeply for this process, or holds half of a
    character, as it is or in JSON's escapes: nothing could print or write that.
    """
    try:
        # Python's reader would take halves of characters in UTF-8, and UTF-16 as well.
        encoded = data if isinstance(data, bytes) else data.encode()
        value = json.loads(encoded.decode("utf-8-sig"))
        if _SURROGATE.search(encoded):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def read_object(data: bytes | str) -> dict[str, Any]:
    """The JSON object in a text; ValueError for any other value."""
    value = read_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """The object that stands at some place of a document, an empty one where something else does."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The list that stands at some place of a document, an empty one where something else does."""
    return value if isinstance(value, list) else []

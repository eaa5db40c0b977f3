"""Terraform's attributes and the JSON API's fields: `log_config` blocks against `logConfig` objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def camel(name: str) -> str:
    """`main_page_suffix` → `mainPageSuffix`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """`mainPageSuffix` → `main_page_suffix`."""
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def to_api(value: Any, many: frozenset[str], name: str = "") -> Any:
    """Attributes as fields: a block is an object, one named in `many` a list; nulls are left out."""
    if isinstance(value, Mapping):
        fields = {camel(key): to_api(item, many, key) for key, item in value.items()}
        return {key: item for key, item in fields.items() if item is not None}
    if isinstance(value, list):
        if not all(isinstance(item, Mapping) for item in value) or (not value and name not in many):
            return value or None
        items = [to_api(item, many) for item in value]
        return items if name in many else items[0]
    return value


def from_api(value: Any, maps: frozenset[str], name: str = "") -> Any:
    """Fields as attributes, the other way round; objects named in `maps` are maps, not blocks."""
    if isinstance(value, Mapping):
        if name in maps:
            return dict(value)
        return [{snake(key): from_api(item, maps, snake(key)) for key, item in value.items()}]
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return [from_api(item, maps)[0] for item in value]
    return value

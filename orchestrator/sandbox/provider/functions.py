"""The functions of Google's provider: parts of an id or of a self link."""

from __future__ import annotations

import re
from collections.abc import Callable

_ID_PARTS = {
    "project_from_id": ("project", r"projects/(?P<Element>[^/]+)(/|$)"),
    "location_from_id": ("location", r"locations/(?P<Element>[^/]+)(/|$)"),
    "region_from_id": ("region", r"regions/(?P<Element>[^/]+)(/|$)"),
    "zone_from_id": ("zone", r"zones/(?P<Element>[^/]+)(/|$)"),
    "name_from_id": ("name", r"/(?P<Element>[^/]+)$"),
}


def _part(kind: str, pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        match = re.search(pattern, text)
        if match is None:
            expected = pattern.replace("?P<", "?<")
            raise ValueError(f'The input string "{text}" doesn\'t contain the expected pattern "{expected}".')
        return match["Element"]

    read.__name__ = f"{kind}_from_id"
    return read


def _region_from_zone(zone: str) -> str:
    if not zone:
        raise ValueError("The input string cannot be empty.")
    if zone.count("-") < 2:
        raise ValueError(f'The input string "{zone}" is not a valid zone name.')
    return zone.rpartition("-")[0]


FUNCTIONS: dict[str, Callable[[str], str]] = {
    **{name: _part(*how) for name, how in _ID_PARTS.items()},
    "region_from_zone": _region_from_zone,
}

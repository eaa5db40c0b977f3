"""Durations as people write them: `90s`, `20m`, `1h30m`, `2d`."""

from __future__ import annotations

import re

PATTERN = r"^([0-9]+(\.[0-9]+)?[smhd])+$"

_WHOLE = re.compile(PATTERN)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 366 * 86400.0


def parse_duration(value: object) -> float:
    """The seconds of a duration; the number 0 is one too. ValueError says what would be right."""
    if value == 0 and isinstance(value, int) and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str) or not _WHOLE.match(value):
        raise ValueError("must be a duration such as 20m")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
    if total > _LONGEST:
        raise ValueError("must be a duration of a year at most")
    return total

"""How drift is watched and put right, as infra.yaml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Literal

DAY = 86400.0

Action = Literal["report", "revert", "accept", "pr"]
# What the next apply would not undo: only of these may the state take over what the world says.
ACCEPTABLE = ("codified", "ignored", "baseline", "noise")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class IgnoreRule:
    """Drift that is known and let be, until a day.

    `address` and `attribute` are globs; the attribute `*` covers everything, a deletion too. `value` is a
    regular expression that the value in the world must hold. `until` is the last day on which it counts.
    """

    address: str
    attribute: str
    reason: str
    until: date
    value: str | None = None

    @property
    def words(self) -> str:
        """The rule as it is named to people."""
        return f"{self.address} {self.attribute}"


@dataclass(frozen=True)
class Window:
    """When something may be put right: on these days, from one time of day to another, in a time zone.

    A window whose end is before its beginning goes over midnight and belongs to the day on which it began.
    """

    days: tuple[Weekday, ...] = WEEK
    start: time = time(0, 0)
    end: time = time(0, 0)
    zone: str = "UTC"


@dataclass(frozen=True)
class Limits:
    """What may be put right without a person: these addresses (globs), so many changes at most, when."""

    addresses: tuple[str, ...] = ("*",)
    max: int = 10
    deletes: bool = False
    window: Window | None = None


@dataclass(frozen=True)
class Drift:
    """The section `drift`. `volatile` are globs over TYPE.ATTRIBUTE, `stale_after` is in seconds.

    `webhook` is the name of an environment variable. `actions` are by environment and class; what is not in
    them is reported.
    """

    ignore: tuple[IgnoreRule, ...] = ()
    volatile: tuple[str, ...] = ()
    stale_after: float = 3 * DAY
    issues: Literal["stack", "environment", "none"] = "stack"
    labels: tuple[str, ...] = ("drift",)
    summary: Literal["none", "issue"] = "none"
    webhook: str | None = None
    actions: Mapping[str, Mapping[str, Action]] = field(default_factory=dict)
    limits: Limits = Limits()

    def action(self, environment: str, kind: str) -> Action:
        """What is done about a class of drift in an environment."""
        return self.actions.get(environment, {}).get(kind, "report")

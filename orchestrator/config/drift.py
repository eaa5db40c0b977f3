"""The section `drift`: detection and remediation settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from orchestrator.config.section import ConfigSection

if TYPE_CHECKING:
    from pydantic import Field

    from orchestrator.config.fields import (
        Day,
        EnvironmentName,
        Expression,
        FieldEmpty,
        Reason,
        Subscription,
        Text,
        TimeOfDay,
        Timeout,
        Variable,
        Volatile,
        Zone,
    )
    from orchestrator.config.raw import DriftActions

DAY = 86400.0

Action = Literal["report", "revert", "accept", "pr"]
# Drift classes that the next apply does not revert: only these may be accepted into the state.
ACCEPTABLE = ("codified", "ignored", "baseline", "noise")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class IgnoreRule(ConfigSection):
    """Drift that is known and accepted. It needs a reason and a last day."""

    address: Annotated[Text, Field(examples=["google_compute_instance_group_manager.*"])]
    """A glob over resource addresses."""
    attribute: Annotated[Text, Field(examples=["target_size"])]
    """A glob over attribute paths; `*` covers everything, a deletion too."""
    reason: Annotated[Reason, Field(examples=["The autoscaler sets it."])]
    """Why the difference is accepted."""
    until: Annotated[Day, Field(examples=["2027-01-31"])]
    """The last day on which the rule counts."""
    value: Expression | None = None
    """Only while the real value matches this regular expression."""

    @property
    def words(self) -> str:
        """The rule's display name."""
        return f"{self.address} {self.attribute}"


@dataclass(frozen=True)
class Window(ConfigSection):
    """When drift may be remediated without a person."""

    keys: ClassVar = {"start": "from", "end": "to"}

    days: Annotated[tuple[Weekday, ...], Field(examples=[["mon", "tue", "wed", "thu"]])] = WEEK
    """Days of the week."""
    start: Annotated[TimeOfDay, Field(examples=["02:00"])] = time(0, 0)
    """From this time of day."""
    end: Annotated[TimeOfDay, Field(examples=["05:00"])] = time(0, 0)
    """To this time of day; midnight is the end of the day, and a time before `from` is on the next one."""
    zone: Annotated[Zone, Field(examples=["Europe/Berlin"])] = "UTC"
    """The time zone that the times are of."""


@dataclass(frozen=True)
class RemediationLimits(ConfigSection):
    """What may be remediated without a person."""

    addresses: tuple[Text, ...] = ("*",)
    """Globs over resource addresses."""
    max: Annotated[int, Field(ge=0, le=1000)] = 10
    """At most so many changes of a stack."""
    deletes: bool = False
    """Whether a remediation may delete or replace something."""
    window: Window | None = None
    """When. Without it: at any time."""


@dataclass(frozen=True)
class Drift(ConfigSection):
    """How drift is checked and remediated."""

    ignore: tuple[IgnoreRule, ...] = ()
    """Drift that is known and accepted."""
    volatile: Annotated[
        tuple[Volatile, ...], Field(examples=[["google_vertex_ai_schedule.next_run_time"]])
    ] = ()
    """Globs over TYPE.ATTRIBUTE: what changes by itself, in addition to what infra knows."""
    stale_after: Annotated[Timeout, Field(examples=["3d"])] = 3 * DAY
    """A stack that was not checked for so long is a finding itself."""
    changes_from: Annotated[
        Subscription | None, Field(examples=["projects/acme-ops/subscriptions/changes"])
    ] = None
    """A Pub/Sub subscription to audit log entries or an asset feed: what changed is checked first."""
    issues: Literal["stack", "environment", "none"] = "stack"
    """One issue for each stack, for each environment, or none."""
    labels: Annotated[tuple[Text, ...], Field(examples=[["drift"]])] = ("drift",)
    """Labels of the issues, beside those of environment and severity."""
    summary: Literal["none", "issue"] = "none"
    """Whether each run also updates one issue with all results."""
    webhook: Annotated[Variable | None, Field(examples=["DRIFT_WEBHOOK_URL"])] = None
    """Name of the environment variable with the address that messages are sent to; never the address."""
    actions: Annotated[
        Mapping[EnvironmentName, DriftActions], FieldEmpty, Field(examples=[{"dev": {"reverted": "revert"}}])
    ] = field(default_factory=dict)
    """What is done about drift, by environment and class. What is not named is reported."""
    limits: RemediationLimits = RemediationLimits()
    """What may be remediated without a person."""

    def action(self, environment: str, kind: str) -> Action:
        """The remediation action for a drift class in an environment."""
        return self.actions.get(environment, {}).get(kind, "report")

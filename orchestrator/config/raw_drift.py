"""The section `drift` as pydantic sees it."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from orchestrator.config.drift import (
    ACCEPTABLE,
    DAY,
    WEEK,
    Action,
    Drift,
    IgnoreRule,
    Limits,
    Weekday,
    Window,
)
from orchestrator.config.fields import EnvironmentName, Expression, Reason, Text, Timeout, Variable, or_empty
from orchestrator.config.section import Section

_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("must be a date such as 2027-01-31")


def _time(value: Any) -> Any:
    if isinstance(value, str) and len(value) == len("22:00"):
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError('must be a time of day in quotes, such as "22:00"')


def _zone(value: str) -> str:
    """Only when it is said, since to know them all is to read files."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"must be a time zone such as Europe/Berlin; {value} is none") from None
    return value


def _volatile(value: Any) -> Any:
    if isinstance(value, str) and "." not in value:
        raise ValueError("must be TYPE.ATTRIBUTE, such as google_vertex_ai_schedule.next_run_time")
    return value


Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
TimeOfDay = Annotated[time, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": _TIME})]
Volatile = Annotated[
    str, BeforeValidator(_volatile), WithJsonSchema({"type": "string", "pattern": r"^[^.]+\..+$"})
]
Zone = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"), AfterValidator(_zone)]


class RawIgnoreRule(Section):
    """Drift that is known and let be. It needs a reason and a last day."""

    address: Text = Field(examples=["google_compute_instance_group_manager.*"])
    """A glob over resource addresses."""
    attribute: Text = Field(examples=["target_size"])
    """A glob over attribute paths; `*` covers everything, a deletion too."""
    reason: Reason = Field(examples=["The autoscaler sets it."])
    """Why it is right as it is."""
    until: Day = Field(examples=["2027-01-31"])
    """The last day on which the rule counts."""
    value: Expression | None = None
    """Only while the value in the world matches this regular expression."""


class RawWindow(Section):
    """When drift may be put right without a person."""

    days: tuple[Weekday, ...] = Field(WEEK, examples=[["mon", "tue", "wed", "thu"]])
    """Days of the week."""
    start: TimeOfDay = Field(time(0, 0), alias="from", examples=["02:00"])
    """From this time of day."""
    end: TimeOfDay = Field(time(0, 0), alias="to", examples=["05:00"])
    """To this time of day; midnight is the end of the day, and a time before `from` is on the next one."""
    zone: Zone = Field("UTC", examples=["Europe/Berlin"])
    """The time zone that the times are of."""


class RawLimits(Section):
    """What may be put right without a person."""

    addresses: tuple[Text, ...] = ("*",)
    """Globs over resource addresses."""
    max: Annotated[int, Field(ge=0, le=1000)] = 10
    """At most so many changes of a stack."""
    deletes: bool = False
    """Whether a correction may delete or replace something."""
    window: RawWindow | None = None
    """When. Without it: at any time."""


class RawActions(Section):
    """What is done about each class of drift."""

    reverted: Action = "report"
    """The code puts the old value back."""
    conflict: Action = "report"
    """The code wants a third value."""
    codified: Action = "report"
    """The code says the same as the world already."""
    ignored: Action = "report"
    """`ignore_changes` covers it."""
    baseline: Action = "report"
    """It is so since the first check after an apply."""
    noise: Action = "report"
    """It changes by itself."""
    unmanaged: Action = "report"
    """The code does not set it."""
    owed: Action = "report"
    """The code and the state differ, although nothing changed outside since."""

    @model_validator(mode="after")
    def _stays(self) -> RawActions:
        for kind, action in self:
            if action == "accept" and kind not in ACCEPTABLE:
                raise ValueError(
                    f"`{kind}` cannot be accepted: the next apply would undo it; "
                    f"only {', '.join(ACCEPTABLE)} can"
                )
        return self

    def given(self) -> dict[str, Action]:
        """The actions that are named."""
        return {kind: getattr(self, kind) for kind in sorted(self.model_fields_set)}


class RawDrift(Section):
    """How drift is watched and put right."""

    ignore: tuple[RawIgnoreRule, ...] = ()
    """Drift that is known and let be."""
    volatile: tuple[Volatile, ...] = Field((), examples=[["google_vertex_ai_schedule.next_run_time"]])
    """Globs over TYPE.ATTRIBUTE: what changes by itself, beside what infra knows to."""
    stale_after: Timeout = Field(3 * DAY, examples=["3d"])
    """A stack that was not checked for so long is a finding itself."""
    issues: Literal["stack", "environment", "none"] = "stack"
    """One issue for each stack, for each environment, or none."""
    labels: tuple[Text, ...] = Field(("drift",), examples=[["drift"]])
    """Labels of the issues, beside those of environment and severity."""
    summary: Literal["none", "issue"] = "none"
    """Whether each run also tells all of it in one issue."""
    webhook: Variable | None = Field(None, examples=["DRIFT_WEBHOOK_URL"])
    """Name of the environment variable that holds the address to tell; never the address."""
    actions: Annotated[dict[EnvironmentName, RawActions], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"dev": {"reverted": "revert"}}]
    )
    """What is done about drift, by environment and class. What is not named is reported."""
    limits: RawLimits = RawLimits()
    """What may be put right without a person."""

    def drift(self) -> Drift:
        """The section as the rest of the program sees it."""
        rules = (IgnoreRule(r.address, r.attribute, r.reason, r.until, r.value) for r in self.ignore)
        window = self.limits.window
        return Drift(
            ignore=tuple(rules),
            volatile=self.volatile,
            stale_after=self.stale_after,
            issues=self.issues,
            labels=self.labels,
            summary=self.summary,
            webhook=self.webhook,
            actions={name: one.given() for name, one in self.actions.items()},
            limits=Limits(
                addresses=self.limits.addresses,
                max=self.limits.max,
                deletes=self.limits.deletes,
                window=Window(window.days, window.start, window.end, window.zone) if window else None,
            ),
        )

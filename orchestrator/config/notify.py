"""The section `notify`: the channels that messages are sent to, and which events each of them gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from orchestrator.config.section import ConfigSection

if TYPE_CHECKING:
    from pydantic import Field

    from orchestrator.config.fields import Text, Variable

EventName = Literal[
    "rollout_done",
    "rollout_failed",
    "check_failed",
    "gate_waiting",
    "mismatch",
    "interrupted",
    "break_glass",
    "drift_found",
    "drift_high",
    "drift_ended",
    "check_stale",
]
# What the former key `drift.webhook` sends.
DRIFT_EVENTS: tuple[EventName, ...] = ("drift_found", "drift_high", "drift_ended", "check_stale")
EventSeverity = Literal["low", "medium", "high"]
# Variables of the job itself: their values are no addresses, and no keys of receivers.
_OF_THE_JOB = ("ACTIONS_", "GITHUB_", "GOOGLE_", "INFRA_", "RUNNER_", "TF_")
# Variables that change what the job's programs are and do: a secret in their place would be run or read.
_OF_PROGRAMS = re.compile(
    r"(?:BASH|DYLD|GIT|LC|LD|NODE|OTEL|PIP|PYTHON|SSL|SSH|STANDIN|XDG)(?:_?[A-Z0-9_]*)|[A-Z0-9_]*_PROXY"
    r"|CI|ENV|HOME|IFS|LANG|LANGUAGE|LOGNAME|PATH|PENDING|PS4|PWD|SHELL|SHELLOPTS|TEMP|TERM|TMP|TMPDIR|TZ|USER"
)


@dataclass(frozen=True)
class NotifyChannel(ConfigSection):
    """A channel for messages. The address and the key are secrets: only the names of variables are here."""

    kind: Literal["slack", "teams", "webhook"]
    """Slack (Block Kit), Microsoft Teams (Adaptive Card), or JSON with a signature."""
    url_variable: Annotated[Variable, Field(examples=["SLACK_WEBHOOK_URL"])]
    """Name of the environment variable with the address; never the address."""
    secret_variable: Annotated[Variable | None, Field(examples=["NOTIFY_SECRET"])] = None
    """Name of the environment variable with the key that signs; only for a `webhook`, which needs it."""
    events: Annotated[tuple[EventName, ...], Field(examples=[["rollout_failed", "drift_high"]])] = ()
    """Only these events. Default: all."""
    environments: Annotated[tuple[Text, ...], Field(examples=[["prod*"]])] = ("*",)
    """Only these environments: globs over names."""
    owners: Annotated[tuple[Text, ...], Field(examples=[["@acme/network"]])] = ()
    """Only stacks of one of these owners in CODEOWNERS. Default: all stacks."""
    severity: EventSeverity = "low"
    """Only events of this severity or a higher one."""

    def __post_init__(self) -> None:
        if (self.kind == "webhook") != (self.secret_variable is not None):
            raise ValueError("`secret_variable` belongs to `kind: webhook`, which needs it")
        for name in (self.url_variable, self.secret_variable or ""):
            if name.upper().startswith(_OF_THE_JOB):
                raise ValueError("variables of the job itself cannot be used: give the secret its own name")
            if _OF_PROGRAMS.fullmatch(name.upper()):
                raise ValueError(f"{name} is a variable of the job's programs: give the secret its own name")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the environment variables that sending needs."""
        return (self.url_variable, *([self.secret_variable] if self.secret_variable else []))

"""What messages are made of: one notification for each event in an environment or of a stack."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from orchestrator.config.notify import EventName, EventSeverity

_ATTEMPT = re.compile(r"/attempts/\d+(?=$|[/?#])")
SEVERITIES: tuple[EventSeverity, ...] = ("low", "medium", "high")
TITLES: Mapping[EventName | Literal["test"], str] = {
    "rollout_done": "rollout done",
    "rollout_failed": "rollout failed",
    "check_failed": "rollout stopped by a check",
    "gate_waiting": "waiting for approval",
    "mismatch": "plan differs from what was approved",
    "interrupted": "run interrupted",
    "break_glass": "applied past the rules (break-glass)",
    "drift_found": "drift found",
    "drift_high": "drift of high severity found",
    "drift_ended": "drift ended",
    "check_stale": "scheduled check missing or out of date",
    "test": "test message",
}


@dataclass(frozen=True)
class Notification:
    """One event. `stacks` are ids, `owners` theirs by CODEOWNERS; `url` leads to the run or the issue."""

    event: EventName | Literal["test"]
    environment: str
    severity: EventSeverity
    summary: str
    details: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    pull_requests: tuple[int, ...] = ()
    url: str = ""

    @property
    def title(self) -> str:
        """Environment and event in words: `prod: rollout failed`."""
        title = TITLES[self.event]
        return f"{self.environment}: {title}" if self.environment else title

    @property
    def id(self) -> str:
        """A digest of all fields, equal for equal notifications: receivers recognize repetitions by it.

        A job that is run again is the same one, whatever attempt its address names.
        """
        fields = asdict(replace(self, url=_ATTEMPT.sub("", self.url)))
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Message:
    """The notifications that one channel gets from one job, grouped; `left_out` counts those cut off.

    `repository` is OWNER/NAME, `url` the address of the job; empty where there is none.
    """

    repository: str
    url: str
    notifications: tuple[Notification, ...]
    left_out: int = 0

    def groups(self) -> tuple[tuple[str, tuple[Notification, ...]], ...]:
        """The notifications by their title, in order."""
        by_title: dict[str, list[Notification]] = {}
        for notification in self.notifications:
            by_title.setdefault(notification.title, []).append(notification)
        return tuple((title, tuple(members)) for title, members in by_title.items())

    def without_last(self) -> Message:
        """The message without its last notification, which is counted among those left out."""
        return replace(self, notifications=self.notifications[:-1], left_out=self.left_out + 1)

    @property
    def headline(self) -> str:
        """What happened, in one line."""
        titles = [title for title, _ in self.groups()]
        more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
        where = f"{self.repository} " if self.repository else ""
        return f"{where}{titles[0]}{more}" if titles else where.strip()

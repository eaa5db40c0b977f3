"""The five axes of a stack: applied, pending, run, drift, checked. None is computed from another one.

What is not known has the level `unknown`, never `good`: a ledger that cannot be read, an old check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from orchestrator.portal.rows import PortalDrift, PortalStack
from orchestrator.portal.source import PortalEnvironment, PortalSource
from orchestrator.report.status import WORDS, StackStatus, StatusKind
from orchestrator.state.records import short_commit

Level = Literal["good", "busy", "warn", "bad", "unknown", "none"]
AxisName = Literal["applied", "pending", "run", "drift", "checked"]
AXES: tuple[AxisName, ...] = ("applied", "pending", "run", "drift", "checked")

NOT_VISIBLE = "not visible"
_SEVERE = frozenset({"high"})
_PENDING: dict[StatusKind, Level] = {
    "up-to-date": "good",
    "pending": "warn",
    "running": "busy",
    "unfinished": "bad",
    "unreadable": "unknown",
    "blocked": "bad",
    "new": "warn",
    "unrecorded": "warn",
    "deleted": "warn",
    "destroyed": "none",
}
# What is said of a status that has no reason of its own.
_WITHOUT_REASON: dict[StatusKind, str] = {
    "new": "It was never applied.",
    "pending": "Changes of trunk are not applied.",
    "blocked": "Its plan is refused.",
    "unrecorded": "Nothing says which commit was applied.",
    "deleted": "Trunk no longer has it; what it made is still there.",
}
_RUN: dict[str, Level] = {
    "applied": "good",
    "unchanged": "good",
    "adopted": "good",
    "destroyed": "good",
    "failed": "bad",
    "interrupted": "bad",
    "mismatch": "bad",
    "blocked": "bad",
    "restored": "warn",
    "modified": "warn",
}


@dataclass(frozen=True)
class AxisValue:
    """What one axis is: its level, a word for a table, and a sentence or nothing."""

    axis: AxisName
    level: Level
    word: str
    text: str = ""

    @property
    def needs_person(self) -> bool:
        """True for what somebody should look at."""
        return self.level in ("bad", "warn")


@dataclass(frozen=True)
class StackAxes:
    """The five axes of one stack."""

    applied: AxisValue
    pending: AxisValue
    run: AxisValue
    drift: AxisValue
    checked: AxisValue

    def __iter__(self) -> Iterator[AxisValue]:
        yield from (self.applied, self.pending, self.run, self.drift, self.checked)


def axes_of_all(source: PortalSource) -> dict[str, StackAxes]:
    """The axes of every stack, by id."""
    drift: dict[str, list[PortalDrift]] = {}
    for row in source.drift:
        drift.setdefault(row.stack, []).append(row)
    return {
        stack.id: find_axes(
            stack,
            source.environment_of.get(stack.environment) or PortalEnvironment(stack.environment, False),
            source.statuses.get(stack.id),
            drift.get(stack.id, ()),
            source.now,
            source.stale_after,
        )
        for stack in source.stacks
    }


def find_axes(
    stack: PortalStack,
    environment: PortalEnvironment,
    status: StackStatus | None,
    drift: Collection[PortalDrift],
    now: datetime,
    stale_after: float,
) -> StackAxes:
    """The axes of one stack; `drift` are its rows, `stale_after` is in seconds."""
    checked = _checked(environment, drift, now, stale_after)
    hidden = environment.hidden.get("ledger") or stack.problem or ""
    if hidden:
        return StackAxes(
            AxisValue("applied", "unknown", NOT_VISIBLE, hidden),
            AxisValue("pending", "unknown", NOT_VISIBLE, hidden),
            AxisValue("run", "unknown", NOT_VISIBLE, hidden),
            _drift(environment, drift, checked),
            checked,
        )
    return StackAxes(
        _applied(stack),
        _pending(stack, environment, status),
        _run(stack),
        _drift(environment, drift, checked),
        checked,
    )


def _applied(stack: PortalStack) -> AxisValue:
    if stack.commit is None:
        return AxisValue("applied", "none", "never", "It was never applied by infra.")
    if stack.result == "destroyed":
        return AxisValue("applied", "none", "destroyed", "Its resources were destroyed.")
    word = short_commit(stack.commit)
    if stack.break_glass:
        return AxisValue("applied", "warn", word, f"It was applied past the rules: {stack.break_glass}")
    if stack.commit.endswith("+uncommitted"):
        return AxisValue("applied", "warn", word, "Code that is in no commit was applied.")
    if stack.commits_behind is None:
        return AxisValue(
            "applied", "unknown", word, "This commit is not on trunk, as far as this clone knows."
        )
    if stack.commits_behind == 0:
        return AxisValue("applied", "good", word, "The newest commit of trunk is applied.")
    # Behind is no fault: whether one of these commits is about this stack is the next axis.
    return AxisValue("applied", "good", word, f"{stack.commits_behind} commits of trunk came after it.")


def _pending(stack: PortalStack, environment: PortalEnvironment, status: StackStatus | None) -> AxisValue:
    if stack.path is None:
        return AxisValue(
            "pending", "warn", "code gone", "The code no longer has it; what it made is still there."
        )
    if status is None:
        return AxisValue("pending", "unknown", NOT_VISIBLE, environment.unknown or "It was not looked at.")
    text = _sentence(status.why) or _WITHOUT_REASON.get(status.status, "")
    return AxisValue("pending", _PENDING[status.status], WORDS[status.status], text)


def _run(stack: PortalStack) -> AxisValue:
    if stack.status == "running":
        return AxisValue("run", "busy", "running", _sentence(stack.operation or ""))
    if stack.status == "unfinished":
        return AxisValue("run", "bad", "unfinished", "A run was interrupted in the middle of it.")
    if not stack.result:
        return AxisValue("run", "none", "none", "No run is recorded.")
    return AxisValue("run", _RUN.get(stack.result, "unknown"), stack.result)


def _drift(environment: PortalEnvironment, rows: Collection[PortalDrift], checked: AxisValue) -> AxisValue:
    if environment.is_hidden("drift"):
        return AxisValue("drift", "unknown", NOT_VISIBLE, environment.hidden["drift"])
    result = next((row.result for row in rows if row.result), None)
    if result is None:
        return AxisValue("drift", "unknown", "not known", "It was never checked for drift.")
    if result != "clean":
        severity = next((row.severity for row in rows if row.severity), "") or ""
        level: Level = "bad" if severity in _SEVERE else "warn"
        return AxisValue("drift", level, severity or "drifted", "It drifted at its last check.")
    if checked.level != "good":
        return AxisValue(
            "drift", "unknown", "not known", "It did not drift at its last check, which is too old."
        )
    return AxisValue("drift", "good", "clean", "It did not drift at its last check.")


def _checked(
    environment: PortalEnvironment, rows: Collection[PortalDrift], now: datetime, stale_after: float
) -> AxisValue:
    if environment.is_hidden("drift"):
        return AxisValue("checked", "unknown", NOT_VISIBLE, environment.hidden["drift"])
    at = next((row.checked_at for row in rows if row.checked_at), None)
    reason = next((row.reason for row in rows if row.reason), "") or ""
    if at is None:
        return AxisValue("checked", "unknown", "never", _sentence(reason))
    if seconds_since(at, now) > stale_after:
        return AxisValue("checked", "warn", at, f"Its last check is too old. {_sentence(reason)}".strip())
    if reason:
        return AxisValue("checked", "warn", at, f"A later check was not possible: {reason}")
    return AxisValue("checked", "good", at)


def seconds_since(moment: str, now: datetime) -> float:
    """Seconds since a moment, RFC 3339; infinite for what is no moment: it counts as too old."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return float("inf")
    return (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""

"""The status of stacks in the ledger: the models, and their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.state.records import short_commit

StatusKind = Literal[
    "up-to-date",
    "pending",
    "running",
    "unfinished",
    "unreadable",
    "blocked",
    "new",
    "unrecorded",
    "deleted",
    "destroyed",
]

# In the order of attention.
ORDER: tuple[StatusKind, ...] = (
    "unreadable",
    "blocked",
    "unfinished",
    "running",
    "deleted",
    "pending",
    "unrecorded",
    "destroyed",
    "new",
    "up-to-date",
)
WORDS: Mapping[StatusKind, str] = {
    "unreadable": "ledger unreadable",
    "blocked": "blocked",
    "unfinished": "unfinished",
    "running": "running",
    "deleted": "deleted on trunk",
    "pending": "pending",
    "unrecorded": "not in the ledger",
    "destroyed": "destroyed",
    "new": "new",
    "up-to-date": "up to date",
}
SHORT = 10


@dataclass(frozen=True)
class AppliedCommit:
    """The commit that a stack is at. `behind` counts trunk's commits since, None when it is not on trunk."""

    id: str
    subject: str
    author: str
    at: str
    run: str
    age: float
    behind: int | None


@dataclass(frozen=True)
class LastRun:
    """The last run on a stack, however it ended."""

    run: str
    result: str
    commit: str
    at: str


@dataclass(frozen=True)
class RunningOperation:
    """An operation in the ledger. `silent` is seconds since it was last heard of."""

    run: str
    kind: str
    phase: str
    who: str
    where: str
    commit: str
    started: str
    silent: float
    live: bool


@dataclass(frozen=True)
class StateStatus:
    """A stack's state: `serial` as the ledger last saw it, not the state's own if it has `moved` since."""

    serial: int | None
    size: int
    generation: str
    moved: bool


@dataclass(frozen=True)
class LockStatus:
    """A lock on a state; `age` in seconds."""

    who: str
    operation: str
    created: str
    age: float
    generation: str


@dataclass(frozen=True)
class DriftStatus:
    """The last check of a stack for drift, in the drift store.

    `checked_at` is RFC 3339 in UTC, empty where no check could be made so far; `result` is `clean` or
    `drifted`, empty likewise; `reason` says why a later attempt could not check, or the record cannot be
    read. `age` is in seconds.
    """

    checked_at: str
    result: str
    severity: str
    reason: str
    age: float


PromotionState = Literal["passed", "failed", "due", "superseded", "unknown"]


@dataclass(frozen=True)
class PromotionStatus:
    """Whether trunk has passed an environment that has checks or soak, and why.

    `checks` are the results by name; `skipped` says who skipped them and why, until they pass again.
    """

    environment: str
    state: PromotionState
    reason: str
    commit: str = ""
    checks: Mapping[str, str] = field(default_factory=dict)
    skipped: str = ""

    def document(self) -> dict[str, Any]:
        """The environment as it stands in `--json`."""
        return {
            "name": self.environment,
            "promotion": self.state,
            "reason": self.reason,
            "commit": self.commit or None,
            "checks": dict(self.checks),
            "skipped": self.skipped or None,
        }

    @property
    def line(self) -> str:
        """One line for people; empty where all is well."""
        if self.skipped:
            return f"{self.environment}: {self.skipped}"
        if self.state == "passed":
            return ""
        if self.state == "unknown":
            return f"{self.environment}: {self.reason}"
        return f"{self.environment}: promotion stops here: {self.reason}"


@dataclass(frozen=True)
class StackStatus:
    """The status of one stack, and the advice. `owners` are those of its folder, by CODEOWNERS."""

    id: str
    environment: str
    status: StatusKind
    why: str = ""
    advice: str = ""
    applied: AppliedCommit | None = None
    last: LastRun | None = None
    operation: RunningOperation | None = None
    state: StateStatus | None = None
    lock: LockStatus | None = None
    rescued: str = ""
    break_glass: str | None = None
    drift: DriftStatus | None = None
    owners: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        applied, state = self.applied, self.state
        return {
            "id": self.id,
            "environment": self.environment,
            "status": self.status,
            "why": self.why,
            "advice": self.advice,
            "applied": _document(applied, drop=("age",)),
            "last": _document(self.last),
            "operation": _document(self.operation),
            "state": _document(state),
            "lock": _document(self.lock),
            "rescued": self.rescued or None,
            "break_glass": self.break_glass,
            "drift": _document(self.drift, drop=("age",)),
            "owners": list(self.owners),
        }


def _document(value: Any, drop: tuple[str, ...] = ()) -> dict[str, Any] | None:
    if value is None:
        return None
    fields = {name: var for name, var in vars(value).items() if name not in drop}
    return {
        name: round(field_value, 1) if isinstance(field_value, float) else field_value
        for name, field_value in fields.items()
    }


def format_applied(applied: AppliedCommit | None) -> str:
    """`1a2b3c4d5e Add a subnet (Ada, 2 h ago, 3 behind)`; a dash for a stack that was never applied whole."""
    if applied is None:
        return "-"
    behind = {None: "not on trunk", 0: ""}.get(applied.behind, f"{applied.behind} behind")
    about = ", ".join(part for part in (applied.author, f"{format_age(applied.age)} ago", behind) if part)
    return f"{short_commit(applied.id)} {applied.subject} ({about})"


def format_state(state: StateStatus | None) -> str:
    """`serial 4, 12 kB`; `serial 4, moved since, 12 kB`."""
    if state is None:
        return "-"
    serial = "" if state.serial is None else f"serial {state.serial}"
    parts = (serial, "moved since" if state.moved else "", format_size(state.size))
    return ", ".join(part for part in parts if part)


def format_drift(drift: DriftStatus | None) -> str:
    """`clean, 3 h ago`; `drifted, 2 days ago`; `never checked`; `unknown` where it cannot be told."""
    if drift is None:
        return "never checked"
    if not drift.checked_at:
        return "unknown"
    return f"{drift.result}, {format_age(drift.age)} ago"


def _format_operation(operation: RunningOperation) -> str:
    """Who does what since when, and whether they are still there."""
    heard = "" if operation.live else f", not heard of for {format_age(operation.silent)}"
    return (
        f"{operation.kind} {operation.run} ({operation.phase}) by {operation.who} from {operation.where} "
        f"since {operation.started}{heard}"
    )


def _format_lock(lock: LockStatus) -> str:
    """Who holds the state, what for and for how long."""
    what = lock.operation.removeprefix("OperationType").lower() or "an operation"
    return f"the state is locked by {lock.who or 'somebody'} for {what}, {format_age(lock.age)} old"


def list_notes(status: StackStatus) -> list[str]:
    """The notes about a stack, a line each, and the advice."""
    lines = [status.why] if status.why else []
    if status.operation:
        lines.append(_format_operation(status.operation))
    if status.lock:
        lines.append(_format_lock(status.lock))
    last = status.last
    if last and last.result in ("failed", "interrupted"):
        lines.append(f"last run: {last.result} at {short_commit(last.commit)} by {last.run}, {last.at}")
    if status.drift and status.drift.reason:
        lines.append(f"last check for drift: {status.drift.reason}")
    if status.rescued:
        lines.append(f"a state that could not be saved is kept: {status.rescued}")
    if status.break_glass:
        lines.append(f"applied by break-glass: {status.break_glass}")
    return lines + ([f"→ {status.advice}"] if status.advice else [])


def render_verdict(stacks: Iterable[StackStatus]) -> str:
    """`3 stacks: 1 unfinished, 2 up to date`."""
    counts: dict[StatusKind, int] = {}
    for stack in stacks:
        counts[stack.status] = counts.get(stack.status, 0) + 1
    total = sum(counts.values())
    parts = [f"{counts[name]} {WORDS[name]}" for name in ORDER if name in counts]
    return f"{total} stack{'' if total == 1 else 's'}: {', '.join(parts) or 'nothing'}"


def format_age(seconds: float) -> str:
    """`12 s`, `5 min`, `3 h`, `9 days`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def format_size(size: int) -> str:
    """`812 B`, `12 kB`, `3.4 MB`."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"

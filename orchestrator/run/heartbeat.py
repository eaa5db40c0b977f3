"""Whether the check for drift still runs: a detector that fell silent looks like a world without drift."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from orchestrator.engine.ledgers import Ledgers
from orchestrator.project.model import Project
from orchestrator.run.drift_history import heartbeats
from orchestrator.state.drift import Heartbeat

DAY = 86400.0


def stale(project: Project, ledgers: Ledgers, environments: Iterable[str], now: datetime) -> dict[str, str]:
    """A sentence for each environment whose last complete check is too long ago (`drift.stale_after`).

    One that was never looked at is left out: nobody said that it should be. Raises StateError when the
    memory cannot be read.
    """
    limit = project.config.drift.stale_after
    found = {
        name: stale_words(name, beat, limit, now)
        for name, beat in heartbeats(project, ledgers, environments).items()
    }
    return {name: words for name, words in found.items() if words}


def stale_words(environment: str, beat: Heartbeat | None, limit: float, now: datetime) -> str:
    """What is wrong with a heartbeat, as a sentence; empty when it is young enough. `limit` is in seconds."""
    if beat is None:
        return ""
    if beat.complete:
        age = _age(beat.complete, now)
        if age <= limit:
            return ""
        return (
            f"The last complete check of {environment} for drift is {_words(age)} old; {beat.oldest} was "
            "checked the longest ago."
        )
    age = _age(beat.at, now)
    if age <= limit:
        return ""
    return f"{environment} was never checked for drift completely; last looked at {_words(age)} ago."


def _age(moment: str, now: datetime) -> float:
    """Seconds since a moment, RFC 3339."""
    then = datetime.fromisoformat(moment)
    return (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()


def _words(seconds: float) -> str:
    days = int(seconds // DAY)
    return f"{days} days" if days > 1 else f"{int(seconds // 3600)} hours"

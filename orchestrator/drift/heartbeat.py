"""When the environments were last checked for drift, and warnings where that is too long ago."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from orchestrator.drift.history import list_logs
from orchestrator.engine.ledgers import Ledgers
from orchestrator.repository.model import Project
from orchestrator.state.drift_store import DriftLog, Heartbeat, heartbeat_of

DAY = 86400.0


def find_stale(
    project: Project, ledgers: Ledgers, environments: Iterable[str], now: datetime
) -> dict[str, str]:
    """A sentence for each environment whose last complete check is older than `drift.stale_after`.

    An environment that was never checked is left out: checks may not be set up. Raises StateError when the
    records cannot be read.
    """
    limit = project.config.drift.stale_after
    sentences = {
        name: describe_stale(name, beat, limit, now)
        for name, beat in load_heartbeats(project, ledgers, environments).items()
    }
    return {name: words for name, words in sentences.items() if words}


def describe_stale(environment: str, beat: Heartbeat | None, limit: float, now: datetime) -> str:
    """A sentence about a heartbeat that is too old; empty when it is recent. `limit` is in seconds."""
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


def load_heartbeats(
    project: Project, ledgers: Ledgers, environments: Iterable[str]
) -> dict[str, Heartbeat | None]:
    """The heartbeat of each environment; None for one that was never checked.

    Counts the current stacks: a stack added since then makes the check incomplete. For an environment whose
    stacks are recorded in several buckets, the oldest heartbeat counts.
    """
    by_environment: dict[str, Heartbeat | None] = {}
    for name in environments:
        members = [stack.id for stack in project.of(name)]
        logs = list_logs(project, ledgers, members)
        beats = [_recount(project, ledgers, log, members) for log in logs]
        written = [beat for beat in beats if beat is not None]
        whole = len(written) == len(beats) and bool(written)
        by_environment[name] = min(written, key=lambda beat: (beat.complete, beat.at)) if whole else None
    return by_environment


def _recount(project: Project, ledgers: Ledgers, log: DriftLog, stacks: Iterable[str]) -> Heartbeat | None:
    """The heartbeat of one log, recomputed for the stacks that it holds now."""
    beat = log.heartbeat()
    if beat is None:
        return None
    ids = [id_ for id_ in stacks if ledgers.drift_log(project.stacks[id_]) == log]
    return heartbeat_of(beat.run, beat.at, ids, log.records(whole=False))


def describe_heartbeat(beat: Heartbeat | None) -> str:
    """When every stack of an environment was last checked, as a sentence."""
    if beat is None:
        return "never checked for drift"
    if not beat.complete:
        return f"not everything was checked yet; last looked at {beat.at[:16]}"
    return f"every stack was checked since {beat.complete[:16]}; last looked at {beat.at[:16]}"

"""The history of drift: when stacks drifted, for how long, what ended it, and figures over all stacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestrator.engine.ledgers import Ledgers
from orchestrator.report.words import plural
from orchestrator.repository.model import Project
from orchestrator.state.drift_store import DriftLog, DriftRecord, Episode

MOST_OFFENDERS = 5
WORKERS = 16


@dataclass(frozen=True)
class StackHistory:
    """The history of one stack. `episodes` are its periods of drift, the newest first.

    `problem` says why its record cannot be read; in `--json` it is the reason.
    """

    id: str
    environment: str
    result: str
    checked_at: str
    reason: str
    severity: str
    episodes: tuple[Episode, ...]
    forgotten: int = 0
    problem: str = ""

    @property
    def drifts(self) -> bool:
        """True when it drifted at its last check."""
        return bool(self.episodes) and not self.episodes[0].ended

    def document(self, now: datetime) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        content = asdict(self)
        del content["problem"]
        content["episodes"] = [
            {**_episode_document(episode), "seconds": duration_of(episode, now)} for episode in self.episodes
        ]
        return content


def _episode_document(episode: Episode) -> dict[str, Any]:
    content = asdict(episode)
    content["ending"] = content.pop("how")
    for resource in content["resources"]:
        resource["difference"], resource["drift_class"] = resource.pop("kind"), resource.pop("category")
    return content


@dataclass(frozen=True)
class DriftFigures:
    """All stacks together. Means are in seconds, None without anything to take one of.

    `mean_time` is of all times in drift, those that last included; `offenders` are resources that drifted
    more than once: stack, address, how often.
    """

    stacks: int
    checked: int
    drifted: int
    episodes: int
    mean_time: float | None
    mean_time_ended: float | None
    endings: dict[str, int]
    offenders: tuple[tuple[str, str, int], ...]


def compute_figures(stacks: Sequence[StackHistory], now: datetime) -> DriftFigures:
    """Compute the figures of stacks at a point in time."""
    episodes = [episode for stack in stacks for episode in stack.episodes]
    lengths = [duration_of(episode, now) for episode in episodes]
    over = [duration_of(episode, now) for episode in episodes if episode.ended]
    endings: dict[str, int] = {}
    for episode in episodes:
        if episode.ended:
            endings[episode.how] = endings.get(episode.how, 0) + 1
    times: dict[tuple[str, str], int] = {}
    for stack in stacks:
        for episode in stack.episodes:
            for address in {resource.address for resource in episode.resources}:
                times[stack.id, address] = times.get((stack.id, address), 0) + 1
    most = sorted(
        ((*key, count) for key, count in times.items()), key=lambda item: (-item[2], item[0], item[1])
    )
    return DriftFigures(
        stacks=len(stacks),
        checked=sum(bool(stack.checked_at) for stack in stacks),
        drifted=sum(stack.drifts for stack in stacks),
        episodes=len(episodes) + sum(stack.forgotten for stack in stacks),
        mean_time=sum(lengths) / len(lengths) if lengths else None,
        mean_time_ended=sum(over) / len(over) if over else None,
        endings=dict(sorted(endings.items())),
        offenders=tuple(offender for offender in most if offender[2] > 1)[:MOST_OFFENDERS],
    )


def duration_of(episode: Episode, now: datetime) -> float:
    """How long an episode of drift lasted, or has lasted until now, in seconds."""
    end = datetime.fromisoformat(episode.ended) if episode.ended else now
    return max(0.0, (end - datetime.fromisoformat(episode.began)).total_seconds())


def format_duration(seconds: float) -> str:
    """`3 days`, `5 hours`, `12 minutes`."""
    for size, word in ((86400, "day"), (3600, "hour")):
        if seconds >= 2 * size:
            return plural(round(seconds / size), word)
    return plural(round(seconds / 60), "minute")


def load_histories(
    project: Project, ledgers: Ledgers, stacks: Iterable[str], *, whole: bool = True
) -> list[StackHistory]:
    """Load the history of stacks, in the given order; past episodes only when `whole`."""
    ids = list(stacks)
    logs = list_logs(project, ledgers, ids)
    with ThreadPoolExecutor(WORKERS) as pool:
        listed = list(pool.map(lambda log: log.records(whole=whole), logs))
    by_stack: dict[str, DriftRecord] = {}
    for records in listed:
        by_stack.update(records)
    return [_history(by_stack.get(id_) or DriftRecord(id_), project.stacks[id_].environment) for id_ in ids]


def list_logs(project: Project, ledgers: Ledgers, stacks: Iterable[str]) -> list[DriftLog]:
    return list(dict.fromkeys(ledgers.drift_log(project.stacks[id_]) for id_ in stacks))


def _history(record: DriftRecord, environment: str) -> StackHistory:
    return StackHistory(
        id=record.stack,
        environment=environment,
        result=record.result,
        checked_at=record.checked_at,
        reason=record.reason,
        severity=record.severity,
        episodes=tuple(reversed(record.episodes)),
        forgotten=record.forgotten,
        # A record that was ever written names a check or an attempt.
        problem="" if record.result or record.tried_at else record.reason,
    )

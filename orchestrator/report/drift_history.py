"""When stacks drifted, for how long, and what ended it; and the figures of all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestrator.report.words import plural
from orchestrator.state.drift import Episode, Heartbeat

MOST_OFFENDERS = 5


@dataclass(frozen=True)
class StackHistory:
    """What is known of one stack. `episodes` are its times in drift, the newest first.

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
        content["episodes"] = [{**asdict(one), "seconds": length(one, now)} for one in self.episodes]
        return content


@dataclass(frozen=True)
class Figures:
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
    ended: dict[str, int]
    offenders: tuple[tuple[str, str, int], ...]


def figures(stacks: Sequence[StackHistory], now: datetime) -> Figures:
    """The figures of some stacks at a moment."""
    episodes = [one for stack in stacks for one in stack.episodes]
    lengths = [length(one, now) for one in episodes]
    over = [length(one, now) for one in episodes if one.ended]
    ended: dict[str, int] = {}
    for one in episodes:
        if one.ended:
            ended[one.how] = ended.get(one.how, 0) + 1
    times: dict[tuple[str, str], int] = {}
    for stack in stacks:
        for one in stack.episodes:
            for address in {seen.address for seen in one.resources}:
                times[stack.id, address] = times.get((stack.id, address), 0) + 1
    most = sorted(((*key, count) for key, count in times.items()), key=lambda one: (-one[2], one[0], one[1]))
    return Figures(
        stacks=len(stacks),
        checked=sum(bool(one.checked_at) for one in stacks),
        drifted=sum(one.drifts for one in stacks),
        episodes=len(episodes) + sum(one.forgotten for one in stacks),
        mean_time=sum(lengths) / len(lengths) if lengths else None,
        mean_time_ended=sum(over) / len(over) if over else None,
        ended=dict(sorted(ended.items())),
        offenders=tuple(one for one in most if one[2] > 1)[:MOST_OFFENDERS],
    )


def length(one: Episode, now: datetime) -> float:
    """How long a time in drift lasted, or lasts until now, in seconds."""
    end = datetime.fromisoformat(one.ended) if one.ended else now
    return max(0.0, (end - datetime.fromisoformat(one.began)).total_seconds())


def heartbeat_words(beat: Heartbeat | None) -> str:
    """When all of an environment was last checked."""
    if beat is None:
        return "never checked for drift"
    if not beat.complete:
        return f"not everything was checked yet; last looked at {beat.at[:16]}"
    return f"every stack was checked since {beat.complete[:16]}; last looked at {beat.at[:16]}"


def duration_words(seconds: float) -> str:
    """`3 days`, `5 hours`, `12 minutes`."""
    for size, word in ((86400, "day"), (3600, "hour")):
        if seconds >= 2 * size:
            return plural(round(seconds / size), word)
    return plural(round(seconds / 60), "minute")

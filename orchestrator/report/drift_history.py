"""When stacks drifted, for how long, and what ended it; and the figures of all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.report.words import plural
from orchestrator.state.drift import Episode, Heartbeat

MOST_OFFENDERS = 5


@dataclass(frozen=True)
class StackHistory:
    """What is known of one stack. `episodes` are its times in drift, the newest first."""

    id: str
    environment: str
    result: str
    checked_at: str
    reason: str
    severity: str
    episodes: tuple[Episode, ...]
    forgotten: int = 0

    @property
    def drifts(self) -> bool:
        """True when it drifted at its last check."""
        return bool(self.episodes) and not self.episodes[0].ended

    def document(self, now: datetime) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        content = asdict(self)
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


def history_view(stacks: Sequence[StackHistory], now: datetime) -> Iterator[RenderableType]:
    """A table of the times in drift, the newest first, then the figures."""
    grid = _grid("stack", "began", "lasted", "ended", "what")
    rows = sorted(
        ((one, stack.id) for stack in stacks for one in stack.episodes), key=lambda row: row[0].began
    )
    for one, id_ in reversed(rows):
        ended = f"{one.how}, {one.ended[:16]}" if one.ended else "it lasts"
        what = ", ".join(f"{seen.address} {seen.category}" for seen in one.resources)
        lasted = duration_words(length(one, now))
        grid.add_row(Text(id_), Text(one.began[:16]), Text(lasted), Text(ended), Text(what))
    if rows:
        yield grid
        yield Text("")
    yield from figures_view(figures(stacks, now))


def figures_view(found: Figures) -> Iterator[RenderableType]:
    """The figures, a line each."""
    yield Text(f"{plural(found.stacks, 'stack')}, {found.checked} checked, {found.drifted} in drift now")
    if found.mean_time is not None:
        ended = ", ".join(f"{number} {how}" for how, number in found.ended.items())
        mean = duration_words(found.mean_time)
        yield Text(
            f"{plural(found.episodes, 'time')} in drift, {mean} on average{f'; {ended}' if ended else ''}"
        )
    for stack, address, number in found.offenders:
        yield Text(f"  {number} times: {stack} {address}")


def last_view(
    stacks: Sequence[StackHistory], beats: Sequence[tuple[str, Heartbeat | None]]
) -> Iterator[RenderableType]:
    """`infra drift --last`: what the last checks found, and when all of an environment was last checked."""
    grid = _grid("stack", "result", "severity", "checked", "since", "")
    for one in stacks:
        since = one.episodes[0].began[:16] if one.drifts else ""
        result = one.result or "never checked"
        cells = (one.id, result, one.severity, one.checked_at[:16], since, one.reason)
        grid.add_row(*map(Text, cells))
    if stacks:
        yield grid
        yield Text("")
    for name, beat in beats:
        yield Text(f"{name}: {heartbeat_words(beat)}")


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


def _grid(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table

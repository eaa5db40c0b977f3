"""How the history of drift, and what the last checks found, is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.views import grid
from orchestrator.report.drift_history import (
    Figures,
    StackHistory,
    duration_words,
    figures,
    heartbeat_words,
    length,
)
from orchestrator.report.words import plural
from orchestrator.state.drift import Heartbeat


def history_view(stacks: Sequence[StackHistory], now: datetime) -> Iterator[RenderableType]:
    """A table of the times in drift, the newest first, then the figures."""
    table = grid("stack", "began", "lasted", "ended", "what")
    rows = sorted(
        ((one, stack.id) for stack in stacks for one in stack.episodes), key=lambda row: row[0].began
    )
    for one, id_ in reversed(rows):
        ended = f"{one.how}, {one.ended[:16]}" if one.ended else "it lasts"
        what = ", ".join(f"{seen.address} {seen.category}" for seen in one.resources)
        lasted = duration_words(length(one, now))
        table.add_row(Text(id_), Text(one.began[:16]), Text(lasted), Text(ended), Text(what))
    if rows:
        yield table
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
    table = grid("stack", "result", "severity", "checked", "since", "")
    for one in stacks:
        since = one.episodes[0].began[:16] if one.drifts else ""
        result = one.result or "never checked"
        cells = (one.id, result, one.severity, one.checked_at[:16], since, one.reason)
        table.add_row(*map(Text, cells))
    if stacks:
        yield table
        yield Text("")
    for name, beat in beats:
        yield Text(f"{name}: {heartbeat_words(beat)}")

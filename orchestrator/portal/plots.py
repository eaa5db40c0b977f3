"""Plots as numbers: bars and lines in the pixels of an SVG, which a template draws. See docs/adr/0080."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 160
LEFT, BOTTOM, TOP = 44, 22, 8
# Labels below the axis at most.
MOST_LABELS = 7


@dataclass(frozen=True)
class PlotTick:
    """A line of the grid, or a label below the axis."""

    at: float
    text: str


@dataclass(frozen=True)
class PlotBar:
    """One part of a bar; `series` is its number, from 0."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True)
class PlotLine:
    """The points of one series, as SVG has them: `x,y x,y`; a gap begins another line."""

    points: str
    series: int


@dataclass(frozen=True)
class Plot:
    """A picture and its table: `values` has a row for each label, a number or None for each series."""

    title: str
    labels: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: str
    bars: tuple[PlotBar, ...]
    lines: tuple[PlotLine, ...]
    grid: tuple[PlotTick, ...]
    marks: tuple[PlotTick, ...]


def make_bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[str],
    values: Sequence[Sequence[float]],
    unit: str = "",
) -> Plot:
    """Stacked bars; `values` has a row for each label."""
    top = nice_limit(max((sum(row) for row in values), default=0))
    step = (WIDTH - LEFT) / max(1, len(labels))
    bars = []
    for index, row in enumerate(values):
        base = float(HEIGHT - BOTTOM)
        for number, value in enumerate(row):
            height = round(value / top * (HEIGHT - BOTTOM - TOP), 1)
            if height:
                base -= height
                x = round(LEFT + index * step + step * 0.15, 1)
                bars.append(PlotBar(x, round(base, 1), round(step * 0.7, 1), height, number))
    return Plot(
        title,
        tuple(labels),
        tuple(series),
        tuple(tuple(row) for row in values),
        unit,
        tuple(bars),
        (),
        _grid(top),
        _marks(labels, step),
    )


def make_lines(
    title: str,
    labels: Sequence[str],
    series: Sequence[str],
    values: Sequence[Sequence[float | None]],
    unit: str = "",
) -> Plot:
    """One line for each series; None is a gap."""
    top = nice_limit(max((value for row in values for value in row if value is not None), default=0))
    step = (WIDTH - LEFT) / max(1, len(labels))
    lines = []
    for number in range(len(series)):
        points: list[str] = []
        for index, row in enumerate([*values, (None,) * len(series)]):
            value = row[number]
            if value is not None:
                x = LEFT + (index + 0.5) * step
                y = HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP)
                points.append(f"{x:.1f},{y:.1f}")
            elif points:
                lines.append(PlotLine(" ".join(points), number))
                points = []
    return Plot(
        title,
        tuple(labels),
        tuple(series),
        tuple(tuple(row) for row in values),
        unit,
        (),
        tuple(lines),
        _grid(top),
        _marks(labels, step),
    )


def nice_limit(value: float) -> float:
    """The end of an axis: the next of 1, 2, 5, 10, 20, … that the value does not exceed; 1 for nothing."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if value <= factor * power * (1 + 1e-9))


def _grid(top: float) -> tuple[PlotTick, ...]:
    return tuple(
        PlotTick(round(HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP), 1), f"{top * part:g}")
        for part in (0, 0.5, 1)
    )


def _marks(labels: Sequence[str], step: float) -> tuple[PlotTick, ...]:
    every = max(1, math.ceil(len(labels) / MOST_LABELS))
    return tuple(
        PlotTick(round(LEFT + (index + 0.5) * step, 1), label)
        for index, label in enumerate(labels)
        if index % every == 0
    )

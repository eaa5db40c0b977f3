"""Figures in Prometheus' text format, for the textfile collector of the node exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from orchestrator.insight.metrics import METRICS, FigureGroup

PREFIX = "infra_"
# The label of the figures over all stacks.
ALL = ""


def render_prometheus(
    groups: Sequence[FigureGroup], visible: Mapping[str, bool], window_days: float, now: datetime
) -> str:
    """The figures as gauges; `visible` says of each environment whether it could be read.

    A figure that cannot be computed has no line, nor has an environment that is not visible.
    """
    return "".join(f"{line}\n" for line in _lines(groups, visible, window_days, now))


def metric_names() -> tuple[str, ...]:
    """The names of all metrics that are written."""
    return (
        *(f"{PREFIX}{metric.key}" for metric in METRICS),
        f"{PREFIX}environment_visible",
        f"{PREFIX}metrics_window_days",
        f"{PREFIX}metrics_timestamp_seconds",
    )


def _lines(
    groups: Sequence[FigureGroup], visible: Mapping[str, bool], window_days: float, now: datetime
) -> Iterator[str]:
    for metric in METRICS:
        name = f"{PREFIX}{metric.key}"
        yield from (f"# HELP {name} {metric.text}", f"# TYPE {name} gauge")
        for group in groups:
            value = group.figures.get(metric.key)
            if value is not None:
                labels = {"environment": group.environment, "owner": group.owner or ALL}
                yield f"{name}{_labels(labels)} {value!r}"
    name = f"{PREFIX}environment_visible"
    yield from (f"# HELP {name} 1 where the environment could be read, else 0.", f"# TYPE {name} gauge")
    for environment, is_visible in visible.items():
        yield f"{name}{_labels({'environment': environment})} {int(is_visible)}"
    for name, text, number in (
        (f"{PREFIX}metrics_window_days", "The days that the figures are about.", window_days),
        (f"{PREFIX}metrics_timestamp_seconds", "When the figures were computed.", now.timestamp()),
    ):
        yield from (f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {number!r}")


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

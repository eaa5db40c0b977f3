"""Figures of delivery and drift, by environment and owner: DORA's five keys, durations, waits, drift.

Pure functions over what the views of the dataset have. docs/metrics.md says from which records each comes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from orchestrator.state.records import base_commit

Unit = Literal["", "per day", "s", "share"]

# Results by which a deployment did something, by which it failed, and by which a stack is well again.
DEPLOYED = frozenset({"applied", "destroyed"})
FAILED = frozenset({"failed", "interrupted"})
RECOVERED = frozenset({"applied", "destroyed", "unchanged", "adopted"})


@dataclass(frozen=True)
class StackDeployment:
    """One stack in one run: when the run started, how many seconds it took, and how the stack ended.

    `is_repair` is true for a run that bypassed rules, or whose commit takes an earlier one back.
    """

    run: str
    environment: str
    stack: str
    at: datetime
    seconds: float
    result: str
    commit: str
    is_repair: bool = False

    @property
    def name(self) -> str:
        """The stack without its environment."""
        return self.stack.removeprefix(f"{self.environment}/")

    @property
    def ended(self) -> datetime:
        """When the run ended."""
        return self.at + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class DriftPeriod:
    """One time in which a stack drifted; `ended` is None while it lasts."""

    stack: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True)
class History:
    """What figures are computed from, of one environment.

    `deployments` are in order of time and reach back before the window, so that what a run repaired is known.
    `committed` is when commits came to trunk. `before` are the deployments of the environment before this one
    in the promotion order, None for the first. `checked` is when each stack was last checked for drift.
    """

    environment: str
    stacks: tuple[str, ...] = ()
    deployments: tuple[StackDeployment, ...] = ()
    committed: Mapping[str, datetime] = field(default_factory=dict)
    before: tuple[StackDeployment, ...] | None = None
    drift: tuple[DriftPeriod, ...] = ()
    checked: Mapping[str, datetime] = field(default_factory=dict)

    def of_stacks(self, stacks: Iterable[str]) -> History:
        """The same of some stacks alone; those of the environment before count by their name without it."""
        ids = frozenset(stacks)
        names = {id_.removeprefix(f"{self.environment}/") for id_ in ids}
        before = self.before
        return History(
            self.environment,
            tuple(id_ for id_ in self.stacks if id_ in ids),
            tuple(item for item in self.deployments if item.stack in ids),
            self.committed,
            None if before is None else tuple(item for item in before if item.name in names),
            tuple(period for period in self.drift if period.stack in ids),
            {id_: moment for id_, moment in self.checked.items() if id_ in ids},
        )


@dataclass(frozen=True)
class RunDeployment:
    """The stacks of one run in one environment, those that were deployed or failed."""

    stacks: tuple[StackDeployment, ...]

    @property
    def is_failed(self) -> bool:
        """True when one of its stacks failed or was interrupted."""
        return any(stack.result in FAILED for stack in self.stacks)

    @property
    def first(self) -> StackDeployment:
        """Any of its stacks, for what is the run's."""
        return self.stacks[0]


@dataclass(frozen=True)
class _Window:
    """A history with what several figures need of it."""

    history: History
    since: datetime
    now: datetime
    deployments: tuple[RunDeployment, ...]
    repairs: frozenset[str]

    @property
    def days(self) -> float:
        """Its length."""
        return (self.now - self.since).total_seconds() / 86_400


@dataclass(frozen=True)
class Metric:
    """A figure: its name in JSON and Prometheus, what it is, its unit, and its definition in a sentence."""

    key: str
    title: str
    unit: Unit
    text: str
    compute: Callable[[_Window], float | None]


def compute_figures(history: History, since: datetime, now: datetime) -> dict[str, float | None]:
    """Every figure of a window, by key; None where there is nothing to compute it from."""
    deployments = tuple(
        deployment
        for deployment in group_deployments(history.deployments)
        if since <= deployment.first.at <= now
    )
    window = _Window(history, since, now, deployments, _find_repairs(history.deployments))
    return {metric.key: metric.compute(window) for metric in METRICS}


def group_deployments(stacks: Iterable[StackDeployment]) -> list[RunDeployment]:
    """The runs that deployed or failed, each with its stacks, in order of time."""
    by_run: dict[str, list[StackDeployment]] = {}
    for stack in stacks:
        if stack.result in DEPLOYED | FAILED:
            by_run.setdefault(stack.run, []).append(stack)
    deployments = [RunDeployment(tuple(members)) for members in by_run.values()]
    return sorted(deployments, key=lambda deployment: (deployment.first.at, deployment.first.run))


def _find_repairs(stacks: Iterable[StackDeployment]) -> frozenset[str]:
    """The runs that repaired: after a failure of one of their stacks, by bypassing rules, or by a revert."""
    last: dict[str, str] = {}
    repairs = set()
    for stack in stacks:
        if stack.is_repair or (stack.result in DEPLOYED | FAILED and last.get(stack.stack) in FAILED):
            repairs.add(stack.run)
        if stack.result in RECOVERED | FAILED:
            last[stack.stack] = stack.result
    return frozenset(repairs)


def _find_recoveries(stacks: Iterable[StackDeployment]) -> tuple[list[tuple[datetime, float]], int]:
    """When each time of failure of a stack ended and how long it lasted, and how many still last."""
    failing: dict[str, datetime] = {}
    recoveries = []
    for stack in stacks:
        if stack.result in FAILED:
            failing.setdefault(stack.stack, stack.ended)
        elif stack.result in RECOVERED and stack.stack in failing:
            began = failing.pop(stack.stack)
            recoveries.append((stack.ended, max(0.0, (stack.ended - began).total_seconds())))
    return recoveries, len(failing)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of the values does not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def format_figure(value: float | None, unit: Unit) -> str:
    """A figure for people: `0.4 per day`, `12 %`, `3.5 h`; a dash for none."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{value:.0%}".replace("%", " %")
    if unit == "s":
        size, word = next(
            ((size, word) for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")) if value >= size),
            (1, "s"),
        )
        return f"{value / size:.3g} {word}"
    return f"{value:.3g} {unit}".strip()


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _share(part: int, total: int) -> float | None:
    return part / total if total else None


def _frequency(window: _Window) -> float | None:
    return sum(not deployment.is_failed for deployment in window.deployments) / window.days


def _first_of_commits(stacks: Iterable[StackDeployment]) -> dict[str, StackDeployment]:
    """The first deployment of each commit that did not fail."""
    first: dict[str, StackDeployment] = {}
    for deployment in group_deployments(stacks):
        if not deployment.is_failed:
            first.setdefault(base_commit(deployment.first.commit), deployment.first)
    return first


def _lead_time(window: _Window) -> float | None:
    committed = window.history.committed
    return _median(
        [
            max(0.0, (deployed.ended - committed[commit]).total_seconds())
            for commit, deployed in _first_of_commits(window.history.deployments).items()
            if commit in committed and window.since <= deployed.at <= window.now
        ]
    )


def _fail_rate(window: _Window) -> float | None:
    return _share(sum(deployment.is_failed for deployment in window.deployments), len(window.deployments))


def _recovery_time(window: _Window) -> float | None:
    recoveries, _ = _find_recoveries(_until(window))
    return _median([seconds for ended, seconds in recoveries if ended >= window.since])


def _unrecovered(window: _Window) -> float | None:
    return float(_find_recoveries(_until(window))[1])


def _until(window: _Window) -> list[StackDeployment]:
    return [stack for stack in window.history.deployments if stack.at <= window.now]


def _rework_rate(window: _Window) -> float | None:
    repairs = sum(deployment.first.run in window.repairs for deployment in window.deployments)
    return _share(repairs, len(window.deployments))


def _durations(window: _Window) -> list[float]:
    return [deployment.first.seconds for deployment in window.deployments]


def _queue_wait(window: _Window) -> float | None:
    """Of the first environment: from the commit to the start of its first deployment, failed ones too."""
    if window.history.before is not None:
        return None
    committed = window.history.committed
    first: dict[str, datetime] = {}
    for deployment in group_deployments(window.history.deployments):
        first.setdefault(base_commit(deployment.first.commit), deployment.first.at)
    return _median(
        [
            max(0.0, (at - committed[commit]).total_seconds())
            for commit, at in first.items()
            if commit in committed and window.since <= at <= window.now
        ]
    )


def _promotion_wait(window: _Window) -> float | None:
    """From the end of a commit's first deployment in the environment before to its first one here."""
    if window.history.before is None:
        return None
    before = _first_of_commits(window.history.before)
    return _median(
        [
            max(0.0, (deployed.at - before[commit].ended).total_seconds())
            for commit, deployed in _first_of_commits(window.history.deployments).items()
            if commit in before and window.since <= deployed.at <= window.now
        ]
    )


def _drift_begun(window: _Window) -> float | None:
    return float(sum(window.since <= period.began <= window.now for period in window.history.drift))


def _drift_time(window: _Window) -> float | None:
    return _median(
        [
            (period.ended - period.began).total_seconds()
            for period in window.history.drift
            if period.ended is not None and window.since <= period.ended <= window.now
        ]
    )


def _oldest_check(window: _Window) -> float | None:
    checked = window.history.checked
    if not window.history.stacks or any(stack not in checked for stack in window.history.stacks):
        return None
    oldest = min(checked[stack] for stack in window.history.stacks)
    return max(0.0, (window.now - oldest).total_seconds())


METRICS: tuple[Metric, ...] = (
    Metric(
        "deployment_frequency",
        "Deployment frequency",
        "per day",
        "Deployments without a failure, a day. A deployment is a run that applied or destroyed a stack of "
        "the environment, or failed at one.",
        _frequency,
    ),
    Metric(
        "change_lead_time_seconds",
        "Change lead time",
        "s",
        "Median time from a commit on trunk to the end of its first deployment without a failure.",
        _lead_time,
    ),
    Metric(
        "change_fail_rate",
        "Change fail rate",
        "share",
        "Share of the deployments in which a stack failed or was interrupted.",
        _fail_rate,
    ),
    Metric(
        "failed_deployment_recovery_seconds",
        "Failed deployment recovery time",
        "s",
        "Median time from the end of the run in which a stack failed to the end of the run that applied it.",
        _recovery_time,
    ),
    Metric(
        "rework_rate",
        "Rework rate",
        "share",
        "Share of the deployments that repaired: of a stack that had failed before, by bypassing rules, or "
        "of a revert.",
        _rework_rate,
    ),
    Metric(
        "deployments",
        "Deployments",
        "",
        "Deployments, failed ones too.",
        lambda window: float(len(window.deployments)),
    ),
    Metric(
        "failing_stacks",
        "Failing stacks",
        "",
        "Stacks that failed or were interrupted and were not applied since then.",
        _unrecovered,
    ),
    Metric(
        "deployment_seconds_p50",
        "Duration, p50",
        "s",
        "Half of the deployments took no longer.",
        lambda window: percentile(_durations(window), 0.5),
    ),
    Metric(
        "deployment_seconds_p95",
        "Duration, p95",
        "s",
        "95 % of the deployments took no longer.",
        lambda window: percentile(_durations(window), 0.95),
    ),
    Metric(
        "queue_wait_seconds",
        "Queue wait",
        "s",
        "First environment: median time from a commit on trunk to the start of its first deployment.",
        _queue_wait,
    ),
    Metric(
        "promotion_wait_seconds",
        "Promotion wait",
        "s",
        "Other environments: median time from the end of a commit's first deployment without a failure in "
        "the environment before to the start of the one here: checks, soak, gates and queues.",
        _promotion_wait,
    ),
    Metric(
        "stacks",
        "Stacks",
        "",
        "Stacks that the code has.",
        lambda window: float(len(window.history.stacks)),
    ),
    Metric(
        "drifted_stacks",
        "Drifted stacks",
        "",
        "Stacks that drifted at their last check.",
        lambda window: float(len({period.stack for period in window.history.drift if not period.ended})),
    ),
    Metric(
        "unchecked_stacks",
        "Unchecked stacks",
        "",
        "Stacks of the code that were never checked for drift.",
        lambda window: float(sum(id_ not in window.history.checked for id_ in window.history.stacks)),
    ),
    Metric(
        "oldest_check_seconds",
        "Oldest drift check",
        "s",
        "Time since the oldest of the stacks' last checks; nothing while a stack was never checked.",
        _oldest_check,
    ),
    Metric(
        "drift_begun",
        "Drift begun",
        "",
        "Times in which a stack began to drift.",
        _drift_begun,
    ),
    Metric(
        "drift_seconds",
        "Time in drift",
        "s",
        "Median length of the times in drift that ended.",
        _drift_time,
    ),
)


@dataclass(frozen=True)
class FigureGroup:
    """The figures of one environment; of the stacks of one owner, or of all where `owner` is None."""

    environment: str
    owner: str | None
    figures: Mapping[str, float | None]

    def document(self) -> dict[str, Any]:
        """The group as it stands in `--json`."""
        return {"environment": self.environment, "owner": self.owner, "figures": dict(self.figures)}

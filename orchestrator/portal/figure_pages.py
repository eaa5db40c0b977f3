"""The pages of figures over all stacks: Drift, Flow and Parity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.insight.metrics import (
    METRICS,
    History,
    RunDeployment,
    compute_figures,
    format_figure,
    group_deployments,
    percentile,
)
from orchestrator.portal.axes import StackAxes, seconds_since
from orchestrator.portal.estate_pages import count_levels
from orchestrator.portal.names import stack_path
from orchestrator.portal.page import PageLink, PortalPage
from orchestrator.portal.plots import Plot, make_bars, make_lines
from orchestrator.portal.rows import PortalDrift
from orchestrator.portal.source import PortalSource
from orchestrator.report.parity import Difference
from orchestrator.state.records import base_commit

DAY = 86_400.0
WEEKS = 12
KEYS = 5
# Rows of tables.
MOST_DRIFTING = 500
MOST_OFFENDERS = 20
MOST_DIFFERENCES = 1_500
MOST_OF_STACK = 12
# Characters of a value of parity.
MOST_VALUE = 120
AGES: tuple[tuple[str, float], ...] = (
    ("under a day", DAY),
    ("1 to 7 days", 7 * DAY),
    ("7 to 30 days", 30 * DAY),
    ("30 days and more", float("inf")),
)


@dataclass(frozen=True)
class FigureRow:
    """One figure: its title and definition, and its text for each environment."""

    title: str
    definition: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FunnelStep:
    """How many of the commits of the first environment have reached one; `share` is out of 100."""

    environment: str
    commits: int
    share: int
    is_known: bool


@dataclass(frozen=True)
class ParityRow:
    """A stack that is not the same everywhere; `left_out` counts differences that are not listed."""

    name: str
    links: tuple[PageLink, ...]
    missing: tuple[str, ...]
    differences: tuple[Difference, ...]
    unseen: Mapping[str, str]
    left_out: int


def drift_page(source: PortalSource, axes: Mapping[str, StackAxes]) -> PortalPage:
    """Drift by class, cause and age, the stacks that drift, and those that drift most often."""
    ongoing = [row for row in source.drift if row.began and not row.ended]
    ongoing.sort(key=lambda row: (row.began or "", row.stack))
    starts = {(row.stack, row.began) for row in ongoing}
    now_drifted = [item for item in source.drifted_resources if (item.stack, item.began) in starts]
    by_class = Counter(item.drift_class for item in now_drifted)
    causes = Counter((item.drift_class, item.difference) for item in now_drifted)
    endings = Counter(row.ending or "not known" for row in source.drift if row.began and row.ended)
    ages = Counter(_age_word(row, source.now) for row in ongoing)
    times = Counter(row.stack for row in source.drift if row.began)
    returned: dict[str, int] = {}
    for row in source.drift:
        returned[row.stack] = max(returned.get(row.stack, 0), row.came_back or 0)
    by_resource = Counter((item.stack, item.address) for item in source.drifted_resources)
    known = {stack.id for stack in source.stacks}
    return PortalPage(
        "drift.html",
        "Drift",
        "drift.html",
        "drift",
        {
            "counts": tuple(
                (
                    environment,
                    count_levels(
                        environment.name,
                        [
                            axes[stack.id].drift
                            for stack in source.stacks
                            if stack.environment == environment.name
                        ],
                    ),
                )
                for environment in source.environments
            ),
            "by_class": tuple(by_class.most_common()),
            "causes": tuple(causes.most_common()),
            "endings": tuple(endings.most_common()),
            "ages": make_bars(
                "Age of the drift that lasts",
                [word for word, _ in AGES],
                ["stacks"],
                [[ages[word]] for word, _ in AGES],
            ),
            "ongoing": tuple((row, stack_path(row.stack) if row.stack in known else "") for row in ongoing)[
                :MOST_DRIFTING
            ],
            "left_out": max(0, len(ongoing) - MOST_DRIFTING),
            "offenders": tuple(
                (PageLink(stack, stack_path(stack) if stack in known else ""), count, returned[stack])
                for stack, count in times.most_common(MOST_OFFENDERS)
            ),
            "resources": tuple(
                (PageLink(stack, stack_path(stack) if stack in known else ""), address, count)
                for (stack, address), count in by_resource.most_common(MOST_OFFENDERS)
            ),
        },
    )


def _age_word(row: PortalDrift, now: datetime) -> str:
    age = seconds_since(row.began or "", now)
    return next((word for word, limit in AGES if age < limit), AGES[-1][0])


def flow_page(source: PortalSource) -> PortalPage:
    """The five keys, durations and waits by environment, week by week, and the promotion funnel."""
    since = source.now - source.window
    hidden = {
        environment.name
        for environment in source.environments
        if environment.hidden.keys() & {"ledger", "runs", "drift"}
    }
    figures = {
        history.environment: compute_figures(history, since, source.now)
        for history in source.histories
        if history.environment not in hidden
    }
    names = [history.environment for history in source.histories]
    rows = [
        FigureRow(
            metric.title,
            metric.text,
            tuple(
                "not visible"
                if name not in figures
                else format_figure(figures[name].get(metric.key), metric.unit)
                for name in names
            ),
        )
        for metric in METRICS
    ]
    visible = [history for history in source.histories if history.environment not in hidden]
    return PortalPage(
        "flow.html",
        "Flow",
        "flow.html",
        "flow",
        {
            "environments": tuple(names),
            "keys": tuple(rows[:KEYS]),
            "others": tuple(rows[KEYS:]),
            "days": source.window.days,
            "plots": tuple(
                (
                    history.environment,
                    _weekly_bars(history, source.now),
                    _weekly_durations(history, source.now),
                )
                for history in visible
            ),
            "funnel": promotion_funnel(source.histories, hidden, since, source.now),
            "promotions": tuple(item for item in source.environments if item.promotion),
        },
    )


def _weeks(now: datetime) -> list[datetime]:
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return [monday - timedelta(weeks=weeks) for weeks in reversed(range(WEEKS))]


def _by_week(history: History, now: datetime) -> list[tuple[str, list[RunDeployment]]]:
    deployments = group_deployments(history.deployments)
    return [
        (
            f"{week:%b} {week.day}",
            [item for item in deployments if week <= item.first.at < week + timedelta(weeks=1)],
        )
        for week in _weeks(now)
    ]


def _weekly_bars(history: History, now: datetime) -> Plot:
    weeks = _by_week(history, now)
    return make_bars(
        f"Deployments a week, {history.environment}",
        [label for label, _ in weeks],
        ["ok", "failed"],
        [
            [sum(not item.is_failed for item in items), sum(item.is_failed for item in items)]
            for _, items in weeks
        ],
    )


def _weekly_durations(history: History, now: datetime) -> Plot:
    weeks = _by_week(history, now)
    minutes = [[item.first.seconds / 60 for item in items] for _, items in weeks]
    return make_lines(
        f"Duration of deployments, {history.environment}",
        [label for label, _ in weeks],
        ["p50", "p95"],
        [[_rounded(percentile(values, share)) for share in (0.5, 0.95)] for values in minutes],
        "min",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def promotion_funnel(
    histories: Sequence[History], hidden: set[str], since: datetime, now: datetime
) -> tuple[FunnelStep, ...]:
    """Of the commits that the first environment deployed in the window, how many each one has deployed.

    An environment that is not visible is not known, and says nothing of those behind it.
    """
    steps: list[FunnelStep] = []
    reached: set[str] | None = None
    for history in histories:
        if history.environment in hidden:
            steps.append(FunnelStep(history.environment, 0, 0, is_known=False))
            continue
        commits = {
            base_commit(item.first.commit)
            for item in group_deployments(history.deployments)
            if not item.is_failed and (reached is not None or since <= item.first.at <= now)
        }
        reached = commits if reached is None else commits & reached
        first = next((step.commits for step in steps if step.is_known), len(reached))
        steps.append(
            FunnelStep(
                history.environment, len(reached), round(100 * len(reached) / max(1, first)), is_known=True
            )
        )
    return tuple(steps)


def parity_page(source: PortalSource) -> PortalPage:
    """What differs between environments, stack by stack."""
    known = {stack.id for stack in source.stacks}
    rows = []
    count = 0
    unequal = [stack for stack in source.parity if not stack.is_equal]
    for stack in unequal:
        if count >= MOST_DIFFERENCES:
            break
        differences = tuple(_shortened(item) for item in stack.differences[:MOST_OF_STACK])
        count += max(1, len(differences))
        ids = [f"{environment}/{stack.name}" for environment in stack.environments]
        rows.append(
            ParityRow(
                stack.name,
                tuple(PageLink(id_.partition("/")[0], stack_path(id_)) for id_ in ids if id_ in known),
                stack.missing,
                differences,
                stack.unseen,
                len(stack.differences) - len(differences),
            )
        )
    return PortalPage(
        "parity.html",
        "Parity",
        "parity.html",
        "parity",
        {
            "rows": tuple(rows),
            "left_out": len(unequal) - len(rows),
            "equal": len(source.parity) - len(unequal),
            "environments": tuple(environment.name for environment in source.environments),
        },
    )


def _shortened(difference: Difference) -> Difference:
    def short(text: str | None) -> str | None:
        return text if text is None or len(text) <= MOST_VALUE else f"{text[:MOST_VALUE]}…"

    values = {name: short(text) for name, text in difference.values.items()}
    return Difference(difference.kind, difference.name, values, difference.is_hidden)

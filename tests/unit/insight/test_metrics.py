"""The figures, against a model that computes them in another way from random histories."""

from __future__ import annotations

import re
import statistics
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.insight.metrics import (
    METRICS,
    DriftPeriod,
    FigureGroup,
    History,
    StackDeployment,
    Unit,
    compute_figures,
    format_figure,
    percentile,
)
from orchestrator.insight.prometheus import metric_names, render_prometheus
from tests.support.insight import NOW

SINCE = NOW - timedelta(days=10)
RESULTS = ("applied", "unchanged", "failed", "interrupted", "destroyed", "adopted", "blocked")


def moment(hours: float) -> datetime:
    """Hours before now."""
    return NOW - timedelta(hours=hours)


def deployed(
    run: str, hours: float, result: str = "applied", *, stack: str = "prod/a", commit: str = "", **more: Any
) -> StackDeployment:
    return StackDeployment(run, "prod", stack, moment(hours), 3600.0, result, commit or run, **more)


def figures(*stacks: StackDeployment, **more: Any) -> dict[str, float | None]:
    return compute_figures(History("prod", deployments=stacks, **more), SINCE, NOW)


def test_the_five_keys_of_a_small_history() -> None:
    computed = figures(
        deployed("r1", 100),
        deployed("r2", 80, "failed"),
        deployed("r3", 70, "failed"),
        deployed("r4", 60),
        deployed("r5", 50, is_repair=True),
        committed={"r1": moment(102), "r4": moment(65), "r2": moment(90)},
    )
    assert computed["deployment_frequency"] == pytest.approx(0.3)
    assert computed["change_lead_time_seconds"] == (3 + 6) / 2 * 3600
    assert computed["change_fail_rate"] == 0.4
    assert computed["failed_deployment_recovery_seconds"] == 20 * 3600
    assert computed["rework_rate"] == 0.6
    assert computed["deployments"] == 5
    assert computed["failing_stacks"] == 0


def test_what_does_nothing_is_no_deployment() -> None:
    computed = figures(deployed("r1", 5, "unchanged"), deployed("r2", 4, "blocked"))
    assert computed["deployments"] == 0
    assert computed["change_fail_rate"] is None


def test_a_failure_before_the_window_explains_a_repair_in_it() -> None:
    computed = figures(deployed("old", 300, "failed"), deployed("new", 5))
    assert computed["rework_rate"] == 1
    assert computed["failed_deployment_recovery_seconds"] == 295 * 3600
    assert computed["deployments"] == 1


def test_waits_of_the_first_and_of_later_environments() -> None:
    first = figures(deployed("r1", 5, "failed", commit="c"), committed={"c": moment(8)})
    assert (first["queue_wait_seconds"], first["promotion_wait_seconds"]) == (3 * 3600, None)
    later = figures(deployed("r2", 5, commit="c"), before=(deployed("r1", 10, commit="c"),))
    assert (later["queue_wait_seconds"], later["promotion_wait_seconds"]) == (None, 4 * 3600)


def test_clocks_that_differ_give_no_negative_times() -> None:
    computed = figures(deployed("r1", 5, commit="c"), committed={"c": moment(-100)})
    assert computed["change_lead_time_seconds"] == computed["queue_wait_seconds"] == 0


def test_drift() -> None:
    computed = figures(
        stacks=("prod/a", "prod/b"),
        checked={"prod/a": moment(2)},
        drift=(
            DriftPeriod("prod/a", moment(300), moment(100)),
            DriftPeriod("prod/a", moment(50), None),
            DriftPeriod("prod/b", moment(900), moment(800)),
        ),
    )
    assert computed["drifted_stacks"] == computed["drift_begun"] == computed["unchecked_stacks"] == 1
    assert computed["drift_seconds"] == 200 * 3600
    assert computed["oldest_check_seconds"] is None
    checked = figures(stacks=("prod/a",), checked={"prod/a": moment(2)})
    assert checked["oldest_check_seconds"] == 7200


def test_an_owner_s_figures_are_of_its_stacks_alone() -> None:
    before = StackDeployment("r1", "dev", "dev/a", moment(10), 0.0, "applied", "r2")
    history = History(
        "prod",
        ("prod/a", "prod/b"),
        (deployed("r2", 5), deployed("r3", 4, "failed", stack="prod/b")),
        before=(before, StackDeployment("r0", "dev", "dev/b", moment(20), 0.0, "applied", "r2")),
    )
    computed = compute_figures(history.of_stacks(["prod/a"]), SINCE, NOW)
    assert (computed["deployments"], computed["change_fail_rate"], computed["stacks"]) == (1, 0, 1)
    assert computed["promotion_wait_seconds"] == 5 * 3600


RUNS = st.lists(
    st.tuples(
        st.integers(-500, 500),
        st.integers(0, 7200),
        st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from(RESULTS)),
            min_size=1,
            max_size=2,
            unique_by=lambda pair: pair[0],
        ),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=9,
)


@settings(max_examples=40, deadline=None)
@given(RUNS)
def test_a_model_agrees(runs: list[tuple[int, int, list[tuple[str, str]], int, bool]]) -> None:
    """The model looks back from each run; the code goes forward once."""
    runs = sorted(runs, key=lambda run: run[0], reverse=True)
    committed = {f"c{number}": moment(200 + number) for number in range(3)}
    stacks = [
        StackDeployment(
            f"r{index}", "prod", f"prod/{stack}", moment(hours), float(seconds), result, f"c{commit}", repairs
        )
        for index, (hours, seconds, parts, commit, repairs) in enumerate(runs)
        for stack, result in sorted(parts)
    ]
    computed = figures(*stacks, committed=committed)

    def results(index: int) -> set[str]:
        return {result for _, result in runs[index][2]}

    def is_in(index: int) -> bool:
        return 0 <= runs[index][0] <= 240

    bad = {"failed", "interrupted"}
    real = [index for index in range(len(runs)) if results(index) & (bad | {"applied", "destroyed"})]
    inside = [index for index in real if is_in(index)]
    good = [index for index in real if not results(index) & bad]
    assert computed["deployments"] == len(inside)
    assert computed["deployment_frequency"] == pytest.approx(len([i for i in inside if i in good]) / 10)
    rate = len([index for index in inside if results(index) & bad]) / len(inside) if inside else None
    assert computed["change_fail_rate"] == (rate if rate is None else pytest.approx(rate))

    def preceding(index: int, stack: str) -> str:
        for earlier in range(index - 1, -1, -1):
            for name, result in runs[earlier][2]:
                if name == stack and result != "blocked":
                    return result
        return ""

    def repairs(index: int) -> bool:
        after_failure = any(
            preceding(index, stack) in bad and result in bad | {"applied", "destroyed"}
            for stack, result in runs[index][2]
        )
        return runs[index][4] or after_failure

    share = len([index for index in inside if repairs(index)]) / len(inside) if inside else None
    assert computed["rework_rate"] == (share if share is None else pytest.approx(share))
    leads = []
    for number in range(3):
        first = next((index for index in good if runs[index][3] == number), None)
        if first is not None and is_in(first):
            end = moment(runs[first][0]) + timedelta(seconds=runs[first][1])
            leads.append(max(0.0, (end - committed[f"c{number}"]).total_seconds()))
    lead = statistics.median(leads) if leads else None
    assert computed["change_lead_time_seconds"] == (lead if lead is None else pytest.approx(lead))
    failing = 0
    for stack in "ab":
        history = [
            result
            for hours, _, parts, _, _ in runs
            for name, result in parts
            if name == stack and result != "blocked" and hours >= 0
        ]
        failing += bool(history) and history[-1] in bad
    assert computed["failing_stacks"] == failing
    durations = sorted(runs[index][1] for index in inside)
    p95 = next(
        (value for value in durations if sum(x <= value for x in durations) >= 0.95 * len(durations)), None
    )
    assert computed["deployment_seconds_p95"] == p95


def test_percentiles_are_values_that_occur() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (50, 95, 7)
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "-"),
        (0.125, "share", "12 %"),
        (45.0, "s", "45 s"),
        (5400.0, "s", "1.5 h"),
        (172800.0, "s", "2 d"),
        (0.25, "per day", "0.25 per day"),
        (3.0, "", "3"),
    ],
)
def test_figures_are_printed_for_people(value: float | None, unit: Unit, text: str) -> None:
    assert format_figure(value, unit) == text


def test_prometheus_gets_what_is_known() -> None:
    groups = [
        FigureGroup("prod", None, {"deployments": 3.0, "rework_rate": None}),
        FigureGroup("prod", 'a"\\b\n', {"deployments": 1.0}),
    ]
    text = render_prometheus(groups, {"dev": False, "prod": True}, 30.0, NOW)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        'infra_deployments{environment="prod",owner=""} 3.0',
        'infra_deployments{environment="prod",owner="a\\"\\\\b\\n"} 1.0',
        'infra_environment_visible{environment="dev"} 0',
        'infra_environment_visible{environment="prod"} 1',
        "infra_metrics_window_days 30.0",
        f"infra_metrics_timestamp_seconds {NOW.timestamp()!r}",
    ]
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == set(metric_names())
    pattern = (
        r'# (HELP|TYPE) infra_\w+ .+|infra_\w+(\{\w+="(\\.|[^"\\])*"(,\w+="(\\.|[^"\\])*")*\})? [-+.e\d]+'
    )
    assert [line for line in text.splitlines() if not re.fullmatch(pattern, line)] == []
    assert len({metric.key for metric in METRICS}) == len(METRICS)

"""Where a pull request has arrived, the promotion funnel, and the numbers of plots."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from orchestrator.insight.metrics import History, StackDeployment
from orchestrator.portal.axes import axes_of_all
from orchestrator.portal.estate_pages import ConcernGroup, now_page
from orchestrator.portal.figure_pages import promotion_funnel
from orchestrator.portal.history_pages import find_arrival
from orchestrator.portal.plots import HEIGHT, WIDTH, make_bars, make_lines, nice_limit
from orchestrator.portal.rendering import PageRenderer
from orchestrator.portal.rows import PortalApproval, PortalCommit, PortalDeployment
from orchestrator.portal.source import PortalEnvironment, PortalGate, PortalSource
from tests.support.insight import NOW
from tests.support.portal import make_source, make_stack

PROD = PortalEnvironment("prod", protected=True)
COMMIT = PortalCommit("a" * 40, 5, "Grow (#12)", "Ada", "2026-11-30T10:00:00Z", 12)


def planned(stack: str, head: str = "h") -> PortalApproval:
    return PortalApproval("prod", 12, head, stack, "2026-11-30T09:00:00Z", None)


def deployed(stack: str, result: str) -> PortalDeployment:
    return PortalDeployment(
        *("R1", "prod", "2026-11-30T11:00:00Z", stack, result, None, 1.0, 1, 0, 0, 0, 0, 0, 0, 1, 2),
        *("a" * 40, "Grow (#12)", "ada", 12),
    )


A, B = "prod/a", "prod/b"
# Of `a` a commit of trunk is applied that is newer than the pull request's, of `b` an older one.
STACKS = {A: make_stack(A, commits_behind=2), B: make_stack(B, commits_behind=9)}


@pytest.mark.parametrize(
    ("plans", "runs", "word", "text"),
    [
        ([], [], "nothing", "No stack of this environment is known to change."),
        ([planned(B)], [], "waiting", "0 of 1 stacks."),
        ([planned(B)], [deployed(B, "applied")], "arrived", "1 of 1 stacks."),
        ([planned(A)], [], "arrived", "1 of 1 stacks."),
        ([planned(A), planned(B)], [], "in part", "1 of 2 stacks."),
        ([planned(B)], [deployed(B, "failed")], "failed", "0 of 1 stacks; prod/b failed."),
        ([planned(B)], [deployed(B, "applied"), deployed(B, "failed")], "arrived", "1 of 1 stacks."),
        ([planned(A, "new"), planned(B, "old")], [], "arrived", "1 of 1 stacks."),
    ],
)
def test_where_a_pull_request_has_arrived(
    plans: list[PortalApproval], runs: list[PortalDeployment], word: str, text: str
) -> None:
    arrival = find_arrival(PROD, plans, runs, STACKS, COMMIT)
    assert (arrival.word, arrival.text) == (word, text)


def test_an_arrival_that_cannot_be_seen_is_not_known() -> None:
    hidden = replace(PROD, hidden={"ledger": "no right"})
    assert find_arrival(hidden, [planned(A)], [], STACKS, COMMIT).level == "unknown"
    # Without a commit on trunk only runs of the pull request count.
    assert find_arrival(PROD, [planned(A)], [], STACKS, None).word == "waiting"


def history(name: str, *commits: str) -> History:
    return History(
        name,
        deployments=tuple(
            StackDeployment(f"R{commit}", name, f"{name}/a", NOW - timedelta(days=1), 1.0, "applied", commit)
            for commit in commits
        ),
    )


def test_the_funnel_counts_commits_of_the_first_environment() -> None:
    histories = [history("dev", "a", "b", "c", "d"), history("staging", "a", "b", "x"), history("prod", "a")]
    since = NOW - timedelta(days=30)
    steps = promotion_funnel(histories, set(), since, NOW)
    assert [(step.commits, step.share) for step in steps] == [(4, 100), (2, 50), (1, 25)]
    steps = promotion_funnel(histories, {"staging"}, since, NOW)
    assert [(step.commits, step.is_known) for step in steps] == [(4, True), (0, False), (1, True)]


@pytest.mark.parametrize(
    ("value", "limit"), [(0, 1), (1, 1), (3, 5), (5, 5), (6, 10), (11, 20), (0.03, 0.05)]
)
def test_axes_end_at_round_numbers(value: float, limit: float) -> None:
    assert nice_limit(value) == pytest.approx(limit)


def test_plots_stay_in_their_picture() -> None:
    bars = make_bars("x", list("abc"), ["ok", "failed"], [[1, 2], [0, 0], [4, 1]])
    assert len(bars.bars) == 4
    assert all(
        bar.y >= 0 and bar.y + bar.height <= HEIGHT and bar.x + bar.width <= WIDTH for bar in bars.bars
    )
    lines = make_lines("x", list("abcd"), ["p50"], [[1.0], [None], [2.0], [3.0]])
    # A gap is no zero.
    assert [line.points.count(",") for line in lines.lines] == [1, 2]
    assert lines.values[1] == (None,)


def test_waiting_runs_are_on_now_and_it_is_named_where_they_are_unknown() -> None:
    gate = PortalGate("Apply #12", "https://github.com/a/b/actions/runs/7", "2026-11-30T11:00:00Z")
    source = replace(make_source(3, 0), gates=(gate,))
    page = now_page(source, axes_of_all(source))
    (group,) = [
        group
        for group in cast(tuple[ConcernGroup, ...], page.model["groups"])
        if group.title == "Waiting runs"
    ]
    (concern,) = group.concerns
    assert (concern.subject.text, concern.advice) == (gate.title, gate.url)
    unknown = PageRenderer("x").render(
        now_page(PortalSource("x", NOW, timedelta(days=30), 1.0, gates_unknown="no token."), {})
    )
    assert "Nothing that is visible needs a person" in unknown
    assert "are not visible: no token." in unknown

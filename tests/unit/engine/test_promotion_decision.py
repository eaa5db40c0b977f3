"""Whether a commit has passed an environment, from records alone; random histories against a simple model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config import Environment
from orchestrator.config.checks import CommandCheck
from orchestrator.engine.promotion_decision import (
    PromotionDecision,
    PromotionHistory,
    PromotionRequirements,
    decide,
    history_of,
    requirements_of,
)
from orchestrator.state.promotion_store import CheckResult, PromotionRecord, Skip

A, B, C, D = (letter * 40 for letter in "abcd")
SMOKE = PromotionRequirements(("smoke",))
SOAK = PromotionRequirements(("smoke",), 600.0)


def record(
    commit: str, updated: int = 1, soaked: str = "", *, skip: bool = False, **checks: str
) -> PromotionRecord:
    """A record with results by check name; `updated` are seconds."""
    skipped = Skip("ada", "flaky") if skip else None
    results = {name: CheckResult(result, "", "R-1") for name, result in checks.items()}  # type: ignore[arg-type]
    return PromotionRecord(commit, results, soaked, skipped, updated=f"2026-01-01T00:00:{updated:02}Z")


def decided(
    records: Sequence[PromotionRecord],
    requirements: PromotionRequirements = SMOKE,
    *,
    commit: str = C,
    line: Sequence[str] = (C, B, A),
    trunk: Sequence[str] = (D, C, B, A),
    changed: bool = True,
) -> PromotionDecision:
    return decide(history_of(records, commit, line, trunk=trunk), requirements, lambda _: changed)


CASES = {
    "nothing configured": (decided([], PromotionRequirements()), "passed"),
    "nothing configured, an old failure": (
        decided([record(C, smoke="failed")], PromotionRequirements()),
        "passed",
    ),
    "a ledger without records": (decided([]), "due"),
    "the check passed": (decided([record(C, smoke="passed")]), "passed"),
    "the check failed": (decided([record(C, smoke="failed")]), "failed"),
    "the apply began": (decided([record(C)]), "due"),
    "a check of trunk is new": (decided([record(C, other="passed")]), "due"),
    "a check that trunk dropped failed": (decided([record(C, smoke="passed", old="failed")]), "passed"),
    "the soak was interrupted": (decided([record(C, smoke="passed")], SOAK), "due"),
    "it soaked": (decided([record(C, soaked="2026-01-01T00:10:00Z", smoke="passed")], SOAK), "passed"),
    "only soak": (decided([record(C)], PromotionRequirements((), 60.0)), "due"),
    "skipped": (decided([record(C, skip=True, smoke="failed")]), "passed"),
    "skipped at an earlier commit": (
        decided([record(B, skip=True, smoke="passed")], changed=False),
        "due",
    ),
    "nothing changed since it passed": (decided([record(B, smoke="passed")], changed=False), "passed"),
    "nothing changed since it failed": (decided([record(B, smoke="failed")], changed=False), "failed"),
    "changed since it passed": (decided([record(B, smoke="passed")], changed=True), "due"),
    "the newest ancestor counts": (
        decided([record(A, smoke="passed"), record(B, smoke="failed")], changed=False),
        "failed",
    ),
    "a later commit failed": (
        decided([record(C, 1, smoke="passed"), record(D, 2, smoke="failed")]),
        "superseded",
    ),
    "a later commit failed in the same second": (
        decided([record(C, 2, smoke="passed"), record(D, 2, smoke="failed")]),
        "superseded",
    ),
    "a later commit has only begun": (decided([record(C, 1, smoke="passed"), record(D, 2)]), "passed"),
    "a later commit is still soaking": (
        decided(
            [record(C, 1, "2026-01-01T00:10:00Z", smoke="passed"), record(D, 2, smoke="passed")],
            SOAK,
        ),
        "passed",
    ),
    "a later commit failed before this one was checked": (
        decided([record(C, 3, smoke="passed"), record(D, 2, smoke="failed")]),
        "superseded",
    ),
    "a later commit failed after one that is later still passed": (
        decided(
            [record(B, 1, smoke="passed"), record(C, 3, smoke="failed"), record(D, 2, smoke="passed")],
            commit=B,
            line=(B, A),
        ),
        "passed",
    ),
    "a later commit passed after one that is later still failed": (
        decided(
            [record(B, 1, smoke="passed"), record(C, 3, smoke="passed"), record(D, 2, smoke="failed")],
            commit=B,
            line=(B, A),
        ),
        "superseded",
    ),
    "a commit that this clone does not know failed": (
        decided([record(C, 2, smoke="passed"), record(D, 1, smoke="failed")], trunk=(C, B, A)),
        "superseded",
    ),
    "a later commit failed and a later one passed": (
        decided(
            [record(B, 1, smoke="passed"), record(C, 2, smoke="failed"), record(D, 3, smoke="passed")],
            commit=B,
            line=(B, A),
        ),
        "passed",
    ),
    "a later commit makes up for no failure": (
        decided([record(C, 1, smoke="failed"), record(D, 2, smoke="passed")]),
        "failed",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_records_show(name: str) -> None:
    decision, state = CASES[name]
    assert decision.state == state, decision.reason
    assert decision.is_passed == (state == "passed")
    assert decision.is_due == (state in ("failed", "due"))


def test_the_reason_names_check_and_commit() -> None:
    assert decided([record(C, smoke="failed")]).reason == f"check smoke failed at {C[:10]}"
    both = PromotionRequirements(("smoke", "shop"))
    assert decided([record(C, smoke="failed", shop="failed")], both).reason.startswith("checks smoke, shop ")
    assert decided([record(C, skip=True)]).reason == "checks skipped by ada: flaky"


def test_a_commit_beside_the_line_reports_nothing() -> None:
    """A merged branch's own commits are part of the history and were never trunk's head."""
    history = history_of([record(D, smoke="failed")], C, (C, B, A), lambda commit: commit == D)
    assert history == PromotionHistory()


def test_only_an_environment_that_is_followed_soaks() -> None:
    twice = (CommandCheck("smoke", ("true",)), CommandCheck("smoke", ("x",)))
    configured = Environment(checks=twice, soak=60)
    assert requirements_of(configured, followed=True) == PromotionRequirements(("smoke",), 60)
    assert requirements_of(configured, followed=False) == SMOKE


# Random histories: what an environment lived through, commit by commit


@dataclass
class PromotionRule:
    """The rule in plain words, for one environment whose every commit changes it.

    A commit is good once a round of checks and the soak at it ended well; it is bad from a failed check on.
    """

    good: dict[int, bool] = field(default_factory=dict)
    bad: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    time: int = 0

    def allows(self, commit: int) -> bool:
        if not self.good.get(commit):
            return False
        after = [other for other in self.ended if other > commit]
        return not after or max(after) not in self.bad


EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["apply", "pass", "fail", "soaked"])), max_size=25
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_random_histories_against_the_model(events: list[tuple[int, str]]) -> None:
    """Whatever happened in whatever order: the decision is the model's, for every commit."""
    commits = [f"{number:040x}" for number in range(5)]
    records: dict[int, PromotionRecord] = {}
    model = PromotionRule()
    for number, event in events:
        model.time += 1
        promotion_record = records.get(number, PromotionRecord(commits[number]))
        stamp = f"2026-01-01T00:00:{model.time:02}Z"
        if event == "apply":
            promotion_record = replace(promotion_record, checks={}, soaked_until="")
            model.good[number] = False
            model.bad.pop(number, None)
            model.ended.pop(number, None)
        elif event in ("pass", "fail"):
            result = "passed" if event == "pass" else "failed"
            smoke = CheckResult(result, stamp, "R")  # type: ignore[arg-type]
            promotion_record = replace(promotion_record, checks={"smoke": smoke}, soaked_until="")
            model.good[number] = False
            model.bad.pop(number, None)
            model.ended.pop(number, None)
            if event == "fail":
                model.bad[number] = model.ended[number] = model.time
        else:
            check = promotion_record.checks.get("smoke")
            if check is None or check.result != "passed":
                continue
            promotion_record = replace(promotion_record, soaked_until=stamp)
            model.good[number], model.ended[number] = True, model.time
        records[number] = replace(promotion_record, updated=stamp)
    for number, commit in enumerate(commits):
        line = commits[number::-1]
        decision = decide(history_of(records.values(), commit, line, trunk=commits[::-1]), SOAK)
        assert decision.is_passed == model.allows(number), (events, number, decision)

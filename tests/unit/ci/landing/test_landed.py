"""What an environment is said to have become, and what that does to the exit code and the next ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.results import (
    CUT_OFF,
    Facts,
    begun,
    joined,
    landing_of,
    read_landings,
    settled,
    write_landing,
)
from orchestrator.engine.checks import CheckOutcome
from orchestrator.errors import UsageError
from orchestrator.plan.comparing import Difference
from orchestrator.report.landing import LandedStack, Landing, State
from orchestrator.report.model import Result, RunInfo, RunReport, StackReport
from orchestrator.review.approvals import Verdict

INFO = RunInfo("R-1", "ci", "c" * 40, "2026-01-02T03:04:05Z", 1.0)
FACTS = Facts("acme/infra", "main", "c" * 40, "R-1", "https://example.com/run", ("dev", "staging", "prod"))
OWED = {"dev/a": "its code has changed", "dev/b": "its code has changed"}
DIFFERENCE = Difference("terraform_data.x", "input", '"two"', '"three"', "it is another value")


def landed(*results: str, **more: object) -> Landed:
    """dev with stacks a, b, … that ended so."""
    stacks = tuple(
        StackReport(f"dev/{name}", "dev", result)  # type: ignore[arg-type]
        for name, result in zip("abcd", results, strict=False)
    )
    return replace(Landed("dev", RunReport("apply", INFO, stacks), OWED), **more)  # type: ignore[arg-type]


FAILED = (CheckOutcome("smoke", ok=False, message="exit code 1"),)
GATE = {"dev/a": Verdict("gate", reason="nobody approved it")}

CASES: dict[str, tuple[Landed, State, int, bool]] = {
    "all went": (landed("applied", "unchanged"), "applied", 0, False),
    "destroyed counts": (landed("destroyed"), "applied", 0, False),
    "nothing was owed": (replace(landed(), owed={}), "nothing", 0, False),
    "all was as it should be": (landed("unchanged", "unchanged"), "nothing", 0, False),
    "one is not as approved": (landed("applied", "mismatch"), "mismatch", 5, True),
    "a gate": (landed("blocked", "applied", verdicts=GATE), "gate", 4, True),
    "no gate": (landed("blocked", "applied"), "blocked", 4, True),
    "one failed": (landed("failed", "aborted"), "failed", 1, True),
    "one failed, one went": (landed("failed", "applied"), "partial", 1, True),
    "cut off": (landed("interrupted", "applied"), "partial", 7, True),
    "somebody else is at it": (landed("locked"), "failed", 6, True),
    "no time was left to plan one": (landed("unchecked", "unchanged"), "failed", 1, True),
    "no time was left, and one went": (landed("unchecked", "applied"), "partial", 1, True),
    "its upstream is not there": (landed("waiting"), "waiting", 1, True),
    "an earlier environment has not passed": (
        Landed("dev", owed=OWED, behind="lab", held="lab has not passed"),
        "waiting",
        4,
        True,
    ),
    "a check failed": (landed("applied", checks=FAILED), "stopped", 1, True),
    "nothing to do, and not well": (replace(landed(checks=FAILED), owed={}), "stopped", 1, True),
    "owed, and nothing came of it": (landed(), "failed", 1, True),
    "left for a newer one": (landed("skipped", overtaken=("dev/a",)), "nothing", 0, False),
    "left for a change to come": (landed("skipped", superseded=("dev/a",)), "superseded", 1, True),
    "left in part": (landed("skipped", "applied", superseded=("dev/a",)), "superseded", 1, True),
    "nobody answered the gate": (
        Landed("dev", owed=OWED, error="Nobody approved it.", error_code=4),
        "failed",
        4,
        True,
    ),
    "left for one that is gone": (landed("skipped", "applied"), "partial", 1, True),
    "behind another one": (Landed("prod", behind="dev", owed=OWED), "waiting", 0, True),
    "behind another one, with nothing pending": (Landed("prod", behind="dev"), "nothing", 0, True),
    "could not be looked at": (Landed("dev", error="No.", error_code=1), "failed", 1, True),
}


@pytest.mark.parametrize("name", CASES)
def test_an_environment_has_one_word(name: str) -> None:
    found, state, code, stops = CASES[name]
    assert (found.state, found.exit_code, found.stops) == (state, code, stops)


def test_an_interrupt_is_what_it_was() -> None:
    report = RunReport("apply", INFO, (StackReport("dev/a", "dev", "aborted"),), interrupted=True)
    assert Landed("dev", report, OWED).exit_code == 130


def test_a_landing_goes_through_a_file(tmp_path: Path) -> None:
    verdicts = {"dev/a": Verdict("mismatch", (DIFFERENCE,), (3, 4), "it differs")}
    one = landing_of(
        FACTS, landed("mismatch", "applied", verdicts=verdicts, checks=FAILED, owners={"dev/b": (9,)})
    )
    assert (one.pull_requests, one.next) == ((3, 4, 9), ("staging", "prod"))
    assert one.stacks[0].differences == (DIFFERENCE,)
    write_landing(tmp_path / "deep" / "dev", one)
    other = landing_of(FACTS, Landed("prod", behind="dev", owed={"prod/a": "its code has changed"}))
    write_landing(tmp_path / "prod", other)
    assert read_landings([tmp_path]) == [one, other]
    assert other.reason == "dev comes before it and is not done"


def test_an_environment_that_waits_is_told_only_where_something_is_pending() -> None:
    waits = Landed("prod", behind="dev")
    assert waits.state == "nothing"
    assert replace(waits, owed_unknown=True).state == "waiting"
    assert replace(waits, owed={"prod/a": "its code has changed"}).state == "waiting"


def test_what_was_not_applied_is_named() -> None:
    one = landed("skipped", "skipped", overtaken=("dev/b",))
    assert landing_of(FACTS, one).reason == "pending and not applied: dev/a"


def part(state: State, **results: Result) -> Landing:
    stacks = tuple(LandedStack(StackReport(f"prod/{id_}", "prod", result)) for id_, result in results.items())
    return replace(landing_of(FACTS, Landed("prod")), state=state, stacks=stacks)


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([part("nothing"), part("applied", a="applied")], "applied"),
        ([part("applied", a="applied"), part("gate", b="blocked")], "gate"),
        ([part("applied", b="applied"), part("failed", a="failed")], "partial"),
        ([part("failed", a="failed"), part("mismatch", b="mismatch")], "failed"),
        ([part("nothing"), part("nothing")], "nothing"),
    ],
)
def test_parts_are_told_as_one(parts: list[Landing], state: str) -> None:
    other = landing_of(FACTS, Landed("dev"))
    found = joined([*parts, other])
    assert [(one.environment, one.state) for one in found] == [("prod", state), ("dev", "nothing")]
    assert [one.id for one in found[0].stacks] == sorted(one.id for part in parts for one in part.stacks)


def test_a_stack_that_went_through_has_no_differences_left() -> None:
    verdicts = {"dev/a": Verdict("provisional", (DIFFERENCE,), (3,))}
    (stack,) = landing_of(FACTS, landed("applied", verdicts=verdicts)).stacks
    assert (stack.differences, stack.pull_requests) == ((), (3,))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "kind": "apply", "landing": {"stacks": [1]}}',
        '{"version": 1, "kind": "apply", "landing": {"environment": "dev", "stacks": []}}',
    ],
)
def test_what_is_no_landing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "apply-dev.json").write_text(text)
    with pytest.raises(UsageError):
        read_landings([tmp_path])


def test_a_job_that_dies_has_said_what_it_was_at(tmp_path: Path) -> None:
    write_landing(tmp_path, begun(FACTS, replace(landed(), report=None)))
    (found,) = read_landings([tmp_path])
    assert (found.state, found.reason) == ("partial", CUT_OFF)
    assert [(one.id, one.report.result) for one in found.stacks] == [
        ("dev/a", "interrupted"),
        ("dev/b", "interrupted"),
    ]
    settled(FACTS, tmp_path, [StackReport("dev/a", "dev", "applied")])
    (found,) = read_landings([tmp_path])
    assert found.state == "partial"
    settled(FACTS, tmp_path, [StackReport("dev/b", "dev", "applied")])
    (found,) = read_landings([tmp_path])
    assert (found.state, found.reason) == ("applied", "")


def test_the_parts_of_two_shards_in_one_folder_stay_apart(tmp_path: Path) -> None:
    for shard, name in (("1/2", "a"), ("2/2", "b")):
        one = replace(landed(), report=None, owed={f"dev/{name}": "new"})
        write_landing(tmp_path, begun(FACTS, one), shard)
    settled(FACTS, tmp_path, [StackReport("dev/a", "dev", "applied")])
    by_stack = {one.stacks[0].id: one for one in read_landings([tmp_path])}
    assert by_stack["dev/a"].state == "applied"
    assert by_stack["dev/b"].state == "partial"


def test_settled_without_a_file_is_told_too(tmp_path: Path) -> None:
    settled(FACTS, tmp_path / "none", [StackReport("dev/a", "dev", "failed", reason="it broke")])
    (found,) = read_landings([tmp_path / "none"])
    assert [(one.id, one.report.reason) for one in found.stacks] == [("dev/a", "it broke")]
    assert json.loads((tmp_path / "none/apply-dev.json").read_text())["version"] == 1

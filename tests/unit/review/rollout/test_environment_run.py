"""What an environment is said to have become, and what that does to the exit code and the next ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine.checks import CheckOutcome
from orchestrator.errors import UsageError
from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report.model import Result, RunInfo, RunReport, StackReport
from orchestrator.report.rollout import EnvironmentResult, StackResult, State
from orchestrator.review.approvals import Verdict
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.results import (
    INTERRUPTED,
    RolloutFacts,
    build_interrupted_result,
    build_result,
    finalize_results,
    join_results,
    read_results,
    write_result,
)

INFO = RunInfo("R-1", "ci", "c" * 40, "2026-01-02T03:04:05Z", 1.0)
FACTS = RolloutFacts(
    "acme/infra", "main", "c" * 40, "R-1", "https://example.com/run", ("dev", "staging", "prod")
)
PENDING = {"dev/a": "its code has changed", "dev/b": "its code has changed"}
DIFFERENCE = DigestDifference("terraform_data.x", "input", '"two"', '"three"', "it is another value")


def make_run(*results: str, **more: object) -> EnvironmentRun:
    """dev with stacks a, b, … that ended so."""
    stacks = tuple(
        StackReport(f"dev/{name}", "dev", result)  # type: ignore[arg-type]
        for name, result in zip("abcd", results, strict=False)
    )
    return replace(EnvironmentRun("dev", RunReport("apply", INFO, stacks), PENDING), **more)  # type: ignore[arg-type]


FAILED = (CheckOutcome("smoke", ok=False, message="exit code 1"),)
GATE = {"dev/a": Verdict("gate", reason="nobody approved it")}

CASES: dict[str, tuple[EnvironmentRun, State, int, bool]] = {
    "all went": (make_run("applied", "unchanged"), "applied", 0, False),
    "destroyed counts": (make_run("destroyed"), "applied", 0, False),
    "nothing was owed": (replace(make_run(), pending={}), "nothing", 0, False),
    "all was as it should be": (make_run("unchanged", "unchanged"), "nothing", 0, False),
    "one is not as approved": (make_run("applied", "mismatch"), "mismatch", 5, True),
    "a gate": (make_run("blocked", "applied", verdicts=GATE), "gate", 4, True),
    "no gate": (make_run("blocked", "applied"), "blocked", 4, True),
    "one failed": (make_run("failed", "aborted"), "failed", 1, True),
    "one failed, one went": (make_run("failed", "applied"), "partial", 1, True),
    "cut off": (make_run("interrupted", "applied"), "partial", 7, True),
    "somebody else is at it": (make_run("locked"), "failed", 6, True),
    "no time was left to plan one": (make_run("unchecked", "unchanged"), "failed", 1, True),
    "no time was left, and one went": (make_run("unchecked", "applied"), "partial", 1, True),
    "its upstream is not there": (make_run("waiting"), "waiting", 1, True),
    "an earlier environment has not passed": (
        EnvironmentRun("dev", pending=PENDING, behind="lab", hold_reason="lab has not passed"),
        "waiting",
        4,
        True,
    ),
    "a check failed": (make_run("applied", checks=FAILED), "stopped", 1, True),
    "nothing to do, and not well": (replace(make_run(checks=FAILED), pending={}), "stopped", 1, True),
    "owed, and nothing came of it": (make_run(), "failed", 1, True),
    "left for a newer one": (make_run("skipped", overtaken=("dev/a",)), "nothing", 0, False),
    "left for a change to come": (make_run("skipped", superseded=("dev/a",)), "superseded", 1, True),
    "left in part": (make_run("skipped", "applied", superseded=("dev/a",)), "superseded", 1, True),
    "nobody answered the gate": (
        EnvironmentRun("dev", pending=PENDING, error="Nobody approved it.", error_code=4),
        "failed",
        4,
        True,
    ),
    "left for one that is gone": (make_run("skipped", "applied"), "partial", 1, True),
    "behind another one": (EnvironmentRun("prod", behind="dev", pending=PENDING), "waiting", 0, True),
    "behind another one, with nothing pending": (EnvironmentRun("prod", behind="dev"), "nothing", 0, True),
    "could not be looked at": (EnvironmentRun("dev", error="No.", error_code=1), "failed", 1, True),
}


@pytest.mark.parametrize("name", CASES)
def test_an_environment_has_one_word(name: str) -> None:
    run, state, code, stops = CASES[name]
    assert (run.state, run.exit_code, run.stops) == (state, code, stops)


def test_an_interrupt_is_what_it_was() -> None:
    report = RunReport("apply", INFO, (StackReport("dev/a", "dev", "aborted"),), interrupted=True)
    assert EnvironmentRun("dev", report, PENDING).exit_code == 130


def test_a_rollout_goes_through_a_file(tmp_path: Path) -> None:
    verdicts = {"dev/a": Verdict("mismatch", (DIFFERENCE,), (3, 4), "it differs")}
    rollout_result = build_result(
        FACTS, make_run("mismatch", "applied", verdicts=verdicts, checks=FAILED, owners={"dev/b": (9,)})
    )
    assert (rollout_result.pull_requests, rollout_result.next) == ((3, 4, 9), ("staging", "prod"))
    assert rollout_result.stacks[0].differences == (DIFFERENCE,)
    write_result(tmp_path / "deep" / "dev", rollout_result)
    other = build_result(
        FACTS, EnvironmentRun("prod", behind="dev", pending={"prod/a": "its code has changed"})
    )
    write_result(tmp_path / "prod", other)
    assert read_results([tmp_path]) == [rollout_result, other]
    assert other.reason == "dev comes before it and is not done"


def test_an_environment_that_waits_is_reported_only_where_something_is_pending() -> None:
    waits = EnvironmentRun("prod", behind="dev")
    assert waits.state == "nothing"
    assert replace(waits, pending_unknown=True).state == "waiting"
    assert replace(waits, pending={"prod/a": "its code has changed"}).state == "waiting"


def test_what_was_not_applied_is_named() -> None:
    run = make_run("skipped", "skipped", overtaken=("dev/b",))
    assert build_result(FACTS, run).reason == "pending and not applied: dev/a"


def part(state: State, **results: Result) -> EnvironmentResult:
    stacks = tuple(StackResult(StackReport(f"prod/{id_}", "prod", result)) for id_, result in results.items())
    return replace(build_result(FACTS, EnvironmentRun("prod")), state=state, stacks=stacks)


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
def test_parts_are_reported_together(parts: list[EnvironmentResult], state: str) -> None:
    other = build_result(FACTS, EnvironmentRun("dev"))
    results = join_results([*parts, other])
    assert [(result.environment, result.state) for result in results] == [("prod", state), ("dev", "nothing")]
    assert [stack.id for stack in results[0].stacks] == sorted(
        stack.id for part in parts for stack in part.stacks
    )


def test_a_stack_that_went_through_has_no_differences_left() -> None:
    verdicts = {"dev/a": Verdict("provisional", (DIFFERENCE,), (3,))}
    (stack,) = build_result(FACTS, make_run("applied", verdicts=verdicts)).stacks
    assert (stack.differences, stack.pull_requests) == ((), (3,))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "kind": "apply", "result": {"stacks": [1]}}',
        '{"version": 1, "kind": "apply", "result": {"environment": "dev", "stacks": []}}',
    ],
)
def test_what_is_not_a_rollout_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "apply-dev.json").write_text(text)
    with pytest.raises(UsageError):
        read_results([tmp_path])


def test_a_job_that_dies_has_reported_what_it_was_at(tmp_path: Path) -> None:
    write_result(tmp_path, build_interrupted_result(FACTS, replace(make_run(), report=None)))
    (result,) = read_results([tmp_path])
    assert (result.state, result.reason) == ("partial", INTERRUPTED)
    assert [(stack.id, stack.report.result) for stack in result.stacks] == [
        ("dev/a", "interrupted"),
        ("dev/b", "interrupted"),
    ]
    finalize_results(FACTS, tmp_path, [StackReport("dev/a", "dev", "applied")])
    (result,) = read_results([tmp_path])
    assert result.state == "partial"
    finalize_results(FACTS, tmp_path, [StackReport("dev/b", "dev", "applied")])
    (result,) = read_results([tmp_path])
    assert (result.state, result.reason) == ("applied", "")


def test_the_parts_of_two_shards_in_one_folder_stay_apart(tmp_path: Path) -> None:
    for shard, name in (("1/2", "a"), ("2/2", "b")):
        run = replace(make_run(), report=None, pending={f"dev/{name}": "new"})
        write_result(tmp_path, build_interrupted_result(FACTS, run), shard)
    finalize_results(FACTS, tmp_path, [StackReport("dev/a", "dev", "applied")])
    by_stack = {rollout_result.stacks[0].id: rollout_result for rollout_result in read_results([tmp_path])}
    assert by_stack["dev/a"].state == "applied"
    assert by_stack["dev/b"].state == "partial"


def test_finalized_without_a_file_is_reported_too(tmp_path: Path) -> None:
    finalize_results(FACTS, tmp_path / "none", [StackReport("dev/a", "dev", "failed", reason="it broke")])
    (result,) = read_results([tmp_path / "none"])
    assert [(stack.id, stack.report.reason) for stack in result.stacks] == [("dev/a", "it broke")]
    assert json.loads((tmp_path / "none/apply-dev.json").read_text())["version"] == 1

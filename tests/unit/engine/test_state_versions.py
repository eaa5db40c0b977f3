"""Which run wrote which version of a state, from the records of the runs."""

from __future__ import annotations

from orchestrator.engine.state_versions import runs_by_generation
from orchestrator.state.records import RunRecord, StackRecord, unreadable_run

STACK = "dev/app"


def _run(id_: str, before: int | None, after: int | None, generation: str = "") -> RunRecord:
    record = StackRecord("applied", serial_before=before, serial_after=after, generation_after=generation)
    return RunRecord(id_, "apply", "local", "c" * 40, "ada", "2026-11-30T00:00:00Z", 1.0, {STACK: record})


def test_a_later_run_that_left_the_state_alone_wrote_nothing() -> None:
    runs = [_run("run-2", 4, 4, "g4"), _run("run-1", 3, 4, "g4")]
    assert runs_by_generation(runs, STACK) == {"g4": "run-1", "serial:4": "run-1"}


def test_each_serial_of_a_long_apply_is_of_its_run() -> None:
    writers = runs_by_generation([_run("run-2", 4, 6, "g6"), _run("run-1", None, 4, "g4")], STACK)
    assert [writers.get(f"serial:{serial}") for serial in (3, 4, 5, 6, 7)] == [
        None, "run-1", "run-2", "run-2", None,
    ]  # fmt: skip


def test_a_record_that_cannot_be_read_is_nobody() -> None:
    assert runs_by_generation([unreadable_run("20261130T000000000Z-aaaaaa", "torn")], STACK) == {}


def test_a_record_with_an_absurd_serial_is_bounded() -> None:
    assert len(runs_by_generation([_run("run-1", 0, 10**12)], STACK)) < 20_000

"""The file of results of the long tests: it adds up, and a part goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash.results import (
    SEED,
    Result,
    append_result,
    both_tables,
    missing_rounds,
    play_rounds,
    read_results,
    table,
)


def test_results_add_up_and_a_part_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "soak/results.jsonl"
    assert read_results(file) == []
    append_result(Result("kills", SEED, 0, "after POST lock of app", "resumed", (), "2026-11-30"), file)
    append_result(Result("kills", SEED + 1, 1, "before create n", "DEFECT", ("lost",), "2026-12-01"), file)
    with file.open("a") as stream:
        stream.write('{"part": "kil')
    results = read_results(file)
    assert missing_rounds("kills", 3, results) == [1, 2]
    assert missing_rounds("twice", 2, results) == [0, 1]
    forced = Result("named", SEED, 0, "after create n", "named, then taken back", (), "2026-12-01")
    drawn, label, forced_table = both_tables([*results, forced]).split("\n\n")
    assert (drawn, label, forced_table) == (table(results), "Forced, not drawn:", table([forced]))
    assert both_tables(results) == table(results)
    assert table(results, "x86_64, 2 cores").splitlines()[2:] == [
        f"| kills | {SEED}, {SEED + 1} | 2 | resumed 1, DEFECT 1 | 1 | 2026-12-01 |",
        "",
        "x86_64, 2 cores",
    ]


def test_a_defect_is_recorded_and_the_other_rounds_are_played(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"

    def play(number: int) -> str:
        assert number != 1, "wrong"
        return "passed"

    with pytest.raises(AssertionError, match="drift 1: wrong"):
        play_rounds("drift", 3, play, file)
    assert [(result.number, result.outcome) for result in read_results(file)] == [
        (0, "passed"),
        (1, "DEFECT"),
        (2, "passed"),
    ]
    play_rounds("drift", 3, play, file)
    assert len(read_results(file)) == 3

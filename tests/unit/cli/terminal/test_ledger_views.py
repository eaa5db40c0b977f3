"""Tables of runs, on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestrator.cli.terminal.ledger_views import run_history_view
from orchestrator.report.history import HistoryRun
from orchestrator.state.records import StackRecord

RUN = "20261130T110000Z-abcdef"


def history_lines(width: int, subject: str) -> list[str]:
    stacks = {f"prod/{'a-long-name-' * 20}": StackRecord("applied", {"create": 3})}
    run = HistoryRun(
        RUN, "apply", "ci", "c" * 40, "ada", "2026-11-30T11:00:00Z", 1.0, stacks, subject=subject
    )
    out = io.StringIO()
    for part in run_history_view([run]):
        Console(file=out, width=width).print(part)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80])
def test_the_id_of_a_run_is_whole_and_its_subject_is_cut(width: int) -> None:
    lines = history_lines(width, "word " * 2_000)
    assert any(line.startswith(RUN) for line in lines)
    assert all(len(line) <= width for line in lines)
    assert "\n".join(lines).count("word") <= 12

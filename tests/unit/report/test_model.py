"""Exit codes of a run, by what its stacks came to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.report import comment
from orchestrator.report.console import STYLES
from orchestrator.report.model import (
    NO_COUNTS,
    ORDER_OF_ATTENTION,
    Result,
    RunInfo,
    RunReport,
    StackReport,
)

INFO = RunInfo("r1", "local", "", "2026-01-02T03:04:05Z", 1.0)


def report(command: str, *results: str, detailed: bool = False, **more: object) -> RunReport:
    stacks = tuple(
        StackReport(f"dev/{i}", "dev", result.rstrip("!"), partial=result.endswith("!"))  # type: ignore[arg-type]
        for i, result in enumerate(results)
    )
    return RunReport(command, INFO, stacks, detailed=detailed, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "results", "detailed", "code"),
    [
        ("plan", (), False, 0),
        ("plan", ("unchanged",), True, 0),
        ("plan", ("changed", "unchanged"), False, 0),
        ("plan", ("changed", "unchanged"), True, 2),
        ("plan", ("changed", "failed"), True, 1),
        ("plan", ("waiting",), False, 0),
        ("apply", ("applied", "waiting"), False, 1),
        ("apply", ("applied", "failed"), False, 1),
        ("apply", ("failed!", "aborted"), False, 7),
        ("apply", ("failed", "failed!", "mismatch"), False, 7),
        ("apply", ("mismatch", "locked"), False, 5),
        ("apply", ("locked", "applied"), False, 6),
        ("apply", ("blocked", "locked"), False, 4),
        ("destroy", ("destroyed", "aborted"), False, 0),
        ("plan", ("changed", "unchecked"), False, 1),
        ("apply", ("unchecked", "blocked"), False, 1),
    ],
)
def test_exit_code(command: str, results: tuple[str, ...], detailed: bool, code: int) -> None:
    assert report(command, *results, detailed=detailed).exit_code == code


def test_an_interrupt_before_any_change_is_130_and_after_one_7() -> None:
    assert report("apply", "aborted", interrupted=True).exit_code == 130
    assert report("apply", "applied", "aborted", interrupted=True).exit_code == 7
    assert report("apply", "failed!", interrupted=True).exit_code == 7


def test_the_document_has_every_count_and_one_error_per_failure() -> None:
    failed = StackReport(
        "dev/a",
        "dev",
        "failed",
        reason="no",
        error_class="TerraformError",
        diagnostics=({"file": "main.tf", "line": 3},),
    )
    document = RunReport("plan", INFO, (failed,)).document()
    assert document["stacks"][0]["counts"] == dict(NO_COUNTS)
    assert document["errors"] == [
        {
            "class": "TerraformError",
            "message": "no",
            "advice": "",
            "file": "main.tf",
            "line": 3,
            "key": None,
            "stack": "dev/a",
        }
    ]


@pytest.mark.parametrize("name", ["run", "ci-plan"])
def test_each_result_is_documented_and_has_a_rank_a_style_and_words(name: str) -> None:
    schema = (Path(__file__).parents[3] / f"docs/schemas/{name}.schema.json").read_text(encoding="utf-8")
    documented = re.search(r'"result": \{\s*"enum": (\[[^\]]*\])', schema)
    assert documented
    results = set(get_args(Result))
    assert set(json.loads(documented[1])) == results == set(ORDER_OF_ATTENTION) == STYLES.keys()
    assert results - {"changed"} == comment.RESULTS.keys()

"""Workflow files as jobs and steps."""

from __future__ import annotations

import pytest

from orchestrator.forge.github.doctor.workflow_files import parse_workflow


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is no workflow"),
        ("on: [push\n", "it does not parse: "),
        (f"on: {'[' * 5_000}{']' * 5_000}\n", "it does not parse: "),
        ("on:\n" + "".join(f"{' ' * depth}- \n" for depth in range(1, 200)), "it does not parse: "),
    ],
    ids=["empty", "open", "deep", "deep-lines"],
)
def test_a_file_that_cannot_be_read_has_a_problem(text: str, problem: str) -> None:
    assert parse_workflow(".github/workflows/x.yml", text).problem.startswith(problem)

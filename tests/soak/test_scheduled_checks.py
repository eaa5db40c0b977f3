"""The long form: two hundred scheduled checks, several times over, in each kind of issue."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from orchestrator.config.drift import Drift
from tests.support.crash.results import SEED, play_rounds
from tests.support.github import ServedGitHub
from tests.support.many_checks import RandomChecks

pytestmark = pytest.mark.soak

CHECKS = 200
ISSUES: tuple[Literal["stack", "environment"], ...] = ("stack", "environment")


def test_two_hundred_scheduled_checks(tmp_path: Path) -> None:
    def play(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        settings, seed = Drift(issues=ISSUES[number % 2]), SEED * 1_000 + number
        with ServedGitHub(folder) as github, RandomChecks(github, seed, settings=settings) as checks:
            for _ in range(CHECKS):
                checks.play_step()
        return f"passed ({ISSUES[number % 2]})"

    play_rounds("drift", 20, play)

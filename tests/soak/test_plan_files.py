"""Random plan files at length: sixty resources a round, by each Terraform at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.crash.results import SEED, play_rounds
from tests.support.plan_files import plan_both_ways

pytestmark = pytest.mark.soak

ROUNDS, RESOURCES = 9, 60


def test_random_plans(
    terraform_argv: tuple[str, ...], embedded_argv: tuple[str, ...], tmp_path: Path
) -> None:
    def play(number: int) -> str:
        for at, argv in enumerate(dict.fromkeys((terraform_argv, embedded_argv))):
            folder = tmp_path / f"{number}-{at}"
            folder.mkdir()
            ours, terraforms = plan_both_ways(argv, folder, seed=SEED * 1_000 + number, count=RESOURCES)
            assert ours == json.loads(json.dumps(terraforms))
        return "passed"

    play_rounds("plans", ROUNDS, play)

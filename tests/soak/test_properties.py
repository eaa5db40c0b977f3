"""Every property of the unit tests with two thousand examples, one round for each file that has some."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crash.results import SEED, play_rounds

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for path in (ROOT / "tests/unit").rglob("test_*.py") if "@given(" in path.read_text(encoding="utf-8")
)


def test_properties() -> None:
    def play(number: int) -> str:
        argv = ("-q", "--hypothesis-profile=soak", f"--hypothesis-seed={SEED}", str(FILES[number]))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *argv],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return "passed"

    play_rounds("properties", len(FILES), play)

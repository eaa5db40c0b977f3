"""The long form: two hundred nights, several times over, in each kind of issue.

`make soak` prints what happened in them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

from orchestrator.config.drift import Drift
from tests.support.github import GitHub
from tests.support.many_nights import Nights

pytestmark = pytest.mark.soak

NIGHTS = 200


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("issues", ["stack", "environment"])
def test_two_hundred_nights(
    issues: Literal["stack", "environment"], seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with GitHub(tmp_path) as github, Nights(github, seed, settings=Drift(issues=issues)) as nights:
        for _ in range(NIGHTS):
            nights.one()
        with capsys.disabled():
            told = ", ".join(f"{number} × {what}" for what, number in sorted(nights.happened.items()))
            sys.stdout.write(
                f"\n{issues}, seed {seed}: {told}; {sum(nights.model.comments.values())} comments\n"
            )

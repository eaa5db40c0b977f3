"""A million inputs over everything that reads what comes from outside, none of them a defect."""

from __future__ import annotations

import itertools

import pytest

from tests.support.crash.results import SEED, play_rounds
from tests.support.fuzzing import defect_in, inputs, targets

pytestmark = pytest.mark.soak

# Of a round, over all readers together.
INPUTS = 10_000
TARGETS = targets()


def test_a_million_inputs() -> None:
    shares = sum(target.share for target in TARGETS)

    def play(number: int) -> str:
        for target in TARGETS:
            count = INPUTS * target.share // shares + 1
            for data in itertools.islice(inputs(target, SEED * 1_000 + number), count):
                defect = defect_in(target, data)
                assert not defect, defect
        return "passed"

    play_rounds("fuzz", 100, play)

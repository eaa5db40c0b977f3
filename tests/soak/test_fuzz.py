"""A million inputs over everything that reads what comes from outside, none of them a defect."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.support.fuzzing import defect_in, inputs, targets

pytestmark = pytest.mark.soak

# All inputs together, and where the random numbers begin: `INFRA_FUZZ=COUNT,SEED`.
COUNT, SEED = map(int, os.environ.get("INFRA_FUZZ", "1000000,1").split(","))


def test_a_million_inputs() -> None:
    readers = targets()
    shares = sum(target.share for target in readers)
    for target in readers:
        for data in itertools.islice(inputs(target, SEED), COUNT * target.share // shares + 1):
            assert defect_in(target, data) == ""

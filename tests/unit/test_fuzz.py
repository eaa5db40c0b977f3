"""Nothing that comes from outside ends in a defect: a short form for each run, the long one in the soak."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.support.fuzzing import Target, defect_in, inputs, targets

TARGETS = targets()
# Seconds for each target in the short form: what a busy machine does not get to, the soak does.
SHORT = 0.25


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_its_own_documents_are_understood(target: Target) -> None:
    for seed in target.seeds:
        assert defect_in(target, seed) == ""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_ends_in_a_defect(target: Target) -> None:
    until = time.monotonic() + SHORT
    for data in itertools.islice(inputs(target, 1), 400):
        assert defect_in(target, data) == ""
        if time.monotonic() > until:
            break


def test_a_defect_is_found() -> None:
    def broken(data: bytes) -> None:
        raise AttributeError("x")

    assert "AttributeError: x" in defect_in(Target("t", broken, (b"{}",)), b"{}")

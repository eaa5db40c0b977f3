"""Whose lock it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.state.locks import LockInfo, belongs_to
from orchestrator.state.records import Operation

OPERATION = Operation(
    "R1",
    "apply",
    "applying",
    "ada",
    "desk",
    "c",
    host="desk/pid:[1]",
    started="2026-01-02T03:00:00Z",
    heartbeat="2026-01-02T03:00:30Z",
)
LOCK = LockInfo("u", "OperationTypeApply", "ada@desk", "1.11", "2026-01-02T05:00:01Z", "", "7")


def at(written: str) -> LockInfo:
    return replace(LOCK, written=written)


@pytest.mark.parametrize(
    ("lock", "operation", "ours"),
    [
        # The machine's clock (`created`) is two hours off; where the lock lies knows better.
        (at("2026-01-02T03:00:05Z"), OPERATION, True),
        (at("2026-01-02T02:59:00Z"), OPERATION, False),
        (at("2026-01-02T03:05:00Z"), OPERATION, False),
        (at("2026-01-02T03:00:05Z"), replace(OPERATION, host="other/1"), False),
        (at("2026-01-02T03:00:05Z"), replace(OPERATION, host=""), False),
        (at("2026-01-02T03:00:05Z"), replace(OPERATION, phase="planned"), False),
        (at(""), OPERATION, False),
        (replace(LOCK, created="2026-01-02T02:55:00Z"), OPERATION, True),
        (replace(LOCK, created="soon"), OPERATION, False),
        # A generation that a heartbeat has noted is proof, either way.
        (at("2026-01-02T03:00:05Z"), replace(OPERATION, lock="7"), True),
        (at("2026-01-02T03:00:05Z"), replace(OPERATION, lock="8"), False),
        (at("2020-01-01T00:00:00Z"), replace(OPERATION, lock="7"), True),
    ],
)
def test_a_lock_belongs_to_the_operation_of_its_machine_and_time(
    lock: LockInfo, operation: Operation, ours: bool
) -> None:
    assert belongs_to(lock, operation) is ours

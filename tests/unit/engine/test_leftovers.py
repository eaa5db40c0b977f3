"""Which rescued state continues the one in the backend."""

from __future__ import annotations

import json

import pytest

from orchestrator.engine.leftovers import RescuedState, is_newer
from orchestrator.state.statefile import StateFile, read_state


def _head(serial: int, lineage: str) -> StateFile:
    content = {"version": 4, "serial": serial, "lineage": lineage, "resources": []}
    return read_state(json.dumps(content).encode(), "gs://b/x")


@pytest.mark.parametrize(
    ("rescued", "remote", "expected"),
    [
        ((5, "L"), (4, "L"), True),
        ((4, "L"), (4, "L"), False),
        ((3, "L"), (4, "L"), False),
        ((5, "M"), (4, "L"), False),
        ((1, "L"), None, True),
    ],
)
def test_a_rescued_state_is_pushed_only_where_it_continues_the_saved_one(
    rescued: tuple[int, str], remote: tuple[int, str] | None, expected: bool
) -> None:
    state = RescuedState("a file", b"", _head(*rescued))
    assert is_newer(state, _head(*remote) if remote else None) is expected

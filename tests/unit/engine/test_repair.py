"""What an interrupted apply needs besides its plan, and which of it nobody is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.repair import (
    ImportedResource,
    repair_of_interrupted,
    repair_of_lost_state,
    repair_of_superseded,
)

SAME, OTHER = ImportedResource("x.y (1)", is_changed=False), ImportedResource("x.z (2)", is_changed=True)


@pytest.mark.parametrize(
    ("leftovers", "steps", "asks"),
    [
        ({}, (), ()),
        ({"lock": "7"}, ("its lock 7 is released",), ()),
        ({"taken": [SAME]}, ("x.y (1) is taken back",), ()),
        ({"taken": [OTHER]}, (), ("x.z (2) is taken back, and changed",)),
        (
            {"rescued": "serial 4, a/b"},
            (),
            ("the state that it could not save is pushed (serial 4, a/b)",),
        ),
        (
            {"removed": ["x.q (q)"]},
            (),
            ("x.q (q), which it deleted, is removed from the state",),
        ),
        ({"unsure": ["x.q (q)"]}, (), ("x.q (q) may exist and could not be looked up",)),
        ({"left_out": ["x.q (q)"]}, (), ("x.q (q) is not taken back",)),
    ],
)
def test_what_only_repairs_the_state_needs_no_confirmation(
    leftovers: dict[str, Any], steps: tuple[str, ...], asks: tuple[str, ...]
) -> None:
    repair = repair_of_interrupted("R", **leftovers)
    assert (repair.steps, repair.asks) == (steps, asks)
    assert repair.approved_steps == ((*steps, *asks) if asks else ())


def test_a_yes_covers_the_steps_too() -> None:
    repair = repair_of_interrupted("R", lock="7", taken=[SAME, OTHER])
    assert repair.approved_steps == (
        "its lock 7 is released",
        "x.y (1) is taken back",
        "x.z (2) is taken back, and changed",
    )
    assert repair.question == (
        "the apply R was interrupted, and to go on takes a yes: x.z (2) is taken back, and changed"
    )
    assert repair.result == (
        "resumed the interrupted apply R: its lock 7 is released; x.y (1) is taken back; "
        "x.z (2) is taken back, and changed"
    )


def test_a_state_is_never_given_up_and_no_commit_gone_over_without_a_yes() -> None:
    assert repair_of_lost_state("the project is gone").asks
    assert repair_of_superseded("0123456789").asks

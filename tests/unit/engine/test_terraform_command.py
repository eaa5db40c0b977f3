"""Which command lines `infra run` refuses before anybody is asked."""

from __future__ import annotations

from typing import Literal

import pytest

from orchestrator.engine.terraform_command import outcome_of, refuse_misspelt
from orchestrator.errors import UsageError
from orchestrator.process import Completed


@pytest.mark.parametrize(
    ("words", "meant"),
    [("plann", "plan"), ("imprt x y", "import"), ("-json stat list", "state"), ("apply-", "apply")],
)
def test_a_command_that_is_nearly_one_of_terraforms(words: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_misspelt(words.split())
    assert caught.value.advice == f"Did you mean {meant}?"


@pytest.mark.parametrize("words", ["plan", "state list", "-help", "", "stacks init", "query", "state lst"])
def test_what_terraform_has_or_may_have_is_checked_by_terraform(words: str) -> None:
    refuse_misspelt(words.split())


@pytest.mark.parametrize(
    ("code", "ended", "outcome"),
    [
        (0, "exited", ("modified", "applied")),
        (1, "exited", ("failed", "failed")),
        (1, "interrupted", ("interrupted", "interrupted")),
        (-2, "interrupted", ("interrupted", "interrupted")),
        (0, "interrupted", ("modified", "applied")),
    ],
)
def test_a_command_that_ended_well_was_not_cut_short(
    code: int, ended: Literal["exited", "interrupted"], outcome: tuple[str, str]
) -> None:
    """Terraform finishes what it began after a Ctrl-C; nothing is left to resume then."""
    assert outcome_of(Completed(("terraform",), code, b"", b"", 1.0, ended)) == outcome

"""Which command lines `infra run` refuses before anybody is asked."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.run.terraform_run import refuse_misspelt


@pytest.mark.parametrize(
    ("words", "meant"),
    [("plann", "plan"), ("imprt x y", "import"), ("-json stat list", "state"), ("apply-", "apply")],
)
def test_a_command_that_is_nearly_one_of_terraforms(words: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_misspelt(words.split())
    assert caught.value.advice == f"Did you mean {meant}?"


@pytest.mark.parametrize("words", ["plan", "state list", "-help", "", "stacks init", "query", "state lst"])
def test_what_terraform_has_or_may_have_is_its_own_to_judge(words: str) -> None:
    refuse_misspelt(words.split())

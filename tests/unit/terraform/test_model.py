"""The options of a plan: each says whether it makes the plan partial."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from orchestrator.terraform.model import PlanOptions

# A value in use for every option, and whether a plan with it is partial.
IN_USE: dict[str, tuple[Any, bool]] = {
    "destroy": (True, False),
    "refresh_only": (True, True),
    "targets": (("random_id.a",), True),
    "replaces": (("random_id.a",), True),
    "variables": (("region=europe-west1",), True),
    "var_files": ((Path("dev.tfvars"),), False),
    "given_var_files": ((Path("mine.tfvars"),), True),
    "parallelism": (4, False),
    "lock": (True, False),
    "refresh": (False, True),
}


def test_every_option_is_classified() -> None:
    """A new option that does not say whether it makes a plan partial fails here."""
    assert {option.name for option in fields(PlanOptions)} == IN_USE.keys()
    for option in fields(PlanOptions):
        assert isinstance(option.metadata.get("partial"), bool), option.name
        assert option.default is not MISSING, option.name


@pytest.mark.parametrize(("name", "value", "partial"), [(name, *case) for name, case in IN_USE.items()])
def test_options_that_make_a_plan_partial(name: str, value: Any, partial: bool) -> None:
    assert PlanOptions(**{name: value}).is_partial is partial


def test_no_option_is_partial_by_itself() -> None:
    assert not PlanOptions().is_partial

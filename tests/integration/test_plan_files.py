"""Plan files of real Terraform with random values are read as Terraform shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.plan_files import plan_both_ways

# Resources of one plan, and of all plans of the long form.
COUNT = 60


@pytest.mark.parametrize("fixture", ["terraform_argv", "embedded_argv"])
def test_random_plans_are_read_as_terraform_shows_them(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str
) -> None:
    argv: tuple[str, ...] = request.getfixturevalue(fixture)
    ours, terraforms = plan_both_ways(argv, tmp_path, seed=1, count=COUNT)
    assert len(ours["resource_changes"]) >= COUNT
    assert ours == json.loads(json.dumps(terraforms))

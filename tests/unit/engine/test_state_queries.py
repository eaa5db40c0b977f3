"""Looking into a state."""

from __future__ import annotations

import pytest

from orchestrator.engine.state_queries import unknown_address
from orchestrator.errors import TerraformError, UsageError


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("terraform_data.nain", "Did you mean terraform_data.main?"),
        ("x", "`infra state list dev/net` shows the addresses."),
    ],
)
def test_an_address_that_is_not_in_the_state_names_what_is(address: str, advice: str) -> None:
    """Terraform's words name neither the stack nor what would be right."""
    error = unknown_address(TerraformError("no"), "dev/net", address, ["terraform_data.main"])
    assert isinstance(error, UsageError)
    assert error.advice == advice


def test_another_failure_of_terraform_stays_what_it_is() -> None:
    """The address is in the state, so it is something else."""
    failure = TerraformError("no space")
    assert unknown_address(failure, "dev/net", "terraform_data.main", ["terraform_data.main"]) is failure

"""Addresses → the lines where the code has them."""

from __future__ import annotations

import pytest

from orchestrator.repository.declarations import find_declaration
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

FILES = {
    "infra/envs/dev/a/main.tf": """
        # the first line
        resource "terraform_data" "x" {}

        module "m" {
          source = "../../../modules/m"
        }
        """,
    "infra/envs/dev/a/more.tf": "\n\n\nresource terraform_data y {\n}\n",
    "infra/modules/m/main.tf": 'module "inner" {\n  source = "./inner"\n}\n',
    "infra/modules/m/inner/main.tf": '\n\n# before\nresource "terraform_data" "x" {}\n',
}


@pytest.fixture
def locations(make_repo: MakeRepo) -> dict[str, tuple[str, int] | None]:
    project = load(make_repo(FILES).root)
    addresses = (
        "terraform_data.x",
        'terraform_data.y["a.b"]',
        'module.m["k"].module.inner[0].terraform_data.x[1]',
        "terraform_data.gone",
        "module.gone.terraform_data.x",
        "terraform_data",
    )
    return {address: find_declaration(project, project.stacks["dev/a"], address) for address in addresses}


def test_locations(locations: dict[str, tuple[str, int] | None]) -> None:
    assert list(locations.values()) == [
        ("infra/envs/dev/a/main.tf", 2),
        ("infra/envs/dev/a/more.tf", 3),
        ("infra/modules/m/inner/main.tf", 3),
        None,
        None,
        None,
    ]

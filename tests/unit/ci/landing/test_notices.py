"""Whose plan is stale: who touches what an applied stack reads."""

from __future__ import annotations

import pytest

from orchestrator.ci.landing.notices import reads_of, stricter_rules
from orchestrator.project import load
from tests.conftest import MakeRepo

FILES = {
    ".terraform-version": "1.11.4\n",
    "README.md": "Words.\n",
    "infra/modules/net/main.tf": 'resource "terraform_data" "x" {}\n',
    "infra/modules/other/main.tf": 'resource "terraform_data" "x" {}\n',
    "infra/envs/prod/net/main.tf": 'module "net" {\n  source = "../../../modules/net"\n}\n',
    "infra/envs/prod/net/terraform.tfvars": "",
}


@pytest.mark.parametrize(
    ("path", "touched"),
    [
        ("infra/envs/prod/net/main.tf", True),
        ("infra/envs/prod/net/terraform.tfvars", True),
        ("infra/envs/prod/net/new.tf", True),
        ("infra/modules/net/main.tf", True),
        ("infra/modules/net/new.tf", True),
        ("infra/modules/other/main.tf", False),
        ("infra/envs/prod/other/main.tf", False),
        ("README.md", False),
        (".terraform-version", True),
    ],
)
def test_a_path_touches_a_stack(make_repo: MakeRepo, path: str, touched: bool) -> None:
    project = load(make_repo(FILES).root)
    assert reads_of(project, "prod/net").touched_by([path]) is touched


def test_a_stack_that_is_gone_is_touched_by_nothing(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    assert not reads_of(project, "prod/gone").touched_by(["infra/envs/prod/gone/main.tf"])


LOOSE = "environments: {prod: {approved_by: merge, unapproved: gate}}\n"


@pytest.mark.parametrize(
    ("after", "stricter"),
    [
        ("environments: {prod: {approved_by: review, unapproved: gate}}\n", True),
        ("environments: {prod: {approved_by: merge, unapproved: refuse}}\n", True),
        ("environments: {prod: {approved_by: merge, unapproved: apply}}\n", False),
        ("environments: {prod: {approved_by: merge, unapproved: gate, parallelism: 2}}\n", False),
    ],
)
def test_rules_that_a_commit_made_stricter_are_told(make_repo: MakeRepo, after: str, stricter: bool) -> None:
    repo = make_repo({**FILES, "infra.yaml": LOOSE})
    assert stricter_rules(load(repo.root)) == {}
    repo.commit({"infra.yaml": after}, "Rules")
    assert list(stricter_rules(load(repo.root))) == (["prod"] if stricter else [])

"""Whose plan is stale: who touches what an applied stack reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Comment, PullRequest
from orchestrator.forge.outbox import Outbox
from orchestrator.report.plan_comment import render_comment
from orchestrator.report.review import EnvironmentRules
from orchestrator.repository.loading import load
from orchestrator.review.rollout.notices import find_stricter_rules, list_reads, notify_open_pull_requests
from tests.conftest import MakeRepo
from tests.support import environment_results, reviews

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
    assert list_reads(project, "prod/net").touched_by([path]) is touched


def test_a_stack_that_is_gone_is_touched_by_nothing(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    assert not list_reads(project, "prod/gone").touched_by(["infra/envs/prod/gone/main.tf"])


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
def test_rules_that_a_commit_made_stricter_are_reported(
    make_repo: MakeRepo, after: str, stricter: bool
) -> None:
    repo = make_repo({**FILES, "infra.yaml": LOOSE})
    before = load(repo.root)
    assert find_stricter_rules(before, None) == {}
    repo.commit({"infra.yaml": after}, "Rules")
    assert list(find_stricter_rules(load(repo.root), before)) == (["prod"] if stricter else [])


@dataclass
class ForgeWithPlan:
    """A repository with one open pull request and our plan on it."""

    body: str
    login: str = "github-actions[bot]"
    texts: list[str] = field(default_factory=list)

    def open_pull_requests(self, base: str) -> list[PullRequest]:
        return [PullRequest(7, "A", "mira", "open", False, False, "h", "work", "acme/infra", "b", base)]

    def changed_paths(self, number: int) -> list[str]:
        return ["infra/envs/prod/net/main.tf"]

    def comments(self, number: int) -> list[Comment]:
        return [Comment(1, self.login, self.body, "2026-01-01T00:00:00Z")]

    def create_comment(self, number: int, body: str) -> None:
        self.texts.append(body)

    def update_comment(self, id: int, body: str) -> None:
        self.body = body


def test_the_plan_of_an_open_pull_request_announces_the_stricter_rules(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, "infra.yaml": LOOSE})
    repo.commit({"infra.yaml": LOOSE.replace("merge", "review")}, "Rules")
    planned = reviews.review(
        reviews.database("prod/net"),
        environments=(EnvironmentRules("prod", protected=True, approved_by="merge"),),
    )
    host, outbox = ForgeWithPlan(render_comment(planned)), Outbox()
    assert "the merge is the approval" in host.body
    notify_open_pull_requests(
        cast(Forge, host), load(repo.root), [environment_results.make_result("nothing")], outbox
    )
    assert outbox.failures == []
    assert "the merge is the approval" not in host.body
    assert "if somebody with write access, other than mira, approves" in host.body
    assert len(host.texts) == 1
    assert "The rules are stricter now" in host.texts[0]


@pytest.mark.parametrize(
    "tightened",
    [
        {"infra.yaml": LOOSE + "policy: {limits: {stacks: 1}}\n"},
        {"policies/names.rego": "package main\n"},
    ],
)
def test_the_plan_of_an_open_pull_request_states_that_the_policy_changed(
    make_repo: MakeRepo, tightened: dict[str, str]
) -> None:
    repo = make_repo({**FILES, "infra.yaml": LOOSE})
    repo.commit(tightened, "Policy")
    host, outbox = ForgeWithPlan(render_comment(reviews.review(reviews.database("prod/net")))), Outbox()
    results = [environment_results.make_result("nothing")]
    notify_open_pull_requests(cast(Forge, host), load(repo.root), results, outbox)
    assert outbox.failures == []
    assert host.body.count("**The policy changed** with") == 1
    assert "what it refuses is not applied" in host.texts[0]
    repo.commit({"README.md": "Other words.\n"}, "Words")
    host.texts.clear()
    notify_open_pull_requests(cast(Forge, host), load(repo.root), results, outbox)
    assert host.texts == []

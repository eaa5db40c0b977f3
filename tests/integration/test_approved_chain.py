"""Three stacks behind each other, planned before and after their upstream moved, with real Terraform."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.engine.digests import DigestKeys, digest_inspection, empty_digest
from orchestrator.engine.planner import plan_stack
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.plan.digest import Digest, decode, encode
from orchestrator.plan.digest_comparison import compare
from orchestrator.repository.loading import load
from orchestrator.repository.output_sources import upstream_finder
from orchestrator.terraform.client import PlanOptions
from tests.support.cli import Infra
from tests.support.repo import Repo

NET = """
resource "terraform_data" "n" { input = "old" }
output "range" { value = terraform_data.n.input }
"""

STATE = """
data "terraform_remote_state" "%(of)s" {
  backend = "local"
  config  = { path = "${path.module}/../%(of)s/terraform.tfstate" }
}
"""

# The middle one has a resource between what it reads and what it gives on.
APP = (
    STATE % {"of": "net"}
    + """
locals { range = jsonencode(data.terraform_remote_state.net.outputs.range) }
resource "terraform_data" "between" { input = local.range }
resource "terraform_data" "own" { input = "mine" }
output "url" { value = "app-${terraform_data.between.input}" }
"""
)

END = (
    STATE % {"of": "app"}
    + """
resource "terraform_data" "e" { input = data.terraform_remote_state.app.outputs.url }
"""
)

FILES = {
    "infra.yaml": "version: 1\n",
    ".gitignore": "*.tfstate*\n.terraform*\n.infra/\n",
    "infra/envs/dev/net/main.tf": NET,
    "infra/envs/dev/app/main.tf": APP,
    "infra/envs/dev/end/main.tf": END,
}
GIVEN = ("--auto-approve", "--confirm", "dev")


class Chain:
    """The project, applied once; its plans as digests, gone through their objects as in a job."""

    def __init__(self, folder: Path) -> None:
        self.repo = Repo(folder / "repo", FILES)
        self.env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        self.infra = Infra(self.repo.root, self.env)
        self.infra("apply", "--all", *GIVEN, code=0)

    def digest(self, stack: str, *upstreams: str) -> Digest:
        """A plan's digest; `upstreams` are those that have changes of their own."""
        session = self.session()
        inspect = digest_inspection(
            session, DigestKeys(session.memory.ledgers), provisional={f"dev/{stack}": upstreams}
        )
        stack_model = session.context.project.stacks[f"dev/{stack}"]
        planned = plan_stack(session, stack_model, PlanOptions(), inspect=inspect)
        assert planned.report.result in ("changed", "unchanged"), planned.report.reason
        return planned.inspected.digest or empty_digest(session, stack_model, provisional=upstreams)

    def session(self) -> Session:
        return open_session(load(self.repo.root), self.env, SilentProgress())

    def differences(self, approved: Digest, stack: str) -> tuple[list[str], list[str]]:
        """What differs now, as an environment with `upstream` sees it, and as one with `strict` does."""
        now = self.digest(stack)
        digest = decode(encode(approved))
        reaches = upstream_finder(load(self.repo.root), f"dev/{stack}")
        return (
            [
                f"{difference.address} {difference.path}"
                for difference in compare(digest, now, reaches=reaches)
            ],
            [
                f"{difference.address} {difference.path}"
                for difference in compare(digest, now, approval="strict")
            ],
        )


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def test_a_chain_whose_first_stack_moves_an_output(chain: Chain) -> None:
    # On the pull request: the network's output becomes a list, the other two are planned with the old one.
    chain.repo.commit({"infra/envs/dev/net/main.tf": NET.replace('"old"', '["new", "one"]')})
    approved = {
        "net": chain.digest("net"),
        "app": chain.digest("app", "dev/net"),
        "end": chain.digest("end", "dev/app"),
    }
    assert [resource.address for resource in approved["net"].resources] == ["terraform_data.n"]
    assert approved["app"].is_empty
    assert approved["end"].is_empty
    # What only explains a difference is kept, and is no part of what is compared.
    facts = approved["app"].facts
    assert facts["commit"] == chain.repo.head
    assert facts["serial"] >= 1
    assert all(facts[name] for name in ("generation", "run"))
    assert list(facts["upstreams"]) == ["dev/net"]
    assert chain.differences(approved["net"], "net") == ([], [])

    # Merged: each is planned again once the one before it was applied.
    chain.infra("apply", "dev/net", *GIVEN, code=0)
    tolerated, strict = chain.differences(approved["app"], "app")
    assert tolerated == []
    assert {"terraform_data.between input", "output.url "} <= set(strict)
    # Somebody else's change in the same plan is still seen.
    chain.repo.write({"infra/envs/dev/app/main.tf": APP.replace('"mine"', '"another\'s"')})
    assert chain.differences(approved["app"], "app")[0] == [
        "terraform_data.own input",
        "terraform_data.own output",
    ]
    chain.repo.write({"infra/envs/dev/app/main.tf": APP + 'resource "terraform_data" "more" {}\n'})
    assert chain.differences(approved["app"], "app")[0] == ["terraform_data.more "]

    chain.repo.write({"infra/envs/dev/app/main.tf": APP})
    assert chain.differences(approved["end"], "end") == ([], []), "its upstream has not moved yet"
    chain.infra("apply", "dev/app", *GIVEN, code=0)
    tolerated, strict = chain.differences(approved["end"], "end")
    assert tolerated == []
    assert "terraform_data.e input" in strict


def test_an_apply_that_failed_in_the_middle_goes_on_as_approved(chain: Chain) -> None:
    more = """
resource "terraform_data" "first" { input = "made" }
resource "terraform_data" "second" {
  input = terraform_data.first.id
  provisioner "local-exec" { command = "test -e ../../../ready" }
}
"""
    chain.repo.commit({"infra/envs/dev/net/main.tf": NET + more})
    approved = chain.digest("net")
    assert len(approved.resources) == 2
    chain.infra("apply", "dev/net", *GIVEN, code=7)
    upstream, _ = chain.differences(approved, "net")
    # The second one is there, tainted: that it is deleted first is what nobody approved.
    assert upstream == ["terraform_data.second "]

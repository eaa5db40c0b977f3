"""plan and apply under a policy, on real Terraform with states on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.schemas import check_schema

ONE = """
resource "terraform_data" "x" {
  input = "one"
}
output "x" {
  value = terraform_data.x.output
}
"""
READS = """
data "terraform_remote_state" "a" {
  backend = "local"
  config = {
    path = "${path.module}/../a/terraform.tfstate"
  }
}
resource "terraform_data" "y" {
  input = data.terraform_remote_state.a.outputs.x
}
"""
POLICY = """
policy:
  destroy: {dev: allow, prod: prevent}
  protect:
    - {address: "terraform_data.kept", reason: It is the only one.}
"""
REGO = """
package main
deny contains {"msg": msg, "address": change.address} if {
  some change in input.resource_changes
  change.change.after.input == "bad"
  msg := sprintf("%s is bad: %v", [change.address, change.change.after.triggers_replace])
}
warn contains "think of it" if input.resource_changes[_].change.after.input == "odd"
"""
YES = ("--auto-approve", "--allow-destroy", "--confirm", "prod")


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    """dev with a and b, which reads it, and c; prod with a."""
    return make_repo(
        {
            ".gitignore": "*.tfstate*\n.terraform*\n",
            "infra.yaml": "environments: {dev: {}, prod: {}}\n" + POLICY,
            "infra/envs/dev/a/main.tf": ONE,
            "infra/envs/dev/b/main.tf": READS,
            "infra/envs/dev/c/main.tf": ONE,
            "infra/envs/prod/a/main.tf": ONE,
            "policies/main.rego": REGO,
        }
    )


@pytest.fixture
def infra(repo: Repo, terraform_argv: tuple[str, ...]) -> Infra:
    return Infra(repo.root, {})


def states(repo: Repo) -> set[str]:
    return {
        path.parent.relative_to(repo.root / "infra/envs").as_posix() for path in repo.root.rglob("*.tfstate")
    }


def test_what_is_prevented_is_blocked_whatever_anybody_answers(infra: Infra, repo: Repo) -> None:
    infra("apply", "--all", *YES, code=0)
    before = (repo.root / "infra/envs/prod/a/terraform.tfstate").read_bytes()
    repo.branch("change")
    # The branch loosens the rule for itself, which does not count.
    repo.commit(
        {"infra/envs/prod/a/main.tf": "# gone\n", "infra.yaml": "environments: {dev: {}, prod: {}}\n"}
    )
    ran = infra("plan", "prod", "--json", code=4)
    check_schema(ran.document, "run")
    (finding,) = ran.stack("prod/a")["findings"]
    assert (ran.results, finding["rule"], finding["severity"]) == ({"prod/a": "changed"}, "destroy", "error")
    assert "policy: {destroy: {prod: prevent}}" in finding["advice"]
    assert infra("plan", "prod", "--detailed-exitcode").code == 4

    for argv in (("apply", "prod", *YES), ("destroy", "prod", *YES)):
        ran = infra(*argv, "--json", code=4)
        assert ran.results == {"prod/a": "blocked"}
        assert "the policy forbids it: destroy" in ran.stack("prod/a")["reason"]
    assert (repo.root / "infra/envs/prod/a/terraform.tfstate").read_bytes() == before
    text = infra("apply", "prod", *YES, code=4).out
    assert (
        "Forbidden: This deletes or replaces terraform_data.x, which nobody may in prod.  [destroy]" in text
    )
    assert "infra.yaml on trunk" in text


def test_what_is_allowed_goes_on_and_what_stands_on_the_blocked_waits(infra: Infra, repo: Repo) -> None:
    infra("apply", "dev", *YES, code=0)
    bad = ONE.replace('"one"', '"bad"')
    repo.commit({"infra/envs/dev/a/main.tf": bad, "infra/envs/dev/c/main.tf": ONE.replace("one", "odd")})
    ran = infra("apply", "dev", *YES, "--json", code=4)
    assert ran.results == {"dev/a": "blocked", "dev/b": "unchanged", "dev/c": "applied"}
    (finding,) = ran.stack("dev/a")["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("rego", "infra/envs/dev/a/main.tf", 1)
    (warned,) = ran.stack("dev/c")["findings"]
    assert (warned["severity"], warned["message"]) == ("warning", "think of it")


def test_messages_of_rules_are_masked_like_the_plan(infra: Infra, repo: Repo) -> None:
    secret = 'variable "s" {\n  default   = "s3cr3t-word"\n  sensitive = true\n}\n'
    bad = 'resource "terraform_data" "x" {\n  input = "bad"\n  triggers_replace = [var.s]\n}\n'
    repo.commit({"infra/envs/dev/c/main.tf": secret + bad})
    ran = infra("plan", "dev/c", "--json", code=4)
    assert "is bad" in ran.stack("dev/c")["findings"][0]["message"]
    assert "s3cr3t" not in ran.out + infra("plan", "dev/c", code=4).out


def test_broken_rego_is_a_failure_and_no_pass(infra: Infra, repo: Repo) -> None:
    repo.commit({"policies/broken.rego": "package main\nthis is no rego\n"})
    ran = infra("plan", "dev/c", "--json", code=1)
    assert ran.results == {"dev/c": "failed"}
    assert ran.document["errors"][0]["class"] == "PolicyError"
    ran = infra("apply", "dev/c", *YES, "--json", code=1)
    assert states(repo) == set()


def test_a_saved_plan_is_checked_when_it_is_applied(infra: Infra, repo: Repo, tmp_path: Path) -> None:
    repo.commit({"infra/envs/dev/c/main.tf": ONE.replace("one", "bad")})
    infra("plan", "dev/c", "--out", str(tmp_path / "plans"), code=4)
    ran = infra("apply", "--plan", str(tmp_path / "plans"), *YES, "--json", code=4)
    assert ran.results == {"dev/c": "blocked"}
    assert states(repo) == set()


def test_protected_resources_stay(infra: Infra, repo: Repo) -> None:
    protected_code = 'resource "terraform_data" "kept" {\n  triggers_replace = ["1"]\n}\n'
    repo.commit({"infra/envs/dev/c/main.tf": protected_code})
    infra("apply", "dev/c", *YES, code=0)
    repo.commit({"infra/envs/dev/c/main.tf": protected_code.replace('"1"', '"2"')})
    ran = infra("apply", "dev/c", *YES, "--json", code=4)
    (finding,) = ran.stack("dev/c")["findings"]
    assert (
        finding["message"]
        == "This would replace terraform_data.kept, which is protected: It is the only one."
    )
    assert (finding["file"], finding["line"]) == ("infra/envs/dev/c/main.tf", 1)


def test_a_plan_made_again_after_the_question_is_checked_too(infra: Infra, repo: Repo) -> None:
    """dev/b waits for dev/a; what it then plans, nobody has seen yet."""
    repo.commit(
        {"infra/envs/dev/a/main.tf": ONE.replace("one", "odd"), "infra/envs/dev/b/main.tf": READS_BAD}
    )
    ran = infra("apply", "dev/a", "dev/b", *YES, "--json", code=4)
    assert ran.results == {"dev/a": "applied", "dev/b": "blocked"}
    assert (
        "dev/b" not in states(repo)
        or b"bad" not in (repo.root / "infra/envs/dev/b/terraform.tfstate").read_bytes()
    )


READS_BAD = READS.replace("data.terraform_remote_state.a.outputs.x", '"bad"') + (
    'resource "terraform_data" "z" {\n  input = data.terraform_remote_state.a.outputs.x\n}\n'
)

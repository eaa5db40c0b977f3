"""`infra lint` on real Terraform: each finding at its line, mended where it can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra, InfraResult
from tests.support.repo import Repo
from tests.support.schemas import check_schema

MODULE = """\
variable "name" {
  description = "The name."
  type        = string

  validation {
    condition     = var.name != ""
    error_message = "Give a name."
  }
}

resource "terraform_data" "this" {
  input = var.name
}
"""
README = """\
# m

<!-- inputs -->
| Name | Description | Type | Default |
|---|---|---|---|
| `name` | The name. | `string` | required |
<!-- /inputs -->
"""
STACK = """\
module "m" {
  source = "../../../modules/m"

  name = "x"
}
"""
FILES = {
    "infra/modules/m/main.tf": MODULE,
    "infra/modules/m/README.md": README,
    "infra/envs/dev/net/main.tf": STACK,
}


PUBLIC = """\
locals {
  everybody = "allUsers"
}
"""
IGNORE = """
lint:
  ignore:
    - {rule: public-principal, path: infra/envs/dev/**, reason: A site.}
"""
REQUIRED = """
terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 7.0" }
  }
}
"""


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def locations(ran: InfraResult) -> list[tuple[str, str, int]]:
    """Rule, file and line of every finding."""
    return [(finding["rule"], finding["file"], finding["line"]) for finding in ran.document["findings"]]


def test_good_code_has_no_findings(repo: Repo, infra: Infra) -> None:
    assert infra("lint", "--strict", code=0).out == "0 errors, 0 warnings, 0 notes.\n"
    assert repo.status == "", "the checkout got something of Terraform's"


def test_each_kind_of_finding_has_file_line_and_fix(repo: Repo, infra: Infra) -> None:
    repo.write(
        {
            "infra/modules/m/outputs.tf": 'output "id" {\n  value=terraform_data.this.id\n}\n',
            "infra/modules/m/README.md": README.replace("The name.", "Old."),
            "infra/envs/dev/net/main.tf": STACK.replace('\n  name = "x"\n', "") + PUBLIC,
            "infra/envs/dev/net/terraform.tfvars": 'db_password = "hunter2"\n',
        }
    )

    ran = infra("lint", "--json", code=1)
    check_schema(ran.document, "lint")

    assert locations(ran) == [
        ("terraform", "infra/envs/dev/net/main.tf", 1),
        ("public-principal", "infra/envs/dev/net/main.tf", 5),
        ("secret-in-tfvars", "infra/envs/dev/net/terraform.tfvars", 1),
        ("stale-readme", "infra/modules/m/README.md", 3),
        ("fmt", "infra/modules/m/outputs.tf", 2),
        ("no-description", "infra/modules/m/outputs.tf", 1),
    ]
    assert all(finding["advice"] for finding in ran.document["findings"])
    assert len(ran.document["errors"]) == 5
    assert "hunter2" not in ran.out


def test_a_file_that_does_not_parse_is_a_finding(repo: Repo, infra: Infra) -> None:
    """`terraform fmt` gives up then; the other rules go on."""
    repo.commit({"infra/envs/dev/net/main.tf": STACK + "version x\n"})
    rules = {rule for rule, _, _ in locations(infra("lint", "--json", code=1))}
    assert {"fmt", "syntax", "terraform"} <= rules


def test_what_can_be_repaired_is(repo: Repo, infra: Infra) -> None:
    repo.commit(
        {
            "infra/modules/m/main.tf": MODULE.replace("type        =", "type ="),
            "infra/modules/m/README.md": README.replace("The name.", "Old."),
        }
    )

    ran = infra("lint", "--fix", code=0)

    assert ran.err.splitlines() == ["fixed infra/modules/m/README.md", "fixed infra/modules/m/main.tf"]
    assert (repo.root / "infra/modules/m/main.tf").read_text() == MODULE
    assert (repo.root / "infra/modules/m/README.md").read_text() == README


def test_infra_yaml_accepts_with_a_reason(repo: Repo, infra: Infra) -> None:
    repo.write(
        {
            "infra/envs/dev/net/main.tf": STACK.replace('"x"', '"allUsers"'),
            "infra.yaml": IGNORE,
        }
    )

    ran = infra("lint", "--json", "--sarif", "out/lint.sarif", code=0)

    assert locations(ran) == []
    (accepted,) = ran.document["accepted"]
    assert (accepted["rule"], accepted["line"], accepted["reason"]) == ("public-principal", 4, "A site.")
    (result,) = sarif(repo.root / "out/lint.sarif")
    assert result["suppressions"][0]["justification"] == "A site."

    repo.write({"infra.yaml": "lint:\n  ignore:\n    - {rule: fmt}\n"})
    error = infra("lint", "--json", code=3).document["errors"][0]
    assert (error["line"], error["key"], error["message"]) == (3, "lint.ignore[0].reason", "is missing")


def sarif(path: Path) -> list[dict[str, Any]]:
    """The results in a SARIF file."""
    results: list[dict[str, Any]] = json.loads(path.read_text())["runs"][0]["results"]
    return results


def test_warnings_fail_only_when_strict(repo: Repo, infra: Infra) -> None:
    repo.write({"infra/modules/m/more.tf": 'output "x" {\n  value = 1\n}\n'})

    assert "1 warning" in infra("lint", code=0).out
    infra("lint", "--strict", code=1)


def test_providers_are_simulated_or_must_be_reached(repo: Repo, infra: Infra) -> None:
    pytest.importorskip("grpc")
    topic = 'resource "google_pubsub_topic" "t" {\n  nam = "x"\n}\n'
    repo.write({"infra/modules/m/topic.tf": REQUIRED + topic})

    unreached = infra("lint", "--json", code=1).document["findings"]
    assert {finding["rule"] for finding in unreached if finding["severity"] == "error"} == {"not-validated"}
    assert "infra lint --simulated" in unreached[0]["advice"]
    simulated = infra("lint", "--simulated", "--json", code=1)
    assert ("terraform", "infra/modules/m/topic.tf", 7) in locations(simulated)
    assert "not-validated" not in {rule for rule, _, _ in locations(simulated)}


def test_in_a_job_the_findings_stand_beside_the_code(repo: Repo, tmp_path: Path) -> None:
    repo.write({"infra/modules/m/more.tf": 'output "x" {\n  value = 1\n}\n'})
    summary = tmp_path / "summary.md"
    actions = Infra(repo.root, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})

    ran = actions("lint", code=0)

    assert "::warning file=infra/modules/m/more.tf,line=1,title=no-description::" in ran.err
    assert "| warning | infra/modules/m/more.tf:1 |" in summary.read_text()

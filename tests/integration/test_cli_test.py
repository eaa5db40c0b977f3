"""`infra test` and `infra new` on real Terraform, with simulated providers, and results that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra, InfraResult
from tests.support.repo import Repo
from tests.support.schemas import check_schema

MODULE = """
variable "name" {
  type = string
}
resource "terraform_data" "this" {
  input = var.name
}
output "name" {
  value = terraform_data.this.output
}
"""
GOOD = """
variables {
  name = "a"
}
run "named" {
  assert {
    condition     = output.name == "a"
    error_message = "It has its name."
  }
}
"""
BAD = """
variables {
  name = "a"
}

run "wrong" {
  assert {
    condition     = output.name == "b"
    error_message = "It is not b."
  }
}

run "right" {
  assert {
    condition     = output.name != ""
    error_message = "m"
  }
}
"""
HOLLOW = 'variables {\n  name = "a"\n}\nrun "only" {\n  command = plan\n}\n'
GOOGLE = """
terraform {
  required_providers {
    google = { source = "hashicorp/google", version = ">= 7" }
  }
}
resource "google_pubsub_topic" "this" {
  name    = "events"
  project = "p"
}
"""
FILES = {
    "infra/modules/good/main.tf": MODULE,
    "infra/modules/good/tests/good.tftest.hcl": GOOD,
    "infra/modules/bare/main.tf": MODULE,
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def results(ran: InfraResult) -> dict[str, str]:
    """Module → result."""
    return {
        module["id"].removeprefix("infra/modules/"): module["result"] for module in ran.document["modules"]
    }


def cached_modules(ran: InfraResult) -> set[str]:
    """The modules whose result is an earlier one."""
    return {
        module["id"].removeprefix("infra/modules/") for module in ran.document["modules"] if module["cached"]
    }


def test_a_result_is_saved_until_the_content_changes(repo: Repo, infra: Infra) -> None:
    first = infra("test", "good", "--json", code=0)
    check_schema(first.document, "test")
    assert (results(first), cached_modules(first)) == ({"good": "passed"}, set())
    (run,) = first.document["modules"][0]["runs"]
    assert (run["name"], run["status"], run["line"]) == ("named", "pass", 4)
    assert repo.status == "", "the checkout got something of Terraform's"

    assert cached_modules(infra("test", "good", "--json", code=0)) == {"good"}
    assert cached_modules(infra("test", "good", "--again", "--json", code=0)) == set()
    repo.write({"infra/modules/good/main.tf": MODULE + "# more\n"})
    assert cached_modules(infra("test", "good", "--json", code=0)) == set()


def test_without_a_name_what_differs_from_trunk_is_tested(repo: Repo, infra: Infra) -> None:
    assert "no module differs from trunk" in infra("test", code=0).out
    repo.branch("work")
    repo.write({"infra/modules/good/tests/more.tftest.hcl": GOOD.replace("named", "again")})

    assert results(infra("test", "--json", code=0)) == {"good": "passed"}


def test_a_failure_is_reported_everywhere(repo: Repo, tmp_path: Path) -> None:
    repo.write({"infra/modules/good/tests/bad.tftest.hcl": BAD})
    summary = tmp_path / "summary.md"
    actions = Infra(repo.root, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})

    ran = actions("test", "good", "--junit", "out/junit.xml", code=1)

    file = "infra/modules/good/tests/bad.tftest.hcl"
    assert "2 of 3 passed" in ran.out
    assert f"{file}:5: run 'wrong': fail" in ran.out
    assert f"{file}:7: Test assertion failed" in ran.out
    assert (
        f"::error file={file},line=7,title=infra/modules/good::Test assertion failed%0AIt is not b."
        in ran.err
    )
    assert "It is not b." in summary.read_text()
    suites = ElementTree.parse(repo.root / "out/junit.xml").getroot()  # noqa: S314 - our own text
    assert (suites.attrib["tests"], suites.attrib["failures"]) == ("3", "1")
    # What failed is not kept: it is run again.
    assert cached_modules(actions("test", "good", "--json", code=1)) == set()


def test_no_tests_and_tests_that_assert_nothing_are_not_passed(repo: Repo, infra: Infra) -> None:
    repo.write(
        {
            "infra.yaml": "test: {required: true}\n",
            "infra/modules/hollow/main.tf": MODULE,
            "infra/modules/hollow/tests/hollow.tftest.hcl": HOLLOW,
            "infra/modules/broken/main.tf": MODULE,
            "infra/modules/broken/tests/broken.tftest.hcl": 'run "x" {\n',
        }
    )

    ran = infra("test", "--all", "--json", code=1)

    assert results(ran) == {"bare": "untested", "broken": "failed", "good": "passed", "hollow": "hollow"}
    errors = {error["message"]: error for error in ran.document["errors"]}
    assert "infra/modules/bare: it has no tests" in errors
    hollow = errors["infra/modules/hollow: tests/hollow.tftest.hcl asserts nothing"]
    assert (hollow["file"], hollow["line"]) == ("infra/modules/hollow/tests/hollow.tftest.hcl", 4)


def test_providers_are_simulated_in_a_world_of_each_module_s_own(repo: Repo, infra: Infra) -> None:
    pytest.importorskip("grpc")
    test = 'run "made" {\n  assert {\n    condition     = %s\n    error_message = "m"\n  }\n}\n'
    for name in ("one", "two"):
        # Both make a topic of one name: in one world the second would be refused.
        repo.write(
            {
                f"infra/modules/{name}/main.tf": GOOGLE,
                f"infra/modules/{name}/tests/a.tftest.hcl": test
                % 'google_pubsub_topic.this.id == "projects/p/topics/events"',
            }
        )

    ran = infra("test", "one", "two", "--simulated", code=0)

    assert "2 modules, 2 runs: 2 passed" in ran.out
    assert "defaults and checks that only a provider, or its cloud, makes are not covered" in ran.out
    assert cached_modules(infra("test", "one", "--simulated", "--json", code=0)) == {"one"}


def test_a_provider_without_a_recorded_schema_is_one_clear_error(repo: Repo, infra: Infra) -> None:
    pytest.importorskip("grpc")
    repo.write({"infra/modules/aws/main.tf": 'resource "aws_s3_bucket" "b" {}\n'})

    ran = infra("test", "aws", "--simulated", "--json", code=1)

    (error,) = ran.document["errors"]
    assert error["message"] == "There is no recorded schema of registry.terraform.io/hashicorp/aws."
    assert "infra sandbox record" in error["advice"]


def test_a_registry_out_of_reach_fails_the_module(repo: Repo, infra: Infra) -> None:
    repo.write(
        {
            "infra/modules/one/main.tf": GOOGLE.replace("hashicorp", "acme"),
            "infra/modules/one/a.tftest.hcl": GOOD,
        }
    )

    ran = infra("test", "one", "--json", code=1)

    assert results(ran) == {"one": "failed"}
    assert ran.document["modules"][0]["reason"].startswith("init failed:")


def test_input_variables_of_this_machine_do_not_reach_the_tests(repo: Repo) -> None:
    infra = Infra(repo.root, {"TF_VAR_name": "from-outside"})

    infra("test", "good", code=0)


def test_a_new_module_passes_its_test_and_the_linter(repo: Repo, infra: Infra) -> None:
    repo.commit({"infra/envs/dev/net/main.tf": 'resource "terraform_data" "x" {}\n'})
    repo.branch("work")

    lines = infra("new", "module", "my-service", code=0).out.splitlines()
    assert "infra/modules/my-service/tests/my_service.tftest.hcl" in lines
    assert results(infra("test", "--json", code=0)) == {"my-service": "passed"}
    findings = infra("lint", "--json").document["findings"]
    ours = [finding for finding in findings if finding["file"].startswith("infra/modules/my-service")]
    assert {finding["rule"] for finding in ours} <= {"module-unused"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("good", "infra/modules/good exists already"),
        ("My_Module", "cannot be a module's name"),
        ("../x", "cannot be a module's name"),
        ("a" * 3 + "-", "cannot be a module's name"),
    ],
)
def test_a_new_module_needs_a_name_of_its_own(repo: Repo, infra: Infra, name: str, message: str) -> None:
    assert message in infra("new", "module", name, code=3).err
    assert repo.status == ""


def test_names_and_files_that_are_wrong_are_reported(infra: Infra) -> None:
    assert "Did you mean good?" in infra("test", "god", code=3).err
    error = json.loads(infra("test", "god", "--json", code=3).out)["errors"][0]
    assert error["class"] == "UsageError"

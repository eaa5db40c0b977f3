"""Guard and policy on a pull request: what is told, and what lets it pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ci import CiProject, running
from tests.support.recorded_stack import CONFIG, FILES

pytestmark = pytest.mark.usefixtures("terraform_argv")

REGO = """
package main
deny contains "It is called two." if input.resource_changes[_].change.after.input == "two"
"""
RULES = CONFIG + "guard: {prevent: [workflows]}\n"


@pytest.fixture
def ci(steady_path: Path) -> Iterator[CiProject]:
    with running(steady_path, files={**FILES, "infra.yaml": RULES, "policies/main.rego": REGO}) as project:
        yield project


def test_changed_rules_are_reported_where_nothing_is_planned(ci: CiProject) -> None:
    number = ci.change({"policies/main.rego": "package main\n"}, branch="policy")
    ci.job(number)("ci", "plan", code=0)
    assert "This changes a policy" in ci.body(number)
    number = ci.change({".github/workflows/x.yml": "on: push\n"}, branch="workflow")
    ci.job(number)("ci", "plan", code=4)
    assert "prevent: [workflows]" in ci.body(number)


def test_rego_of_trunk_counts_and_not_the_branch_s(ci: CiProject) -> None:
    files = {
        "infra/envs/dev/net/main.tf": FILES["infra/envs/dev/net/main.tf"].replace("one", "two"),
        "policies/main.rego": "package main\n",
    }
    number = ci.change(files)
    job = ci.job(number)
    job("ci", "plan", "--env", "dev", "--sarif", "infra.sarif", code=4)
    assert "It is called two." in ci.body(number)
    (run,) = json.loads((job.root / "infra.sarif").read_text())["runs"]
    rule_results = {
        result["ruleId"]: (result["level"], result["message"]["text"]) for result in run["results"]
    }
    assert rule_results["rego"][0] == "error"
    assert rule_results["rego"][1].startswith("It is called two.")
    assert ci.conclusions(number)["infra/dev"] == "failure"

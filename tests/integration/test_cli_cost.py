"""`infra plan` with `cost: infracost`, on real Terraform; and what the workflows give to infracost."""

from __future__ import annotations

import json
import os
from pathlib import Path

from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema
from tests.support.workflows import SOURCE, read_yaml

MAIN = 'resource "terraform_data" "x" {\n  input = "one"\n}\n'
# Answers for dev only, and says what it sees.
PROGRAM = """#!/bin/sh
env >> "$0.seen"
if grep -q '"two"' plan.json; then echo "Error: the key $INFRACOST_API_KEY is wrong" >&2; exit 1; fi
echo '{"currency": "USD", "projects": [], "diffTotalMonthlyCost": "12.5", "summary": {}}'
"""


def test_a_plan_shows_what_it_costs(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(
        {
            ".gitignore": "*.tfstate*\n.terraform*\n",
            "infra.yaml": "environments: {dev: {}, prod: {}}\ncost: infracost\n",
            "infra/envs/dev/a/main.tf": MAIN,
            "infra/envs/prod/a/main.tf": MAIN.replace("one", "two"),
        }
    )
    program = tmp_path / "tools" / "infracost"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    # One of the checkout must never run.
    (repo.root / "infracost").write_text("#!/bin/sh\ntouch ran\n")
    (repo.root / "infracost").chmod(0o755)
    env = {
        "PATH": f"{repo.root}:{program.parent}:{os.environ['PATH']}",
        "INFRACOST_API_KEY": "ico-5f0c2b9e7d",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.token",
    }
    infra = Infra(repo.root, env)
    document = infra("plan", "--all", "--json").document
    check_schema(document, "run")
    dev, prod = (stack["cost"] for stack in document["stacks"])
    assert (dev["monthly_difference"], dev["currency"]) == (12.5, "USD")
    assert prod["monthly_difference"] is None
    assert prod["problem"].startswith("infracost failed: Error: the key")
    assert "ico-5f0c2b9e7d" not in json.dumps(document)
    assert [(cost["environment"], cost["monthly_difference"]) for cost in document["costs"]] == [
        ("dev", 12.5),
        ("prod", None),
    ]
    seen = (program.parent / "infracost.seen").read_text()
    assert "INFRACOST_API_KEY=ico-5f0c2b9e7d" in seen
    assert "ya29.token" not in seen
    assert not (repo.root / "ran").exists()
    assert (
        "Monthly cost: dev +12.50 USD; prod not known: prod/a: infracost failed" in infra("plan", "--all").out
    )


def test_only_the_step_that_plans_gets_the_key() -> None:
    files = {
        path.rsplit("/", 1)[-1]: read_yaml(text)
        for path, text in render(
            WorkflowTarget("a/b", "main", ("dev", "prod"), estimates_cost=True), SOURCE
        ).items()
    }
    steps = [
        (name, job_name, step.get("name"))
        for name, workflow in files.items()
        for job_name, job in workflow["jobs"].items()
        for step in job.get("steps", ())
        if "INFRACOST_API_KEY" in json.dumps(step)
    ]
    assert steps == [(f"infra-plan-{name}.yml", "plan", "Plan") for name in ("dev", "prod")]
    calls = [
        job_name
        for workflow in files.values()
        for job_name, job in workflow["jobs"].items()
        if "INFRACOST_API_KEY" in json.dumps(job.get("secrets", {}))
    ]
    assert calls == ["plan-dev", "plan-prod"]
    (setup,) = [
        step
        for step in files["infra-plan-dev.yml"]["jobs"]["plan"]["steps"]
        if "infracost" in str(step.get("uses"))
    ]
    assert setup["with"] == {"version": "0.10.45"}

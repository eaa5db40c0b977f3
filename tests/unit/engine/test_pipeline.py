"""When planning starts no stack any more."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.cli import affected
from orchestrator.config import load_text
from orchestrator.engine.failures import not_started
from orchestrator.engine.pipeline import LAST_START, RunRequest, plan_all
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.forge.github import workflows
from orchestrator.repository.loading import load
from orchestrator.review.pull_request import plan_part as planning
from tests.conftest import MakeRepo

STACK = 'resource "terraform_data" "x" {}\n'


def session_that_began(make_repo: MakeRepo, seconds_ago: float) -> Session:
    repo = make_repo({"infra/envs/dev/a/main.tf": STACK, "infra/envs/dev/b/main.tf": STACK})
    session = open_session(load(repo.root), {**os.environ, "PATH": ""}, SilentProgress())
    return replace(session, context=replace(session.context, began=time.monotonic() - seconds_ago))


def test_no_stack_is_started_when_the_credentials_of_the_job_end_soon(make_repo: MakeRepo) -> None:
    """An impersonated token lives for an hour; what is left must do for the plans that are running."""
    assert LAST_START == 3000
    session = session_that_began(make_repo, LAST_START + 1)
    planned = plan_all(session, RunRequest(("dev/a", "dev/b"), last_start=LAST_START))
    assert {id_: plan.report.result for id_, plan in planned.items()} == {
        "dev/a": "unchecked",
        "dev/b": "unchecked",
    }
    report = planned["dev/a"].report
    assert report.reason.startswith("50 minutes of the job were over before its turn came")
    assert session.context.report("plan", [report]).exit_code == 1


def test_the_advice_names_what_exists(make_repo: MakeRepo) -> None:
    session = session_that_began(make_repo, LAST_START + 1)
    advice = not_started(session.context.project.stacks["dev/a"], LAST_START).report.advice
    assert advice == (
        "Run the job again. To plan more at once, raise `environments.dev.parallelism` in infra.yaml; to "
        "spread a pull request over more jobs, add `--shards N` to `infra affected --matrix` in "
        "infra-affected.yml."
    )
    assert load_text("version: 1\nenvironments: {dev: {parallelism: 8}}").environments["dev"].parallelism == 8
    assert {"--matrix", "--shards"} <= {name for option in affected.command.params for name in option.opts}
    template = Path(workflows.__file__).with_name("affected.yml")
    assert "infra affected --matrix" in template.read_text()


def test_the_jobs_of_a_pull_request_have_that_limit(make_repo: MakeRepo) -> None:
    session = session_that_began(make_repo, LAST_START + 1)
    (planned,) = planning.plan_valid_stacks(session, ["dev/a"]).values()
    assert planned.report.reason.startswith("50 minutes")

"""Messages end to end: of the job that comments, of `infra notify`, of no job that runs Terraform."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load_text
from orchestrator.config.notify import NotifyChannel
from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.report.model import StackReport
from orchestrator.report.rollout import StackResult
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.results import RolloutFacts, build_result, write_result
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.github import ServedGitHub
from tests.support.schemas import check_schema
from tests.support.webhooks import receiving
from tests.support.workflows import SOURCE, read_yaml

CONFIG = """version: 1
backend:
  gcs: {bucket: states}
notify:
  operations: {kind: slack, url_variable: CHAT_URL, owners: ["@bert"]}
  audit: {kind: webhook, url_variable: AUDIT_URL, secret_variable: AUDIT_KEY, events: [rollout_failed]}
"""
STACK = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": CONFIG,
    "infra/envs/dev/net/main.tf": STACK,
    "infra/envs/prod/net/main.tf": STACK,
    ".github/CODEOWNERS": "* @olga\n/infra/envs/prod/ @bert\n",
}


@pytest.fixture
def github(tmp_path: Path) -> Any:
    with ServedGitHub(tmp_path / "github", files=FILES) as server:
        yield server


def comment(github: ServedGitHub, folder: Path, environment: str, **variables: str) -> Any:
    """`infra ci comment` after an apply that failed."""
    trunk = github.trunk
    facts = RolloutFacts("acme/infra", "main", trunk, "8813-1", "", ("dev", "prod"))
    result = replace(
        build_result(facts, EnvironmentRun(environment)),
        state="failed",
        reason="the bucket is gone",
        stacks=(StackResult(StackReport(f"{environment}/net", environment, "failed")),),
    )
    write_result(folder / environment / f"infra-apply-{environment}", result)
    token = github.token(pull_requests="write", statuses="write", deployments="write")
    env = {**github.environ(token, "push"), **variables}
    return Infra(github.work.root, env)("ci", "comment", str(folder / environment), "--json")


def test_a_rollout_is_sent_to_the_channels_that_ask_for_it(github: ServedGitHub, tmp_path: Path) -> None:
    with receiving() as chat, receiving() as audit:
        variables = {"CHAT_URL": chat.url, "AUDIT_URL": audit.url, "AUDIT_KEY": "k"}
        assert comment(github, tmp_path, "dev", **variables).document["unsent"] == []
        assert (len(chat.requests), len(audit.requests)) == (0, 1)
        (notification,) = json.loads(audit.bodies[0])["notifications"]
        assert notification["event"] == "rollout_failed"
        assert notification["details"] == ["the bucket is gone"]


def test_a_message_that_is_not_sent_is_a_warning_and_no_failure(github: ServedGitHub, tmp_path: Path) -> None:
    with receiving([(302, {"Location": "http://127.0.0.1:9/x"})]) as audit:
        ran = comment(github, tmp_path, "dev", AUDIT_URL=audit.url, AUDIT_KEY="k")
        (problem,) = ran.document["unsent"]
        assert "redirect" in problem
        assert f"warning: {problem}" in ran.err
        assert audit.url not in ran.out + ran.err
        assert ran.document["unpublished"] == []


def test_the_command_shows_channels_and_tests_them(make_repo: MakeRepo) -> None:
    root = make_repo(FILES).root
    with receiving() as chat, receiving([(500, {})]) as audit:
        env = {"CHAT_URL": chat.url, "AUDIT_URL": audit.url}
        document = Infra(root, env)("notify", "--json").document
        check_schema(document, "notify")
        assert [channel["unset"] for channel in document["channels"]] == [[], ["AUDIT_KEY"]]
        assert (
            "audit: webhook, AUDIT_URL, AUDIT_KEY; not set here: AUDIT_KEY" in Infra(root, env)("notify").out
        )
        tested = Infra(root, {**env, "AUDIT_KEY": "k"})("notify", "--test", "--json", code=1).document
        check_schema(tested, "notify")
        assert [each["result"] for each in tested["deliveries"]] == ["sent", "failed"]
        assert Infra(root, env)("notify", "--test", "operations").out == "operations: sent\n"
        assert "There is no channel nobody." in Infra(root, env)("notify", "nobody", code=3).err


def test_workflows_give_the_secrets_to_jobs_that_hold_no_account() -> None:
    names = load_text(CONFIG).notify_variables
    target = WorkflowTarget("a/b", "main", ("dev", "prod"), notify_variables=names)
    jobs = {
        f"{path.rsplit('/', 1)[-1]}:{name}": job
        for path, text in render(target, SOURCE).items()
        for name, job in read_yaml(text)["jobs"].items()
    }
    holders = {name for name, job in jobs.items() if "AUDIT_KEY" in json.dumps(job)}
    assert holders == {
        "infra-apply.yml:ask-dev",
        "infra-apply.yml:tell-dev",
        "infra-apply.yml:ask-prod",
        "infra-apply.yml:tell-prod",
        "infra-drift.yml:tell",
    }
    assert not any("id-token" in jobs[name]["permissions"] for name in holders)
    assert "AUDIT_KEY" not in json.dumps([job.get("secrets") for job in jobs.values()])


def test_no_secret_replaces_a_variable_that_a_step_sets() -> None:
    """A name twice in `env` is no workflow, and which value counts would be open."""
    target = WorkflowTarget("a/b", "main", ("dev", "prod"), notify_variables=("CHAT_URL",))
    names = {
        name
        for text in render(target, SOURCE).values()
        for job in read_yaml(text)["jobs"].values()
        for step in job.get("steps", ())
        if "CHAT_URL" in step.get("env", {})
        for name in step["env"]
    } - {"CHAT_URL"}
    assert "PENDING" in names
    for name in names:
        with pytest.raises(ValueError, match="give the secret its own name"):
            NotifyChannel("slack", name)

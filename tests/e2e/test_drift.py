"""Drift on the workflows that ship: act runs them, resources are edited, the issue reports it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.sandbox.needs import RIGHTS
from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.sandbox.world import World
from tests.support import warm, workflows
from tests.support.ci import BUCKET, CiProject, account, running
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.scheduled_checks import HEAD

pytestmark = pytest.mark.usefixtures("terraform_argv")

TARGET = WorkflowTarget("acme/infra", "main", ("dev",))
DURATION = "message_retention_duration"
TOPIC = """
resource "google_pubsub_topic" "{name}" {{
  name                       = "{name}"
  message_retention_duration = "600s"
}}
"""
SETTINGS = """version: 1
trunk: main
backend:
  gcs: {bucket: states}
environments:
  dev: {accounts: {drift: dev-drift@p.iam.gserviceaccount.com, apply: dev-apply@p.iam.gserviceaccount.com}}
drift:
  actions:
    dev: {reverted: revert}
  limits: {addresses: ["*.events"]}
"""


@dataclass
class DriftStory:
    """GitHub, the bucket, the world, and trunk's workflows."""

    ci: CiProject
    world: World
    attached: str
    programs: Path

    @property
    def env(self) -> dict[str, str]:
        """What every `infra` here needs besides its account's port."""
        return {"TF_REATTACH_PROVIDERS": self.attached, "INFRA_SANDBOX": "test"}

    def apply(self) -> None:
        """Apply everything, as the owner of everything."""
        env = {**self.env, "STORAGE_EMULATOR_HOST": self.ci.recorded.server.url}
        Infra(self.ci.recorded.repo.root, env)("apply", "--all", "--auto-approve", "--confirm", "dev", code=0)

    def run(self, kind: str, workflow: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """One run of a workflow at trunk, each job with a token that may do what its permissions say."""
        github, folder = self.ci.github, self.ci.checkout(self.ci.github.trunk)
        Repo(folder).git("remote", "set-url", "origin", "https://github.com/acme/infra.git")
        rights = workflows.permissions(TARGET)
        tokens = {secret: github.token(**may) for secret, may in rights.items()}
        env = {
            **self.env,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.url,
            "GITHUB_TOKEN": "none",
            **{f"PORT_dev_{use}": self.ci.recorded.server.url_of(account("dev", use)) for use in RIGHTS},
        }
        work = folder.with_name(f"{folder.name}-act")
        work.mkdir()
        jobs = workflows.Workflows(
            folder, work, self.programs, TARGET.repository, env, tokens, str(github.bare)
        )
        event = json.loads(github.event_file(kind).read_text())
        return jobs.run(kind, workflow, event, inputs=inputs)


@pytest.fixture
def story(tmp_path: Path) -> Iterator[DriftStory]:
    """Two stacks, a topic each; the accounts have the rights that bootstrap gives them, and no other."""
    files = {
        "infra.yaml": SETTINGS,
        "infra/envs/dev/app/main.tf": HEAD + TOPIC.format(name="events"),
        "infra/envs/dev/shop/main.tf": HEAD + TOPIC.format(name="orders"),
        ".gitignore": ".infra\n",
    }
    programs = warm.programs(tmp_path / "programs")
    files |= workflows.files(TARGET, programs)
    provider, sentinel = ProviderServer(tmp_path / "worlds", RecordedSchemas()), Sentinel()
    provider.start()
    provider.serve_types("google", ["google_pubsub_topic"])
    try:
        with running(tmp_path, files=files) as ci:
            policies: dict[str, list[dict[str, Any]]] = {}
            for use in ("apply", "drift"):
                for folder, role in RIGHTS[use]:
                    binding = {"role": f"roles/storage.{role}", "members": [account("dev", use)]}
                    policies.setdefault(f"dev/{folder}", []).append(binding)
            for folder, bindings in policies.items():
                ci.recorded.server.store.insert_managed_folder(BUCKET, folder)
                ci.recorded.server.store.set_managed_folder_policy(BUCKET, folder, {"bindings": bindings})
            attached = reattach_config(provider.open("check"), sentinel.pid)
            yield DriftStory(ci, provider.world("check"), attached, programs)
    finally:
        provider.close()
        sentinel.close()


def test_what_changed_by_hand_has_an_issue_until_it_is_put_right(story: DriftStory) -> None:
    """Reported by a scheduled check; one drift is remediated by the workflow that it started, one by hand."""
    github, world = story.ci.github, story.world
    story.apply()
    for name in ("events", "orders"):
        world.set(name, DURATION, "900s")
    states = story.ci.objects("dev/state/")

    scheduled = story.run("schedule", "infra-drift.yml")
    # The job that checks fails where there is drift; act goes on, as GitHub does, by continue-on-error.
    assert scheduled.returncode == 0, scheduled.stdout + scheduled.stderr
    assert "Failure - Main Check" in scheduled.stdout
    issues = {issue.title: issue for issue in github.issues()}
    assert {title: issue.state for title, issue in issues.items()} == {
        "Drift in dev/app": "open",
        "Drift in dev/shop": "open",
    }
    app, shop = issues["Drift in dev/app"], issues["Drift in dev/shop"]
    assert app.author == "github-actions[bot]"
    assert f'{DURATION}: "600s" → "900s"' in app.body
    assert story.ci.objects("dev/state/") == states
    (dispatch,) = github.dispatches
    assert (dispatch.workflow, dispatch.inputs["environment"]) == ("infra-apply.yml", "dev")

    assert (
        "dev/shop google_pubsub_topic.orders: `drift.limits.addresses` does not name it" in scheduled.stdout
    )

    day = story.run("workflow_dispatch", "infra-apply.yml", **dispatch.inputs)
    assert day.returncode == 0, day.stdout + day.stderr
    # The other one infra.yaml leaves to people.
    assert (world.get("events").attributes[DURATION], world.get("orders").attributes[DURATION]) == (
        *("600s", "900s"),
    )
    assert (app.state, shop.state) == ("closed", "open")
    assert "reverted by a remediation" in app.comments[-1].body
    assert shop.comments == []

    world.set("orders", DURATION, "600s")
    quiet = story.run("schedule", "infra-drift.yml")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    assert (app.state, shop.state) == ("closed", "closed")
    assert "fixed outside" in shop.comments[-1].body
    assert len(github.issues()) == 2

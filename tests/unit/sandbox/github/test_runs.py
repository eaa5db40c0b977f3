"""Jobs of runs: reviewers of environments, concurrency groups, attempts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.sandbox.github import runs
from orchestrator.sandbox.github.commit_shapes import workflow_id
from orchestrator.sandbox.github.control import event
from orchestrator.sandbox.github.errors import GitHubError
from orchestrator.sandbox.github.model import JobRecord, WorkflowRun
from tests.support.github import ServedGitHub


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGitHub]:
    """One server for all: each test has runs, and a concurrency group, of its own."""
    with ServedGitHub(tmp_path_factory.mktemp("runs")) as github_server:
        github_server.environment("prod-approval", reviewers=["bert"])
        github_server.environment("own-approval", reviewers=["bert"], prevent_self_review=True)
        github_server.environment("prod", branches=["main"])
        yield github_server


@pytest.fixture
def repository(served: ServedGitHub) -> Iterator[Any]:
    with served.locked_repository as repository_service:
        yield repository_service


def run(repository: Any, actor: str = "ada", branch: str = "main") -> WorkflowRun:
    commit = repository.git.heads()["main"]
    return runs.start_run(repository, "infra-apply.yml", "push", branch, commit, actor)


def test_a_job_waits_for_a_reviewer_of_its_environment(repository: Any) -> None:
    first = run(repository)
    job = runs.start_job(repository, first.id, "gate", environment="prod-approval")
    assert job.status == "waiting"
    for by in ("ada", "olga"):
        with pytest.raises(GitHubError, match="no required reviewer"):
            runs.review_run(repository, first.id, "prod-approval", by)
    runs.review_run(repository, first.id, "prod-approval", "bert", comment="Fine.")
    assert job.status == "in_progress"
    with pytest.raises(GitHubError, match="No pending deployment"):
        runs.review_run(repository, first.id, "prod-approval", "bert")


def test_a_rejected_job_fails(repository: Any) -> None:
    first = run(repository)
    job = runs.start_job(repository, first.id, "gate", environment="prod-approval")
    runs.review_run(repository, first.id, "prod-approval", "bert", state="rejected")
    assert (job.status, job.conclusion) == ("completed", "failure")


def test_nobody_reviews_an_own_run_where_that_is_prevented(repository: Any) -> None:
    own = run(repository, "bert")
    runs.start_job(repository, own.id, "gate", environment="own-approval")
    with pytest.raises(GitHubError, match="no required reviewer"):
        runs.review_run(repository, own.id, "own-approval", "bert")


def test_a_bypass_leaves_no_approval(repository: Any) -> None:
    first = run(repository)
    job = runs.start_job(repository, first.id, "gate", environment="prod-approval")
    with pytest.raises(GitHubError, match="no administrator"):
        runs.bypass(repository, first.id, "prod-approval", "bert")
    runs.bypass(repository, first.id, "prod-approval", "olga")
    assert (job.status, first.approvals) == ("in_progress", [])


def test_an_environment_takes_jobs_of_its_branches(repository: Any) -> None:
    job = runs.start_job(repository, run(repository, branch="feature").id, "apply", environment="prod")
    assert (job.status, job.conclusion) == ("completed", "failure")
    assert runs.start_job(repository, run(repository).id, "apply", environment="prod").status == "in_progress"


def started(repository: Any, group: str, queue: str, count: int = 3) -> list[tuple[WorkflowRun, JobRecord]]:
    started_jobs = []
    for _ in range(count):
        workflow_run = run(repository)
        started_jobs.append(
            (workflow_run, runs.start_job(repository, workflow_run.id, "apply", group=group, queue=queue))
        )
    return started_jobs


def test_jobs_of_a_group_that_queues_keep_their_turn(repository: Any) -> None:
    started_jobs = started(repository, "queues", "max")
    assert [job.status for _, job in started_jobs] == ["in_progress", "queued", "queued"]
    other = runs.start_job(repository, started_jobs[0][0].id, "apply", group="other", queue="max")
    assert other.status == "in_progress"
    for workflow_run, job in started_jobs:
        assert job.status == "in_progress"
        runs.finish_job(repository, workflow_run.id, job.id)
    assert [job.conclusion for _, job in started_jobs] == ["success"] * 3


def test_jobs_of_a_group_that_does_not_queue_are_dropped(repository: Any) -> None:
    started_jobs = started(repository, "drops", "single")
    assert [job.status for _, job in started_jobs] == ["in_progress", "completed", "queued"]
    assert started_jobs[1][1].conclusion == "cancelled"


def test_a_queue_has_an_end(repository: Any) -> None:
    started_jobs = started(repository, "long", "max", runs.QUEUE_LIMIT + 2)
    assert [job.conclusion for _, job in started_jobs] == [""] * (runs.QUEUE_LIMIT + 1) + ["cancelled"]


def test_a_job_that_waits_for_reviewers_holds_its_group(repository: Any) -> None:
    first, second = run(repository), run(repository)
    gate = runs.start_job(repository, first.id, "gate", environment="prod-approval", group="g", queue="max")
    apply = runs.start_job(repository, second.id, "apply", group="G", queue="max")
    assert (gate.status, apply.status) == ("waiting", "queued")
    runs.review_run(repository, first.id, "prod-approval", "bert", state="rejected")
    assert apply.status == "in_progress"


def test_another_attempt_starts_all_jobs_or_those_that_failed(repository: Any) -> None:
    first = run(repository)
    for name, conclusion in (("compare", "success"), ("apply", "failure")):
        runs.finish_job(repository, first.id, runs.start_job(repository, first.id, name).id, conclusion)
    runs.rerun(repository, first.id, failed_only=True)
    assert (first.attempt, [job.name for job in first.jobs]) == (2, ["compare"])
    runs.rerun(repository, first.id)
    assert (first.attempt, first.jobs) == (3, [])


def test_who_approved_a_run_is_reported(served: ServedGitHub) -> None:
    github = served
    with github.locked_repository as repository:
        first = run(repository)
        runs.start_job(repository, first.id, "gate", environment="prod-approval")
        runs.review_run(repository, first.id, "prod-approval", "bert", comment="Fine.")
    token, path = github.token(actions="read"), f"/actions/runs/{first.id}/approvals"
    status, _, documents = github.ask(token, "GET", path)
    assert status == 200
    assert [
        (document["state"], document["user"]["login"], document["comment"]) for document in documents
    ] == [("approved", "bert", "Fine.")]
    assert [environment["name"] for environment in documents[0]["environments"]] == ["prod-approval"]
    assert github.ask(token, "GET", "/actions/runs/1/approvals")[0] == 404
    assert github.ask(github.token(checks="read"), "GET", path)[0] == 403


def test_a_later_job_belongs_to_the_newest_run_of_its_event_and_commit(served: ServedGitHub) -> None:
    def started(kind: str, *, continues: bool) -> str:
        started_jobs = event(served.server, served.repository, kind, 0, "ada", continues=continues)
        return str(started_jobs["variables"]["GITHUB_RUN_ID"])

    first, second = started("push", continues=False), started("push", continues=False)
    assert first != second
    assert started("push", continues=True) == second
    other = started("schedule", continues=True)
    assert other not in (first, second)
    assert started("schedule", continues=True) == other


def test_the_workflow_of_a_listed_run_can_be_read(github: ServedGitHub, token: str) -> None:
    """A run of a branch may be of a workflow that trunk has not."""
    with github.locked_repository as repository:
        runs.start_run(
            repository, "new.yml", "pull_request", "feature", repository.git.heads()["main"], "ada"
        )
    listed = github.ask(token, "GET", "/actions/runs")[2]["workflow_runs"][0]
    status, _, workflow = github.ask(token, "GET", f"/actions/workflows/{listed['workflow_id']}")
    assert (status, workflow["path"]) == (200, listed["path"])
    assert github.ask(token, "POST", "/actions/workflows/new.yml/dispatches", {"ref": "main"})[0] == 404


def test_workflows_have_ids_of_their_own() -> None:
    assert workflow_id("ab.yml") != workflow_id("ba.yml")

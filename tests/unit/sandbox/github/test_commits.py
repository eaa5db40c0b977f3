"""Checks, statuses and deployments over the API."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.github import runs
from tests.support.github import ServedGitHub

REMARK = {
    "path": "a.tf",
    "start_line": 3,
    "end_line": 3,
    "annotation_level": "warning",
    "message": "Look",
}


def check(github: ServedGitHub, **more: Any) -> dict[str, Any]:
    """A check of trunk that went well."""
    return {"name": "infra", "head_sha": github.trunk, "conclusion": "success", **more}


def test_a_check_is_its_app_s(github: ServedGitHub, token: str) -> None:
    status, _, created = github.ask(token, "POST", "/check-runs", check(github, external_id="sha256:1"))

    assert status == 201
    assert (created["app"]["slug"], created["external_id"], created["status"]) == (
        "github-actions",
        "sha256:1",
        "completed",
    )
    other = github.token("infra[bot]", checks="write")
    assert github.ask(other, "PATCH", f"/check-runs/{created['id']}", {"conclusion": "failure"})[0] == 403
    assert github.ask(github.token("olga"), "POST", "/check-runs", check(github))[0] == 403
    assert [check.conclusion for check in github.checks(github.trunk)] == ["success"]


def test_a_check_by_the_api_is_in_the_first_suite_of_its_commit(github: ServedGitHub, token: str) -> None:
    """So nothing tells which workflow's job made it: that is why checks decide about nothing."""
    with github.locked_repository as repository_data:
        first, second = (
            runs.start_run(repository_data, name, "pull_request", "main", github.trunk, "ada").id
            for name in ("infra-plan.yml", "mine.yml")
        )
    _, _, created = github.ask(token, "POST", "/check-runs", check(github, name="infra/prod"))
    assert created["check_suite"]["id"] == first != second
    _, _, other = github.ask(github.token("infra[bot]", checks="write"), "POST", "/check-runs", check(github))
    assert other["check_suite"]["id"] not in (first, second)


def test_the_latest_check_of_a_name_hides_the_others_unless_requested(
    github: ServedGitHub, token: str
) -> None:
    for conclusion in ("failure", "success"):
        github.ask(token, "POST", "/check-runs", check(github, conclusion=conclusion))
    github.ask(token, "POST", "/check-runs", check(github, name="other"))

    def check_runs_of(query: str) -> list[tuple[str, str]]:
        _, _, documents = github.ask(token, "GET", f"/commits/{github.trunk}/check-runs?{query}")
        assert documents["total_count"] == len(documents["check_runs"])
        return [(check_run["name"], check_run["conclusion"]) for check_run in documents["check_runs"]]

    assert check_runs_of("") == [("other", "success"), ("infra", "success")]
    assert check_runs_of("filter=all&check_name=infra") == [("infra", "success"), ("infra", "failure")]


def test_annotations_come_in_fifties(github: ServedGitHub, token: str) -> None:
    output = {"title": "t", "summary": "s", "annotations": [REMARK] * 50}
    _, _, created = github.ask(token, "POST", "/check-runs", check(github, output=output))
    github.ask(token, "PATCH", f"/check-runs/{created['id']}", {"output": output})

    _, _, whole = github.ask(token, "GET", f"/check-runs/{created['id']}")
    assert whole["output"]["annotations_count"] == 100
    _, _, page = github.ask(token, "GET", f"/check-runs/{created['id']}/annotations?per_page=100")
    assert len(page) == 100

    output["annotations"] = [REMARK] * 51
    assert github.ask(token, "PATCH", f"/check-runs/{created['id']}", {"output": output})[0] == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"output": {"title": "t", "summary": "s" * 65_536}},
        {"output": {"title": "t", "summary": "s", "text": "s" * 65_536}},
        {"output": {"title": "t", "summary": "s", "annotations": [{**REMARK, "annotation_level": "loud"}]}},
        {"output": {"title": "t", "summary": "s", "annotations": [{**REMARK, "end_line": 1}]}},
        {"conclusion": "fine"},
        {"conclusion": "", "status": "completed"},
        {"head_sha": "0" * 40},
    ],
)
def test_what_is_no_check_is_refused(github: ServedGitHub, token: str, wrong: dict[str, Any]) -> None:
    assert github.ask(token, "POST", "/check-runs", check(github, **wrong))[0] == 422
    assert github.checks(github.trunk) == []


def test_the_latest_status_of_a_context_counts(github: ServedGitHub, token: str) -> None:
    path = f"/statuses/{github.trunk}"
    for context, state in (("a", "failure"), ("b", "success"), ("a", "success")):
        assert github.ask(token, "POST", path, {"context": context, "state": state})[0] == 201

    _, _, combined = github.ask(token, "GET", f"/commits/{github.trunk}/status")
    assert (combined["state"], combined["total_count"]) == ("success", 2)
    assert {name: status.state for name, status in github.statuses(github.trunk).items()} == {
        "a": "success",
        "b": "success",
    }
    assert len(github.ask(token, "GET", f"/commits/{github.trunk}/statuses")[2]) == 3
    long = {"context": "a", "state": "success", "description": "x" * 141}
    assert github.ask(token, "POST", path, long)[0] == 422


def test_a_deployment_goes_on_and_makes_the_one_before_inactive(github: ServedGitHub, token: str) -> None:
    ids = []
    for _ in range(2):
        body = {"ref": github.trunk, "environment": "dev", "required_contexts": [], "auto_merge": False}
        _, _, created = github.ask(token, "POST", "/deployments", body)
        ids.append(created["id"])
        for state in ("in_progress", "success"):
            path = f"/deployments/{created['id']}/statuses"
            assert github.ask(token, "POST", path, {"state": state, "log_url": "http://x/run"})[0] == 201

    assert [[status.state for status in deployment.statuses] for deployment in github.deployments()] == [
        ["in_progress", "success", "inactive"],
        ["in_progress", "success"],
    ]
    _, _, listed = github.ask(token, "GET", "/deployments?environment=dev")
    assert [document["id"] for document in listed] == ids[::-1]
    assert github.ask(token, "GET", "/deployments?environment=prod")[2] == []
    _, _, statuses = github.ask(token, "GET", f"/deployments/{ids[1]}/statuses")
    assert (statuses[0]["state"], statuses[0]["log_url"]) == ("success", "http://x/run")


def test_a_deployment_waits_for_the_statuses_of_its_commit(github: ServedGitHub, token: str) -> None:
    github.ask(token, "POST", f"/statuses/{github.trunk}", {"context": "a", "state": "failure"})

    assert github.ask(token, "POST", "/deployments", {"ref": "main"})[0] == 409
    assert github.ask(token, "POST", "/deployments", {"ref": "main", "required_contexts": []})[0] == 201
    assert github.ask(token, "POST", "/deployments", {"ref": "gone", "required_contexts": []})[0] == 422


def test_a_commit_on_trunk_belongs_to_what_brought_it(github: ServedGitHub, token: str) -> None:
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature")
    _, _, before = github.ask(token, "GET", f"/commits/{head}/pulls")
    merged = github.merge(number)
    other = github.commit("main", {"b.tf": "1\n"})

    def belongs(commit: str) -> list[int]:
        return [document["number"] for document in github.ask(token, "GET", f"/commits/{commit}/pulls")[2]]

    assert [document["number"] for document in before] == [number]
    assert belongs(merged) == belongs(head) == [number]
    assert belongs(other) == []
    assert github.ask(token, "GET", "/commits/ffffffffffffffffffffffffffffffffffffffff/pulls")[0] == 422

"""Branches, files, references, environments, rules, workflows: what `doctor` and the rest look at."""

from __future__ import annotations

import base64
import threading

import pytest

from tests.support.github import ServedGitHub


def test_a_file_and_a_folder_are_read(github: ServedGitHub, token: str) -> None:
    commit = github.commit("main", {".github/CODEOWNERS": "* @ada\n", "docs/a b.md": "x"})

    _, _, file = github.ask(token, "GET", f"/contents/.github/CODEOWNERS?ref={commit}")
    _, _, folder = github.ask(token, "GET", "/contents/docs")

    assert base64.b64decode(file["content"]) == b"* @ada\n"
    assert [(document["type"], document["path"]) for document in folder] == [("file", "docs/a b.md")]
    assert github.ask(token, "GET", "/contents/missing")[0] == 404
    assert github.ask(token, "GET", "/contents/docs/a%20b.md?ref=gone")[0] == 404


def test_a_branch_is_made_once_and_deleted(github: ServedGitHub, token: str) -> None:
    body = {"ref": "refs/heads/approve/prod", "sha": github.trunk}

    assert github.ask(token, "POST", "/git/refs", body)[0] == 201
    assert github.ask(token, "POST", "/git/refs", body)[0] == 422
    assert github.branches()["approve/prod"] == github.trunk
    _, _, branch = github.ask(token, "GET", "/branches/approve%2Fprod")
    assert (branch["name"], branch["commit"]["sha"]) == ("approve/prod", github.trunk)
    assert github.ask(token, "GET", "/git/ref/heads/approve/prod")[2]["object"]["sha"] == github.trunk
    assert github.ask(token, "DELETE", "/git/refs/heads/approve/prod")[0] == 204
    assert github.ask(token, "GET", "/branches/approve%2Fprod")[0] == 404


def test_protection_is_visible_to_admins(github: ServedGitHub, token: str) -> None:
    admin = github.token("olga")
    assert github.ask(admin, "GET", "/branches/main/protection")[0] == 404

    github.protect(
        required_status_checks={"strict": True, "contexts": ["infra"]},
        required_pull_request_reviews={"required_approving_review_count": 1},
    )

    _, _, answer = github.ask(admin, "GET", "/branches/main/protection")
    assert answer["required_status_checks"]["contexts"] == ["infra"]
    assert answer["required_pull_request_reviews"]["required_approving_review_count"] == 1
    assert answer["allow_force_pushes"] == {"enabled": False}
    _, _, branch = github.ask(token, "GET", "/branches/main")
    assert (branch["protected"], branch["protection"]["required_status_checks"]["contexts"]) == (
        True,
        ["infra"],
    )
    assert [document["name"] for document in github.ask(token, "GET", "/branches?protected=true")[2]] == [
        "main"
    ]


def test_rules_in_force_are_those_of_active_rulesets(github: ServedGitHub, token: str) -> None:
    rule = {
        "type": "required_status_checks",
        "parameters": {"required_status_checks": [{"context": "infra"}]},
    }
    rule["parameters"]["strict_required_status_checks_policy"] = True  # type: ignore[index]
    with github.locked_repository as repository:
        repository.repository.rulesets = [
            {"id": 1, "name": "trunk", "rules": [rule]},
            {"id": 2, "name": "off", "enforcement": "disabled", "rules": [{"type": "deletion"}]},
        ]

    _, _, documents = github.ask(token, "GET", "/rules/branches/main")
    assert [(document["type"], document["ruleset_id"]) for document in documents] == [
        ("required_status_checks", 1)
    ]
    assert github.ask(token, "GET", "/rules/branches/other")[2] == []
    assert [document["name"] for document in github.ask(token, "GET", "/rulesets")[2]] == ["trunk", "off"]
    assert github.ask(token, "GET", "/rulesets/1")[2]["rules"] == [rule]
    assert github.ask(token, "GET", "/rulesets/3")[0] == 404


def test_an_environment_reports_what_protects_it(github: ServedGitHub, token: str) -> None:
    github.environment("prod")
    github.environment(
        "prod-approval", reviewers=["olga"], prevent_self_review=True, branches=["main"], wait_minutes=5
    )

    _, _, documents = github.ask(token, "GET", "/environments")
    assert [environment["name"] for environment in documents["environments"]] == ["prod", "prod-approval"]
    _, _, environment_document = github.ask(token, "GET", "/environments/prod-approval")
    rules = {rule["type"]: rule for rule in environment_document["protection_rules"]}
    assert set(rules) == {"wait_timer", "required_reviewers", "branch_policy"}
    assert rules["required_reviewers"]["reviewers"][0]["reviewer"]["login"] == "olga"
    assert environment_document["deployment_branch_policy"] == {
        "protected_branches": False,
        "custom_branch_policies": True,
    }
    _, _, policies = github.ask(token, "GET", "/environments/prod-approval/deployment-branch-policies")
    assert [policy["name"] for policy in policies["branch_policies"]] == ["main"]
    assert github.ask(token, "GET", "/environments/dev")[0] == 404


def test_a_workflow_that_is_requested_is_written_down(github: ServedGitHub, token: str) -> None:
    github.commit("main", {".github/workflows/infra-apply.yml": "on: workflow_dispatch\n"})
    called = threading.Event()
    # What the hook starts may ask us something while the request still waits.
    github.server.hook = lambda dispatched: (
        called.set() if github.trunk and dispatched.ref == "main" else None
    )
    path = "/actions/workflows/infra-apply.yml/dispatches"

    assert github.ask(token, "POST", path, {"ref": "main", "inputs": {"environment": "prod"}})[0] == 204

    assert called.wait(10)
    assert [(dispatche.workflow, dispatche.inputs) for dispatche in github.dispatches] == [
        ("infra-apply.yml", {"environment": "prod"})
    ]
    _, _, runs = github.ask(token, "GET", "/actions/runs?event=workflow_dispatch")
    assert [workflow_run["path"] for workflow_run in runs["workflow_runs"]] == [
        ".github/workflows/infra-apply.yml"
    ]
    assert github.ask(token, "GET", f"/actions/runs/{runs['workflow_runs'][0]['id']}")[0] == 200
    _, _, workflows = github.ask(token, "GET", "/actions/workflows")
    assert [workflow["path"] for workflow in workflows["workflows"]] == [".github/workflows/infra-apply.yml"]


@pytest.mark.parametrize(
    ("path", "ref", "status"), [("gone.yml", "main", 404), ("infra-apply.yml", "gone", 422)]
)
def test_a_workflow_that_is_not_there_is_not_started(
    github: ServedGitHub, token: str, path: str, ref: str, status: int
) -> None:
    github.commit("main", {".github/workflows/infra-apply.yml": "on: workflow_dispatch\n"})

    answered_status, _, _ = github.ask(token, "POST", f"/actions/workflows/{path}/dispatches", {"ref": ref})

    assert answered_status == status
    assert github.dispatches == []


def test_settings_of_actions_are_as_set(github: ServedGitHub) -> None:
    admin = github.token("olga")
    with github.locked_repository as repository:
        repository.repository.actions = {"workflow": {"can_approve_pull_request_reviews": True}}

    _, _, workflow = github.ask(admin, "GET", "/actions/permissions/workflow")
    _, _, forks = github.ask(admin, "GET", "/actions/permissions/fork-pr-contributor-approval")

    assert workflow == {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": True}
    assert forks == {"approval_policy": "first_time_contributors"}
    assert github.ask(admin, "GET", "/actions/permissions")[2]["enabled"] is True
    private = "/actions/permissions/fork-pr-workflows-private-repos"
    assert github.ask(admin, "GET", private)[2]["run_workflows_from_fork_pull_requests"] is False
    with github.locked_repository as repository:
        repository.repository.private = False
    assert github.ask(admin, "GET", private)[0] == 404


def test_owners_who_may_not_write_are_reported(github: ServedGitHub, token: str) -> None:
    assert github.ask(token, "GET", "/codeowners/errors?ref=main")[0] == 404
    github.commit("main", {".github/CODEOWNERS": "# ours\n* @ada @acme/team\n/prod @rita @gone\n"})

    _, _, answer = github.ask(token, "GET", "/codeowners/errors?ref=main")

    assert [(error["line"], error["column"]) for error in answer["errors"]] == [(3, 7), (3, 13)]


def test_a_commit_is_reported_with_its_size(github: ServedGitHub, token: str) -> None:
    commit = github.commit("main", {"a.tf": "1\n2\n"}, "Add a\n\nWith reasons.")

    _, _, answer = github.ask(token, "GET", f"/commits/{commit}")

    assert answer["stats"] == {"total": 2, "additions": 2, "deletions": 0}
    assert answer["commit"]["message"] == "Add a\n\nWith reasons."
    assert github.ask(token, "GET", "/commits/main")[2]["sha"] == commit
    assert github.ask(token, "GET", "/commits/--all")[0] == 422


def test_what_is_not_there_is_not_found(github: ServedGitHub, token: str) -> None:
    for path in (
        "/issues/9",
        "/pulls/9",
        "/nothing",
        "//repos/acme/other",
        "//users/nobody",
        "/check-runs/1",
    ):
        assert github.ask(token, "GET", path)[0] == 404
    number = github.open_issue("One")
    assert github.ask(token, "GET", f"/pulls/{number}")[0] == 404
    assert github.ask(token, "POST", "/issues", "text")[0] == 400

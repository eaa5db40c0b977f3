"""Who may do what: workflows by their permissions, people by their role."""

from __future__ import annotations

import pytest

from tests.support.github import ServedGitHub

ISSUE = {"title": "One"}
BODY = {"body": "Text"}


@pytest.mark.parametrize(
    ("permissions", "method", "path", "body", "status"),
    [
        ({}, "GET", "/issues/1/comments", None, 403),
        ({"issues": "read"}, "GET", "/issues/1/comments", None, 200),
        ({"pull_requests": "read"}, "GET", "/issues/1/comments", None, 200),
        ({"issues": "read"}, "POST", "/issues/1/comments", BODY, 403),
        ({"pull_requests": "write"}, "POST", "/issues/1/comments", BODY, 201),
        ({"pull_requests": "write"}, "POST", "/issues", ISSUE, 403),
        ({"issues": "write"}, "POST", "/issues", ISSUE, 201),
        ({"checks": "write"}, "POST", "/statuses/main", {"state": "success"}, 403),
        ({"statuses": "write"}, "GET", "/commits/main/check-runs", None, 403),
        ({"checks": "read"}, "GET", "/commits/main/check-runs", None, 200),
        ({"contents": "write"}, "GET", "/branches/main/protection", None, 403),
        ({"pull_requests": "write"}, "PUT", "/pulls/2/merge", {}, 403),
        ({}, "GET", "", None, 200),
        ({}, "GET", "/collaborators/ada/permission", None, 200),
        ({}, "GET", "//user", None, 403),
        ({}, "GET", "//users/ada", None, 200),
        ({}, "GET", "//rate_limit", None, 200),
    ],
)
def test_a_workflow_may_do_what_its_permissions_allow(
    github: ServedGitHub, permissions: dict[str, str], method: str, path: str, body: object, status: int
) -> None:
    github.open_issue("One")

    answered_status, _, answer = github.ask(github.token(**permissions), method, path, body)

    assert answered_status == status
    if status == 403:
        assert answer["message"] == "Resource not accessible by integration"


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "status"),
    [
        ("read", "POST", "/issues/1/comments", BODY, 201),
        ("read", "POST", "/issues/1/labels", {"labels": ["x"]}, 403),
        ("triage", "POST", "/issues/1/labels", {"labels": ["x"]}, 200),
        ("triage", "POST", "/statuses/main", {"state": "success"}, 403),
        ("write", "POST", "/statuses/main", {"state": "success"}, 422),
        ("write", "GET", "/actions/permissions", None, 403),
        ("admin", "GET", "/actions/permissions", None, 200),
        ("none", "GET", "/issues", None, 404),
        ("admin", "GET", "//user", None, 200),
    ],
)
def test_a_person_may_do_what_the_role_allows(
    github: ServedGitHub, role: str, method: str, path: str, body: object, status: int
) -> None:
    github.open_issue("One")
    github.user("carl", role)

    assert github.ask(github.token("carl"), method, path, body)[0] == status


@pytest.mark.parametrize("header", ["token nonsense", "Basic abc", ""])
def test_nobody_knows_a_strange_token(github: ServedGitHub, header: str) -> None:
    assert github.ask("", "GET", "", Authorization=header)[0] == 401


@pytest.mark.parametrize(
    ("login", "permission", "role"),
    [
        ("olga", "admin", "admin"),
        ("mona", "write", "maintain"),
        ("ada", "write", "write"),
        ("tim", "read", "triage"),
        ("rita", "read", "read"),
        ("nemo", "none", "none"),
    ],
)
def test_a_role_has_the_name_that_github_uses(
    github: ServedGitHub, login: str, permission: str, role: str
) -> None:
    github.user(login, role)

    _, _, answer = github.ask(github.token(), "GET", f"/collaborators/{login}/permission")

    assert (answer["permission"], answer["role_name"]) == (permission, role)


def test_a_permission_that_there_is_not_is_refused(github: ServedGitHub) -> None:
    with pytest.raises(Exception, match="no such permission: everything"):
        github.token(everything="write")

"""The server itself: what it keeps, what it is told beside the API, and that its answers are checked."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SandboxError
from orchestrator.sandbox.github import control
from orchestrator.sandbox.github.server import GitHubServer
from orchestrator.sandbox.github.service import SAVED
from tests.support.github import BOT, ServedGitHub
from tests.support.openapi import violations


def test_what_happened_is_there_after_a_restart(tmp_path: Path, github: ServedGitHub) -> None:
    first = GitHubServer(os.environ, folder=tmp_path / "kept")
    first.add_repository("acme/infra", github.bare)
    first.set_role("acme/infra", "ada", "write")
    token = first.owners_token()
    github.commit("feature", {"a.tf": "1\n"})
    number = control.open_pull(first, "acme/infra", branch="feature", by="ada", title="Kept")
    control.comment(first, "acme/infra", number, BOT, "A plan")
    control.environment(first, "acme/infra", "prod", reviewers=["ada"], branches=["main"])

    second = GitHubServer(os.environ, folder=tmp_path / "kept")

    assert second.world == first.world
    assert second.owners_token() == token
    assert (tmp_path / "kept" / SAVED).stat().st_mode & 0o777 == 0o600


def test_a_broken_memory_is_reported(tmp_path: Path) -> None:
    (tmp_path / SAVED).write_text('{"last_id": 1, "users": {"ada": 5}}')

    with pytest.raises(SandboxError) as error:
        GitHubServer(os.environ, folder=tmp_path)

    assert "start over" in error.value.advice


def ask(
    github: ServedGitHub, operation: str, *, token: str | None = None, **arguments: Any
) -> tuple[int, Any]:
    """What an operation beside the API answers."""
    bearer = f"Bearer {github.server.control_token if token is None else token}"
    status, _, answer = github.ask("", "POST", f"//_sandbox/{operation}", arguments, Authorization=bearer)
    return status, answer


def test_the_sandbox_is_configured_beside_the_api(github: ServedGitHub) -> None:
    github.commit("feature", {"a.tf": "1\n"}, "Add a")
    name = github.repository
    assert ask(github, "user", repository=name, login="carl", role="write") == (200, {"result": None})
    _, created = ask(github, "token", login="carl")
    assert ask(github, "open", repository=name, branch="feature", by="carl") == (200, {"result": 1})
    assert ask(github, "find", repository=name, branch="feature")[1] == {"result": 1}
    ask(github, "review", repository=name, number=1, by="bert", event="APPROVE")
    ask(github, "label", repository=name, number=1, by="olga", name="large")
    ask(github, "comment", repository=name, number=1, by="ada", body="Hm")
    ask(github, "environment", repository=name, name="prod", reviewers=["olga"])
    ask(github, "protect", repository=name, branch="main", rules={"enforce_admins": True})
    ask(github, "fault", path="*/issues", status=503)
    assert github.ask(created["result"], "GET", "/issues")[0] == 503
    assert ask(github, "requests")[1]["result"] == [["GET", "/repos/acme/infra/issues", 503]]
    _, merged = ask(github, "merge", repository=name, number=1, by="olga", method="squash")
    assert merged["result"] == github.trunk
    assert ask(github, "dispatches", repository=name)[1] == {"result": []}
    _, answer = ask(github, "status")
    assert answer["result"]["repositories"][name]["pulls"] == [
        {"number": 1, "title": "Add a", "state": "merged"}
    ]
    assert answer["result"]["repositories"][name]["environments"] == ["prod"]
    ask(github, "protect", repository=name, branch="main", rules=None)
    with github.locked_repository as repository_data:
        assert repository_data.repository.protection == {}


@pytest.mark.parametrize(
    ("operation", "arguments", "status"),
    [
        ("nothing", {}, 404),
        ("merge", {"repository": "acme/infra", "number": 7, "by": "olga"}, 404),
        ("merge", {"wrong": 1}, 400),
        ("user", {"repository": "acme/infra", "login": "x", "role": "king"}, 400),
        ("fault", {"status": 418}, 400),
    ],
)
def test_an_unknown_request_is_refused(
    github: ServedGitHub, operation: str, arguments: dict[str, Any], status: int
) -> None:
    documents, answer = ask(github, operation, **arguments)

    assert documents == status
    assert answer["message"]


def test_only_the_sandbox_s_own_token_opens_it(github: ServedGitHub, token: str) -> None:
    assert ask(github, "status", token=token)[0] == 403
    assert ask(github, "status", token="")[0] == 403


def test_an_answer_that_is_known_is_not_sent_again(github: ServedGitHub, token: str) -> None:
    _, headers, _ = github.ask(token, "GET", "/issues")

    status, _, body = github.ask(token, "GET", "/issues", **{"If-None-Match": headers["etag"]})

    assert (status, body) == (304, "")
    github.open_issue("One")
    assert github.ask(token, "GET", "/issues", **{"If-None-Match": headers["etag"]})[0] == 200


def test_many_ask_at_once(github: ServedGitHub, token: str) -> None:
    number = github.open_issue("One")

    def write(at: int) -> int:
        return github.ask(token, "POST", f"/issues/{number}/comments", {"body": str(at)})[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(40))) == {201}

    comments = github.comments(number)
    assert sorted(int(comment.body) for comment in comments) == list(range(40))
    assert len({comment.id for comment in comments}) == 40


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status", "content", "answer"),
    [
        ("GET", "/repos/a/b/pulls/1", {}, None, 200, {"id": "x"}, "'x' is not of type 'integer'"),
        ("GET", "/repos/a/b/issues", {"label": "x"}, None, 200, [], "there is no parameter 'label'"),
        ("GET", "/repos/a/b/issues", {"state": "some"}, None, 200, [], "is none of"),
        ("GET", "/repos/a/b/issues", {"per_page": "x"}, None, 200, [], "is no integer"),
        ("POST", "/repos/a/b/issues", {}, {"title": "x", "label": 1}, 201, {}, "there is no field 'label'"),
        ("POST", "/repos/a/b/check-runs", {}, {"name": "x"}, 422, None, "None is not of type 'object'"),
        ("POST", "/repos/a/b/issues/1/comments", {}, None, 201, {}, "the body is missing"),
        ("GET", "/repos/a/b/issues/1", {}, None, 206, {}, "no such answer"),
        ("GET", "/repos/a/b/nothing", {}, None, 200, {}, "no such operation"),
        ("DELETE", "/repos/a/b/issues/comments/1", {}, None, 204, {"a": 1}, "there should be no body"),
    ],
)
def test_what_does_not_fit_the_description_is_found(
    method: str, path: str, query: dict[str, str], body: object, status: int, content: Any, answer: str
) -> None:
    sent = b"" if body is None else json.dumps(body).encode()

    assert answer in "\n".join(violations(method, path, query, sent, status, content))


def test_a_violation_fails_the_test_that_caused_it(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="there is no parameter 'labell'"),
        ServedGitHub(tmp_path) as github,
    ):
        github.ask(github.token(issues="read"), "GET", "/issues?labell=x")


def test_events_are_as_a_job_gets_them(github: ServedGitHub) -> None:
    head = github.commit("feature", {"a.tf": "1\n"})
    number = github.open("feature", "Add a")
    comment = github.comment(number, "bert", "/infra plan")
    token = github.token(checks="write")

    environ = github.environ(token, "pull_request", number)
    event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text())
    assert (event["action"], event["pull_request"]["head"]["sha"]) == ("synchronize", head)
    assert environ["GITHUB_REF"] == f"refs/pull/{number}/merge"
    document = json.loads(github.event_file("issue_comment", number).read_text())
    assert (document["comment"]["id"], document["comment"]["user"]["login"]) == (comment, "bert")
    assert "pull_request" in document["issue"]
    group = github.queue(number)
    queued = json.loads(github.event_file("merge_group", merge_group=group).read_text())
    assert queued["merge_group"]["head_sha"] == group["head_sha"]
    before = github.trunk
    merged = github.merge(number)
    pushed = json.loads(github.event_file("push").read_text())
    assert (pushed["before"], pushed["after"]) == (before, merged)
    closed = json.loads(github.event_file("pull_request", number, action="closed").read_text())
    assert (closed["action"], closed["pull_request"]["merged"]) == ("closed", True)
    assert "schedule" in json.loads(github.event_file("schedule").read_text())
    assert json.loads(github.event_file("workflow_dispatch", inputs={"a": "b"}).read_text())["inputs"] == {
        "a": "b"
    }


@pytest.mark.parametrize("kind", ["push", "schedule", "workflow_dispatch"])
def test_an_event_before_the_first_push_states_what_to_push(tmp_path: Path, kind: str) -> None:
    server = GitHubServer(os.environ, folder=tmp_path)
    server.add_repository("acme/new")
    server.start()
    try:
        with pytest.raises(SandboxError, match="main of acme/new has no commit") as error:
            control.event(server, "acme/new", kind, 0, "ada")
    finally:
        server.close()
    assert "infra sandbox github open" in error.value.advice
    assert server.world.repositories["acme/new"].runs == []

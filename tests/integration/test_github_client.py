"""The GitHub client against the sandbox's GitHub server: reading, writing, and what goes wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orchestrator.errors import ForgeError
from orchestrator.forge.github import open_github
from orchestrator.forge.github.client import GitHub as Client
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Annotation, NewCheck
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.sandbox.github import runs
from tests.support.github import BOT, ServedGitHub

ALL = {
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "write",
    "deployments": "write",
    "actions": "write",
}


@dataclass
class RetryClock:
    """Time that passes only while somebody sleeps."""

    time: float = 0.0
    slept: list[float] = field(default_factory=list)

    def retry_policy(self, total: float = 120.0) -> RetryPolicy:
        return RetryPolicy(total, lambda: self.time, lambda: self.time, self.sleep, lambda: 0.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def github(tmp_path: Path) -> Iterator[ServedGitHub]:
    with ServedGitHub(tmp_path) as server:
        yield server


@pytest.fixture
def clock() -> RetryClock:
    return RetryClock()


Connect = Callable[..., Client]


@pytest.fixture
def connect(github: ServedGitHub, clock: RetryClock) -> Iterator[Connect]:
    """`connect(checks="write")` is a client with a workflow's token of these rights."""
    opened: list[Client] = []

    def make(login: str = BOT, total: float = 120.0, **rights: str) -> Client:
        environ = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_REPOSITORY": github.repository,
            "GITHUB_TOKEN": github.token(login, **rights),
        }
        opened.append(open_github(environ, clock.retry_policy(total)))
        return opened[-1]

    yield make
    for git_hub in opened:
        git_hub.close()


@pytest.fixture
def host(connect: Connect) -> Client:
    """A client that may do everything that a workflow can."""
    return connect(**ALL)


def check(head: str, **more: Any) -> NewCheck:
    return NewCheck(
        **{
            "name": "infra/dev",
            "head": head,
            "conclusion": "success",
            "title": "2 stacks",
            "summary": "All well.",
            **more,
        }
    )


def test_a_pull_request_from_first_to_last(github: ServedGitHub, host: Forge) -> None:
    head = github.commit("feature", {"a.tf": "# a\n", "b.tf": "# b\n"})
    number = github.open("feature", "Add `a` @everyone", "ada", body="Why.")
    pull_request = host.pull_request(number)
    assert (pull_request.number, pull_request.title, pull_request.author, pull_request.state) == (
        number,
        "Add `a` @everyone",
        "ada",
        "open",
    )
    assert (pull_request.head, pull_request.head_ref, pull_request.head_repository) == (
        head,
        "feature",
        "acme/infra",
    )
    assert (pull_request.base_ref, pull_request.base, pull_request.merged, pull_request.merge_commit) == (
        "main",
        github.trunk,
        False,
        "",
    )
    assert (pull_request.body, pull_request.draft, pull_request.merged_at, pull_request.merged_by) == (
        "Why.",
        False,
        "",
        "",
    )
    assert sorted(host.changed_paths(number)) == ["a.tf", "b.tf"]
    assert [pull_request.number for pull_request in host.open_pull_requests("main")] == [number]
    assert host.open_pull_requests("other") == []

    github.label(number, "allow-destroy", "olga")
    github.review(number, "bert", "APPROVED")
    github.unlabel(number, "allow-destroy", "bert")
    (review,) = host.reviews(number)
    assert (review.author, review.state, review.commit) == ("bert", "APPROVED", head)
    on, off = host.label_events(number)
    assert (on.label, on.actor, on.added, off.actor, off.added) == (
        "allow-destroy",
        "olga",
        True,
        "bert",
        False,
    )
    assert on.at < review.submitted_at < off.at
    assert review.submitted_at.endswith("Z")

    merged = github.merge(number, by="olga")
    pull_request = host.pull_request(number)
    assert (pull_request.state, pull_request.merged, pull_request.merge_commit, pull_request.merged_by) == (
        "closed",
        True,
        merged,
        "olga",
    )
    assert pull_request.merged_at > off.at
    assert [pull_request.number for pull_request in host.pull_requests_of(merged)] == [number]
    assert host.pull_requests_of(merged)[0].merge_commit == merged
    assert host.open_pull_requests("main") == []


def test_a_renamed_file_has_both_names(github: ServedGitHub, host: Forge) -> None:
    text = "".join(f"# line {number}\n" for number in range(30))
    github.push(github.work, "main", ref=github.commit("main", {"old.tf": text}))
    github.commit("feature", {"old.tf": None, "new.tf": text})
    assert sorted(host.changed_paths(github.open("feature"))) == ["new.tf", "old.tf"]


def test_commits_that_nobody_knows_have_no_pull_request(host: Forge) -> None:
    assert host.pull_requests_of("0" * 40) == []


def test_who_may_what(github: ServedGitHub, host: Forge) -> None:
    github.user("mona", "maintain")
    github.user("tria", "triage")
    people = ("olga", "ada", "rita", "mona", "tria", "nobody", "../../x", BOT)
    permissions = {login: host.permission(login) for login in people}
    assert permissions == {
        "olga": "admin",
        "ada": "write",
        "rita": "read",
        "mona": "maintain",
        "tria": "triage",
        "nobody": "none",
        "../../x": "none",
        BOT: permissions[BOT],
    }
    assert permissions[BOT] in ("none", "read", "write")


def test_comments_and_reactions(github: ServedGitHub, host: Forge) -> None:
    github.commit("feature", {"a.tf": "# a\n"})
    number = github.open("feature")
    github.comment(number, "ada", "/infra plan")
    created = host.create_comment(number, "One\n\n| a |\n|---|\n")
    assert created.author == host.login == BOT
    host.update_comment(created.id, "Two")
    first, second = host.comments(number)
    assert (first.author, first.body, second.id, second.body) == (
        "ada",
        "/infra plan",
        created.id,
        "Two",
    )
    host.react(first.id, "eyes")
    host.react(first.id, "eyes")
    assert [reaction.content for reaction in github.comments(number)[0].reactions] == ["eyes"]
    host.delete_comment(created.id)
    host.delete_comment(created.id)
    assert [comment.id for comment in host.comments(number)] == [first.id]


def test_checks_with_more_annotations_than_go_into_one_request(github: ServedGitHub, host: Forge) -> None:
    head = github.commit("feature", {"a.tf": "# a\n"})
    notes = [Annotation("a.tf", line, "warning", f"note {line}", "T" * 300) for line in range(120)]
    host.create_check(check(head, annotations=notes, url="https://ci.example/1"))
    (check_run,) = github.checks(head)
    assert [annotation["message"] for annotation in check_run.annotations] == [note.message for note in notes]
    assert check_run.annotations[0]["start_line"] == 1
    assert len(check_run.annotations[0]["title"]) == 255
    assert (check_run.name, check_run.conclusion, check_run.app) == ("infra/dev", "success", "github-actions")
    host.create_check(check(head, conclusion="failure"))
    host.create_check(check(head, name="infra/prod"))
    assert [(check.name, check.conclusion) for check in github.checks(head)] == [
        ("infra/dev", "success"),
        ("infra/dev", "failure"),
        ("infra/prod", "success"),
    ]
    assert sum(method != "GET" for method, _, _ in github.requests) == 5


def test_statuses_and_deployments(github: ServedGitHub, host: Forge) -> None:
    commit = github.trunk
    assert host.status(commit, "infra/dev") is None
    host.set_status(commit, "infra/dev", "pending", "long " * 100)
    host.set_status(commit, "infra/prod", "failure", "other")
    assert host.status(commit, "infra/dev") == "pending"
    host.set_status(commit, "infra/dev", "success", "done", "https://ci.example/1")
    assert host.status(commit, "infra/dev") == "success"
    status = github.statuses(commit)["infra/dev"]
    assert (status.state, status.description, status.target_url) == (
        "success",
        "done",
        "https://ci.example/1",
    )
    created = host.create_deployment(commit, "dev", "2 stacks " * 40)
    host.set_deployment(created, "in_progress")
    host.set_deployment(created, "success", "2 applied", "https://ci.example/1")
    (deployment,) = github.deployments()
    assert (deployment.id, deployment.commit, deployment.environment, len(deployment.description)) == (
        created,
        commit,
        "dev",
        140,
    )
    assert [(each.state, each.description) for each in deployment.statuses] == [
        ("in_progress", ""),
        ("success", "2 applied"),
    ]


def test_issues(github: ServedGitHub, host: Forge) -> None:
    github.commit("feature", {"a.tf": "# a\n"})
    pull = github.open("feature")
    created = host.create_issue("Drift in dev/a", "Body", ["drift", "dev"], ["ada", "@acme/platform"])
    host.create_issue("Drift in dev/b", "Body", ["drift"])
    assert (created.author, created.labels, created.assignees) == (
        BOT,
        ("drift", "dev"),
        ("ada",),
    )
    assert [issue.title for issue in host.issues(["drift"])] == ["Drift in dev/a", "Drift in dev/b"]
    assert [issue.number for issue in host.issues(["drift", "dev"])] == [created.number]
    assert pull not in [issue.number for issue in host.issues()]
    closed = host.update_issue(created.number, state="closed", state_reason="completed", body="Gone")
    assert (closed.state, closed.state_reason, closed.body, closed.title) == (
        "closed",
        "completed",
        "Gone",
        created.title,
    )
    assert [issue.state for issue in host.issues(["dev"], "all")] == ["closed"]
    again = host.update_issue(created.number, state="open", title="New", labels=["drift"], assignees=[])
    assert (again.state, again.title, again.labels, again.assignees) == ("open", "New", ("drift",), ())


def test_a_list_is_one_request_a_page_and_nothing_else(github: ServedGitHub, host: Forge) -> None:
    for number in range(205):
        github.open_issue(f"Issue {number}", labels=["many"])
    issues = host.issues(["many"])
    assert [issue.title for issue in issues] == [f"Issue {number}" for number in range(205)]
    assert [path for _, path, _ in github.requests] == ["/repos/acme/infra/issues"] * 3


def test_a_page_that_failed_is_requested_again_and_no_other(
    github: ServedGitHub, host: Forge, clock: RetryClock
) -> None:
    for number in range(205):
        github.open_issue(f"Issue {number}", labels=["many"])
    github.fault("*/issues", method="GET", status=502, after=1, times=2)
    assert len(host.issues(["many"])) == 205
    assert [status for _, _, status in github.requests] == [200, 502, 502, 200, 200]
    assert clock.slept == [0.5, 1.0]


def test_listing_pull_requests_asks_for_none_of_them(github: ServedGitHub, host: Forge) -> None:
    for name in ("one", "two", "three"):
        github.commit(name, {f"{name}.tf": "# a\n"})
        github.open(name)
    assert [pull_request.head_ref for pull_request in host.open_pull_requests("main")] == [
        "one",
        "two",
        "three",
    ]
    assert len(github.requests) == 1


def test_a_workflow_is_started(github: ServedGitHub, host: Forge) -> None:
    github.commit("main", {".github/workflows/infra-apply.yml": "on: workflow_dispatch\n"})
    host.dispatch("infra-apply.yml", "main", {"environment": "prod"})
    (started,) = github.dispatches
    assert (started.workflow, started.ref, started.inputs) == (
        "infra-apply.yml",
        "main",
        {"environment": "prod"},
    )
    with pytest.raises(ForgeError, match="start infra-nothing") as caught:
        host.dispatch("infra-nothing.yml", "main", {})
    assert caught.value.status == 404


def test_a_pull_request_is_opened_once(github: ServedGitHub, host: Forge) -> None:
    github.commit("approve/prod", {"a.tf": "# a\n"})
    github.fault("*/pulls", method="POST", reset=True, done=True)
    created = host.create_pull_request("Approve", "Body", "approve/prod", "main")
    assert [pull_request.number for pull_request in host.open_pull_requests("main")] == [created.number]
    assert sum(method == "POST" for method, _, _ in github.requests) == 1


# Whose token


def test_a_persons_token_is_known_by_name(connect: Connect) -> None:
    assert connect("ada").login == "ada"


def test_a_workflows_token_is_the_bots_and_queried_once(github: ServedGitHub, host: Forge) -> None:
    assert (host.login, host.login) == (BOT, BOT)
    assert sum(path == "/user" for _, path, _ in github.requests) == 1


# Answers that are lost: what was done is found again, not done twice


@pytest.mark.parametrize(
    "fault", [{"reset": True, "done": True}, {"reset": True}, {"status": 502, "done": True}, {"status": 503}]
)
def test_what_is_posted_is_posted_once(github: ServedGitHub, host: Forge, fault: dict[str, Any]) -> None:
    head = github.commit("feature", {"a.tf": "# a\n"})
    number = github.open("feature")
    posts = ("*/comments", "*/check-runs", "*/deployments", "*/issues")
    for path in posts:
        github.fault(path, method="POST", **fault)
    host.create_comment(number, "A plan\n")
    host.create_check(check(head))
    deployment = host.create_deployment(head, "dev", "2 stacks")
    issue = host.create_issue("Drift", "Body", ["drift"])
    assert [comment.body.strip() for comment in github.comments(number)] == ["A plan"]
    assert [check.name for check in github.checks(head)] == ["infra/dev"]
    assert [deployment.id for deployment in github.deployments()] == [deployment]
    assert [issue.number for issue in github.issues()] == [issue.number]


def test_annotations_are_added_once(github: ServedGitHub, host: Forge) -> None:
    head = github.commit("feature", {"a.tf": "# a\n"})
    notes = [Annotation("a.tf", 1, "notice", f"note {number}") for number in range(70)]
    github.fault("*/check-runs/*", method="PATCH", reset=True, done=True)
    host.create_check(check(head, annotations=notes))
    (check_run,) = github.checks(head)
    assert len(check_run.annotations) == 70


def test_an_older_comment_of_the_same_words_is_not_taken_for_the_lost_one(
    github: ServedGitHub, host: Forge
) -> None:
    github.commit("feature", {"a.tf": "# a\n"})
    number = github.open("feature")
    host.create_comment(number, "Stale")
    host.create_comment(number, "Planned")
    github.fault("*/comments", method="POST", reset=True)
    host.create_comment(number, "Stale")
    assert [comment.body for comment in github.comments(number)] == ["Stale", "Planned", "Stale"]


def test_somebody_elses_comment_of_the_same_words_is_not_ours(github: ServedGitHub, host: Forge) -> None:
    github.commit("feature", {"a.tf": "# a\n"})
    number = github.open("feature")
    github.comment(number, "rita", "Planned")
    github.fault("*/comments", method="POST", reset=True)
    host.create_comment(number, "Planned")
    assert [comment.author for comment in github.comments(number)] == ["rita", BOT]


# Patience and its end


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        ({"status": 429, "retry_after": 7}, [7.0]),
        ({"secondary": True, "retry_after": 11}, [11.0]),
        ({"status": 429}, [60.0]),
        ({"status": 500, "times": 3}, [0.5, 1.0, 2.0]),
        ({"reset": True, "times": 2}, [0.5, 1.0]),
    ],
)
def test_it_is_retried(
    github: ServedGitHub, host: Forge, clock: RetryClock, fault: dict[str, Any], slept: list[float]
) -> None:
    number = github.open_issue("One")
    github.fault("*/comments", method="POST", **fault)
    host.create_comment(number, "Here")
    assert clock.slept == slept
    assert len(github.comments(number)) == 1


def test_retries_end_with_an_error(github: ServedGitHub, connect: Connect, clock: RetryClock) -> None:
    number = github.open_issue("One")
    github.fault("*/comments", status=503, times=0)
    with pytest.raises(ForgeError, match="in trouble, status 503") as caught:
        connect(total=10, **ALL).comments(number)
    assert caught.value.status == 503
    assert 5 < clock.time <= 10


def test_a_limit_that_lasts_is_reported_at_once(github: ServedGitHub, host: Forge, clock: RetryClock) -> None:
    github.fault("*", status=429, retry_after=900, times=0)
    with pytest.raises(ForgeError, match="rate limit is used up") as caught:
        host.issues()
    assert "in 900 seconds" in caught.value.advice
    assert clock.slept == []


def test_no_server_is_reported_without_a_name_of_a_library(tmp_path: Path, clock: RetryClock) -> None:
    with ServedGitHub(tmp_path) as server:
        address = server.api_url
    environ = {"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "acme/infra", "GITHUB_TOKEN": "t"}
    with open_github(environ, clock.retry_policy(5)) as client, pytest.raises(ForgeError) as caught:
        client.issues()
    assert caught.value.status == 0
    assert "GitHub did not answer (the connection failed)" in caught.value.message


# Refusals


def test_a_refusal_names_the_missing_permission(github: ServedGitHub, connect: Connect) -> None:
    head = github.commit("main", {".github/workflows/infra-apply.yml": "on: workflow_dispatch\n"})
    github.open_issue("One")
    host = connect(contents="read")
    for do, needs in (
        (lambda: host.create_check(check(head)), "checks: write"),
        (lambda: host.create_comment(1, "x"), "pull-requests: write"),
        (lambda: host.set_status(head, "c", "success", "t"), "statuses: write"),
        (lambda: host.create_deployment(head, "dev", "t"), "deployments: write"),
        (lambda: host.create_issue("t", "b"), "issues: write"),
        (lambda: host.dispatch("infra-apply.yml", "main", {}), "actions: write"),
    ):
        with pytest.raises(ForgeError) as caught:
            do()
        assert caught.value.status == 403
        assert needs in caught.value.advice
    assert github.issues()[0].comments == []


def test_other_refusals(github: ServedGitHub, host: Forge, clock: RetryClock) -> None:
    with pytest.raises(
        ForgeError, match="read pull request #99 in acme/infra: GitHub does not find it"
    ) as none:
        host.pull_request(99)
    with pytest.raises(ForgeError, match="GitHub does not take it") as wrong:
        host.create_check(check("0" * 40))
    github.fault("*", status=401)
    with pytest.raises(ForgeError, match="GitHub does not know the token") as unknown:
        host.issues()
    assert (none.value.status, wrong.value.status, unknown.value.status) == (404, 422, 401)
    assert clock.slept == []


def test_nothing_is_logged(github: ServedGitHub, host: Forge, caplog: pytest.LogCaptureFixture) -> None:
    github.fault("*/issues", status=502)
    with caplog.at_level(logging.INFO):
        host.issues()
    assert caplog.records == []


def test_one_object_is_a_host(host: Client) -> None:
    whole: Forge = host
    assert whole.repository == "acme/infra"


TOKEN = "t"

# A host of its own making: answers that GitHub gives seldom, and the sandbox's server never


class Scripted:
    """A server that gives the answers it was told, in order, and remembers what was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        self.requests: list[tuple[str, str]] = []
        script = list(answers)
        requests = self.requests

        class ScriptHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.command, self.path))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = script.pop(0)
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815 - the name that http.server calls

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), ScriptHandler)
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Scripted:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def client(self, clock: RetryClock, token: str = TOKEN) -> Client:
        environ = {
            "GITHUB_API_URL": f"http://127.0.0.1:{self.server.server_address[1]}",
            "GITHUB_REPOSITORY": "acme/infra",
            "GITHUB_TOKEN": token,
        }
        return open_github(environ, clock.retry_policy())


def test_a_renamed_repository_takes_no_comment_and_reports_it(clock: RetryClock) -> None:
    moved = json.dumps({"message": "Moved Permanently", "url": "https://api.example/repositories/1"})
    with (
        Scripted((307, {"Location": "/repositories/1/issues/1/comments"}, moved)) as server,
        server.client(clock) as client,
        pytest.raises(ForgeError, match="renamed or moved") as caught,
    ):
        client.create_comment(1, "Hello")
    assert "GITHUB_REPOSITORY" in caught.value.advice
    assert len(server.requests) == 1


def test_half_an_answer_is_none(clock: RetryClock) -> None:
    whole = json.dumps([])
    with (
        Scripted((200, {}, '[{"number": 1, "ti'), (200, {}, whole)) as server,
        server.client(clock) as client,
    ):
        assert client.issues() == []
    assert len(clock.slept) == 1


def test_an_answer_that_is_not_githubs_is_reported(clock: RetryClock) -> None:
    page = json.dumps({"number": "one", "html_url": 5})
    with (
        Scripted((200, {}, page)) as server,
        server.client(clock) as client,
        pytest.raises(ForgeError, match="not as documented"),
    ):
        client.pull_request(1)
    assert clock.slept == []


def test_an_apps_token_is_identified_by_graphql(clock: RetryClock) -> None:
    refusal = json.dumps({"message": "Resource not accessible by integration"})
    viewer = json.dumps({"data": {"viewer": {"login": "acme-bot[bot]"}}})
    with Scripted((403, {}, refusal), (200, {}, viewer)) as server, server.client(clock) as client:
        assert client.login == "acme-bot[bot]"
    assert server.requests == [("GET", "/user"), ("POST", "/graphql")]


def test_a_token_that_cannot_be_one_is_not_tried_again(clock: RetryClock) -> None:
    with Scripted() as server, server.client(clock, "a\nb") as client, pytest.raises(ForgeError) as caught:
        client.issues()
    assert "characters that none has" in caught.value.message
    assert (server.requests, clock.slept) == ([], [])


def test_who_cannot_be_assigned_is_left_out(clock: RetryClock) -> None:
    refusal = {
        "message": "Validation Failed",
        "errors": [{"resource": "Issue", "field": "assignees", "code": "invalid", "value": "gone"}],
    }
    issue = {
        "id": 1,
        "number": 7,
        "title": "Drift",
        "body": "Body",
        "state": "open",
        "state_reason": None,
        "user": {"login": BOT},
        "labels": [],
        "assignees": [{"login": "ada"}],
        "html_url": "https://github.example/acme/infra/issues/7",
    }
    script: tuple[tuple[int, dict[str, str], str], ...] = (
        (422, {}, json.dumps(refusal)),
        (204, {}, ""),
        (404, {}, json.dumps({"message": "Not Found"})),
        (201, {}, json.dumps(issue)),
    )
    with Scripted(*script) as server, server.client(clock) as client:
        assert client.create_issue("Drift", "Body", assignees=["ada", "gone"]).assignees == ("ada",)
    assert [path.removeprefix("/repos/acme/infra/") for _, path in server.requests] == [
        "issues",
        "assignees/ada",
        "assignees/gone",
        "issues",
    ]


def test_a_run_that_waits_for_a_reviewer_is_listed(github: ServedGitHub, connect: Connect) -> None:
    client = connect(actions="read")
    github.environment("prod-approval", reviewers=["bert"])
    with github.locked_repository as repository:
        commit = repository.git.heads()["main"]
        run = runs.start_run(repository, "infra-apply.yml", "push", "main", commit, "ada")
        runs.start_job(repository, run.id, "gate", environment="prod-approval")
        url = f"/actions/runs/{run.id}"
    (waiting,) = client.waiting_runs()
    assert waiting.url.endswith(url)
    assert waiting.title
    with github.locked_repository as repository:
        runs.review_run(repository, run.id, "prod-approval", "bert")
    assert client.waiting_runs() == []

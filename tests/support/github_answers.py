"""Answers of GitHub that are not as documented, given to the client without a network.

A document is `{"call": …, "status": …, "link": …, "body": …}`: the client makes the call, and each of its
requests is answered so. What is no such document is itself the body of an answer.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from orchestrator.forge.github import open_github
from orchestrator.forge.github.client import GitHub
from orchestrator.forge.github.requester import StrictRequester
from orchestrator.forge.model import Annotation, NewCheck
from orchestrator.forge.retry_policy import RetryPolicy

ENVIRON = {
    "GITHUB_API_URL": "http://localhost:1",
    "GITHUB_REPOSITORY": "acme/infra",
    "GITHUB_TOKEN": "t",
    "INFRA_TEAMS_TOKEN": "t",
}
# Requests of one call; a call that needs more does not end.
MOST_REQUESTS = 40
SHA = "a" * 40
TIME = "2026-01-02T03:04:05Z"
ADDRESS = "http://localhost:1/repos/acme/infra"
_USER = {"login": "ada", "id": 1, "type": "User"}
_REPOSITORY = {"full_name": "acme/infra", "private": True, "default_branch": "main", "url": ADDRESS}
_PULL = {
    "url": f"{ADDRESS}/pulls/7",
    "html_url": "https://github.com/acme/infra/pull/7",
    "number": 7,
    "title": "t",
    "body": None,
    "user": _USER,
    "state": "closed",
    "draft": False,
    "merged": True,
    "merged_at": TIME,
    "merged_by": _USER,
    "created_at": TIME,
    "merge_commit_sha": SHA,
    "labels": [{"name": "allow-destroy"}],
    "head": {"sha": SHA, "ref": "x", "repo": _REPOSITORY},
    "base": {"sha": SHA, "ref": "main", "repo": _REPOSITORY},
}
_ISSUE = {
    "url": f"{ADDRESS}/issues/8",
    "html_url": "https://github.com/acme/infra/issues/8",
    "number": 8,
    "title": "t",
    "body": "b",
    "user": _USER,
    "state": "open",
    "state_reason": None,
    "labels": [{"name": "drift"}],
    "assignees": [_USER],
}
_COMMENT = {
    "id": 9,
    "user": _USER,
    "body": "b",
    "created_at": TIME,
    "html_url": "https://github.com/acme/infra/pull/7#issuecomment-9",
    "url": f"{ADDRESS}/issues/comments/9",
}
_CHECK = {
    "id": 5,
    "url": f"{ADDRESS}/check-runs/5",
    "conclusion": "success",
    "output": {"title": "t", "summary": "s", "annotations_count": 60},
}
_ENVIRONMENT = {
    "name": "prod-approval",
    "protection_rules": [{"type": "required_reviewers", "reviewers": [{}], "prevent_self_review": True}],
    "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
}
_NEW_CHECK = NewCheck(
    "infra", SHA, "success", "t", "s", annotations=[Annotation("a.tf", 1, "notice", "m")] * 60
)

# Each call with an answer that it understands.
CALLS: dict[str, tuple[Callable[[GitHub], object], Any]] = {
    "login": (lambda host: host.login, _USER),
    "pull request": (lambda host: host.pull_request(7), _PULL),
    "open pull requests": (lambda host: host.open_pull_requests("main"), [_PULL]),
    "pull requests of a commit": (lambda host: host.pull_requests_of(SHA), [_PULL]),
    "new pull request": (lambda host: host.create_pull_request("t", "b", "x", "main"), _PULL),
    "changed paths": (lambda host: host.changed_paths(7), [{"filename": "a", "previous_filename": "b"}]),
    "commits": (
        lambda host: host.pull_request_commits(7),
        [{"sha": SHA, "author": _USER, "parents": [{"sha": "b" * 40}]}],
    ),
    "branch moves": (
        lambda host: host.branch_moves("x"),
        [{"actor": _USER, "before": "0" * 40, "after": SHA, "timestamp": TIME}],
    ),
    "reviews": (
        lambda host: host.reviews(7),
        [{"user": _USER, "state": "APPROVED", "commit_id": SHA, "submitted_at": TIME}],
    ),
    "label events": (
        lambda host: host.label_events(7),
        [{"event": "labeled", "label": {"name": "x"}, "actor": _USER, "created_at": TIME}],
    ),
    "permission": (lambda host: host.permission("ada"), {"role_name": "infra", "permission": "write"}),
    "comments": (lambda host: host.comments(7), [_COMMENT]),
    "new comment": (lambda host: host.create_comment(7, "b"), _COMMENT),
    "changed comment": (lambda host: host.update_comment(9, "b"), _COMMENT),
    "reaction": (lambda host: host.react(9, "eyes"), {"id": 1, "content": "eyes", "user": _USER}),
    "check": (lambda host: host.create_check(_NEW_CHECK), _CHECK),
    "status": (lambda host: host.set_status(SHA, "infra", "success", "t"), {"state": "success"}),
    "deployment": (lambda host: host.create_deployment(SHA, "prod", "t"), {"id": 3, "description": "t"}),
    "deployment status": (lambda host: host.set_deployment(3, "success"), {"id": 4, "state": "success"}),
    "issues": (lambda host: host.issues(["drift"]), [_ISSUE]),
    "new issue": (lambda host: host.create_issue("t", "b", assignees=["@ada"]), _ISSUE),
    "changed issue": (lambda host: host.update_issue(8, state="closed", assignees=["ada"]), _ISSUE),
    "dispatch": (lambda host: host.dispatch("infra-apply.yml", "main", {"a": "b"}), {}),
    "environment": (lambda host: host.environment("prod-approval"), _ENVIRONMENT),
    "run reviews": (
        lambda host: host.run_reviews(1),
        [{"user": _USER, "state": "approved", "environments": [{"name": "prod-approval"}], "comment": ""}],
    ),
    "settings": (
        lambda host: host.settings("main"),
        {
            **_REPOSITORY,
            "protected": True,
            "protection": {
                "required_status_checks": {"checks": [{"context": "infra"}], "contexts": ["infra"]}
            },
            "required_pull_request_reviews": {"required_approving_review_count": 1},
            "allow_force_pushes": {"enabled": False},
            "total_count": 1,
            "environments": [_ENVIRONMENT],
            "branch_policies": [{"name": "main"}],
            "can_approve_pull_request_reviews": False,
            "default_workflow_permissions": "read",
            "errors": [{"path": "CODEOWNERS", "line": 1, "kind": "Unknown owner", "source": "x"}],
        },
    ),
    "team": (
        lambda host: host.teams.is_member("acme/infra", "ada") if host.teams else None,
        {"state": "active"},
    ),
}
LINKS = (
    "",
    f'<{ADDRESS}/x?page=2>; rel="next"',
    f'<{ADDRESS}/x?after=c>; rel="next", <{ADDRESS}/x?page=9>; rel="last"',
    '<https://elsewhere.example/x?page=2>; rel="next"',
    '<::not an address>; rel="next"',
    "<; rel=next",
)
SEEDS = tuple(
    json.dumps({"call": call, "status": 200, "link": LINKS[number % 3], "body": body}).encode()
    for number, (call, (_, body)) in enumerate(CALLS.items())
)


class EndlessError(Exception):
    """A call made more requests than any answer explains."""


class AnswersAdapter(HTTPAdapter):
    """Answers each request of a session with what was set last."""

    status = 200
    link = ""
    body = b""
    left = MOST_REQUESTS

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """The answer, without a network."""
        type(self).left -= 1
        if self.left < 0:
            raise EndlessError(request.url)
        response = Response()
        response.status_code, response.reason = self.status, ""
        response.url, response.request = str(request.url), request
        response.headers["content-type"] = "application/json"
        if self.link:
            response.headers["link"] = self.link
        response.raw = io.BytesIO(self.body)
        return response


class AnswersConnection(HTTPRequestsConnectionClass):
    """PyGithub's connection, whose requests go to the adapter."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.session.mount("http://", AnswersAdapter())


class NoConnection(HTTPSRequestsConnectionClass):
    """Refuses to leave this machine."""

    def request(self, verb: str, url: str, *arguments: Any, **options: Any) -> None:
        """No request is made."""
        raise EndlessError(url)


class ScriptedClient:
    """A client whose requests are answered as a test says."""

    def __init__(self) -> None:
        self.seconds = 0.0
        retry_policy = RetryPolicy(3.0, lambda: self.seconds, lambda: self.seconds, self._sleep, lambda: 0.0)
        StrictRequester.injectConnectionClasses(AnswersConnection, NoConnection)
        try:
            self.host = open_github(ENVIRON, retry_policy)
        finally:
            StrictRequester.resetConnectionClasses()

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def call(self, name: str, status: int, body: bytes, link: str = "") -> object:
        """What a call makes of an answer."""
        AnswersAdapter.status, AnswersAdapter.body, AnswersAdapter.link = status, body, link
        AnswersAdapter.left = MOST_REQUESTS
        self.host.__dict__.pop("login", None)
        return CALLS[name][0](self.host)

    def read(self, data: bytes) -> object:
        """Give a document of a fuzzer as an answer."""
        names = list(CALLS)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, Mapping):
            return self.call(names[len(data) % len(names)], 200, data)
        name, status, link = (document.get(key) for key in ("call", "status", "link"))
        if not isinstance(name, str) or name not in CALLS:
            name = names[len(data) % len(names)]
        if type(status) is not int or not 200 <= status < 600:
            status = (201, 204, 301, 304, 400, 401, 403, 404, 409, 422, 429, 500, 502, 418)[len(data) % 14]
        link = link if isinstance(link, str) else LINKS[len(data) % len(LINKS)]
        # A header has one line.
        link = " ".join(link.split()).encode("latin-1", "replace").decode("latin-1")
        body = json.dumps(document.get("body")).encode()
        return self.call(name, status, body, link)

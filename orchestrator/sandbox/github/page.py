"""Pages for people: a repository's pull requests and issues, each with all that happened, and its checks."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from orchestrator.sandbox.github import commits
from orchestrator.sandbox.github.call import ApiResponse
from orchestrator.sandbox.github.checks_page import render_check, render_checks
from orchestrator.sandbox.github.errors import GitHubError, not_found
from orchestrator.sandbox.github.html import Html, el, join
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import IssueRecord
from orchestrator.sandbox.github.repository import RepositoryService
from orchestrator.sandbox.github.run_page import render_run, render_runs
from orchestrator.sandbox.github.service import GitHubService
from orchestrator.sandbox.github.style import CSS
from orchestrator.sandbox.github.timeline import render_time, render_timeline, render_user
from orchestrator.sandbox.http import HttpRequest

_MEDIA = "text/html; charset=utf-8"
# Nothing of a page runs, and nothing is fetched from anywhere.
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_NAME = r"/(?P<name>[^/]+/[^/]+)"
_PATHS = re.compile(
    rf"{_NAME}(?:/(?P<kind>pulls|issues|pull|runs|actions/runs)(?:/(?P<number>\d+))?)?(?:/files|/checks)?/?"
)


def answer(server: GitHubService, request: HttpRequest) -> ApiResponse:
    """The page at a path."""
    try:
        # Under another name it is somebody else's page that asks (DNS rebinding).
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        if request.method not in ("GET", "HEAD") or host not in ("127.0.0.1", "localhost"):
            raise not_found()
        if request.path == "/":
            return _page("Repositories", _repositories(server))
        match = _PATHS.fullmatch(unquote(request.path))
        if match is None:
            raise not_found()
        with server.open_repository(match["name"], reads=True) as service:
            return _repository_page(server, service, match["kind"] or "pulls", match["number"])
    except GitHubError as error:
        if "text/html" not in request.headers.get("accept", ""):
            return ApiResponse(error.status, error.document(), error.headers)
        body = el("main", el("h1", f"{error.status}: {error.message}"))
        return ApiResponse(error.status, _document("Nothing here", body), _POLICY, _MEDIA)


def _repository_page(
    server: GitHubService, service: RepositoryService, kind: str, number: str | None
) -> ApiResponse:
    home = f"/{service.repository.full_name}"
    if kind == "actions/runs" and number is None:
        return _page("Runs", render_runs(service, home), home)
    if number is None:
        listed = [
            issue for issue in service.repository.issues.values() if bool(issue.pull) == (kind != "issues")
        ]
        return _page(f"{kind.title()} of {home[1:]}", _list(listed, home, kind), home)
    if kind == "runs":
        check = commits.find_check(service, number)
        return _page(check.name, render_check(check, home), home)
    if kind == "actions/runs":
        return _page("A run", render_run(service, number, server.folder, home), home)
    issue = service.issue(number)
    right = "pull" if issue.pull else "issues"
    if kind != right:
        return ApiResponse(302, "", {"Location": f"{home}/{right}/{number}"}, _MEDIA)
    return _page(f"{issue.title} · #{number}", _issue(service, issue, home), home)


def _page(title: str, content: Html, home: str = "") -> ApiResponse:
    links = [el("a", el("strong", home[1:] or "GitHub of the sandbox"), href=home or "/")]
    if home:
        links += [
            el("a", "Pull requests", href=f"{home}/pulls"),
            el("a", "Issues", href=f"{home}/issues"),
            el("a", "Actions", href=f"{home}/actions/runs"),
        ]
    body = join([el("nav", *links, class_="top"), el("main", content)])
    return ApiResponse(200, _document(title, body), _POLICY, _MEDIA)


def _document(title: str, body: Html) -> str:
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", Html(CSS)),
    )
    return f"<!doctype html>{el('html', head, el('body', body), lang='en')}"


def _repositories(server: GitHubService) -> Html:
    names = sorted(server.world.repositories)
    rows = [el("div", el("a", name, href=f"/{name}/pulls"), class_="row") for name in names]
    return el("section", el("header", el("strong", "Repositories")), *rows, class_="box")


def _list(issues: list[IssueRecord], home: str, kind: str) -> Html:
    title = "Issues" if kind == "issues" else "Pull requests"
    rows = [_row(issue, home) for issue in sorted(issues, key=lambda issue: -issue.number)]
    nothing = [el("div", "There are none.", class_="row muted")]
    return el("section", el("header", el("strong", title)), *(rows or nothing), class_="box")


def _row(issue: IssueRecord, home: str) -> Html:
    state, word = state_of(issue)
    kind = "pull" if issue.pull else "issues"
    link = el("a", el("strong", issue.title), href=f"{home}/{kind}/{issue.number}")
    below = el(
        "div",
        f"#{issue.number} by ",
        render_user(issue.author),
        " · ",
        render_time(issue.created_at),
        class_="muted",
    )
    mark = el("span", word, class_=f"mark {state}")
    return el("div", mark, link, " ", *_labels(issue), below, class_="row")


def state_of(issue: IssueRecord) -> tuple[str, str]:
    """The state of an issue or a pull request, as a class and as a word."""
    if issue.pull and issue.pull.merged_at:
        return "merged", "Merged"
    if issue.state == "closed":
        return ("closed", "Closed") if issue.pull else ("merged", "Closed")
    if issue.pull and issue.pull.draft:
        return "draft", "Draft"
    return "open", "Open"


def _labels(issue: IssueRecord) -> list[Html]:
    return [join([el("span", name, class_="label"), " "]) for name in issue.labels]


def _issue(service: RepositoryService, issue: IssueRecord, home: str) -> Html:
    state, word = state_of(issue)
    title = el("h1", issue.title, " ", el("span", f"#{issue.number}", class_="number"))
    by = issue.pull.merged_by if issue.pull and issue.pull.merged_by else issue.author
    line = [el("span", word, class_=f"badge {state}"), render_user(by), " ", *_summary(service, issue)]
    parts = [
        el("header", title, el("div", *line), el("div", *_labels(issue)), class_="head"),
        el(
            "article",
            el("header", render_user(issue.author), " opened this · ", render_time(issue.created_at)),
            el("div", render(issue.body or "*No description provided.*", home), class_="markdown"),
            class_="box",
        ),
        *render_timeline(service, issue, home),
    ]
    if issue.pull:
        parts.append(render_checks(service, issue.pull.head, home))
        if issue.state == "open":
            parts.append(_mergeable(issue))
    return join(parts)


def _summary(service: RepositoryService, issue: IssueRecord) -> list[str]:
    if not issue.pull:
        comments = len(issue.comments)
        return [f"opened this issue · {comments} comment{'s' if comments != 1 else ''}"]
    pull = issue.pull
    count = len(service.git.commits(pull.base, pull.head))
    verb = "merged" if pull.merged_at else "wants to merge"
    many = f"{count} commit{'s' if count != 1 else ''}"
    return [f"{verb} {many} into ", el("code", pull.base_ref), " from ", el("code", pull.head_ref)]


def _mergeable(issue: IssueRecord) -> Html:
    assert issue.pull  # noqa: S101 - callers looked
    if issue.pull.mergeable:
        mark = el("span", "✓", class_="mark success")
        return el(
            "section", el("header", mark, "This branch has no conflicts with the base branch"), class_="box"
        )
    mark = el("span", "✗", class_="mark failure")
    return el("section", el("header", mark, "This branch has conflicts that must be resolved"), class_="box")

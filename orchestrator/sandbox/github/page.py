"""Pages for people: a repository's pull requests and issues, each with all that happened, and its checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from orchestrator.sandbox.github import commits
from orchestrator.sandbox.github.call import Answer, Request
from orchestrator.sandbox.github.checks_page import check_page, checks_box
from orchestrator.sandbox.github.errors import GitHubError, not_found
from orchestrator.sandbox.github.html import Html, el, join
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import Issue
from orchestrator.sandbox.github.place import Place
from orchestrator.sandbox.github.story import told, when, who
from orchestrator.sandbox.github.style import CSS

if TYPE_CHECKING:
    from orchestrator.sandbox.github.server import GitHubServer

_MEDIA = "text/html; charset=utf-8"
# Nothing of a page runs, and nothing is fetched from anywhere.
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_NAME = r"/(?P<name>[^/]+/[^/]+)"
_PATHS = re.compile(
    rf"{_NAME}(?:/(?P<kind>pulls|issues|pull|runs|actions/runs)(?:/(?P<number>\d+))?)?(?:/files|/checks)?/?"
)


def answer(server: GitHubServer, request: Request) -> Answer:
    """The page at a path."""
    try:
        # Under another name it is somebody else's page that asks (DNS rebinding).
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        if request.method not in ("GET", "HEAD") or host not in ("127.0.0.1", "localhost"):
            raise not_found()
        if request.path == "/":
            return _page("Repositories", _repositories(server))
        found = _PATHS.fullmatch(unquote(request.path))
        if found is None:
            raise not_found()
        with server.place(found["name"], reads=True) as place:
            return _of_repository(place, found["kind"] or "pulls", found["number"])
    except GitHubError as error:
        if "text/html" not in request.headers.get("accept", ""):
            return Answer(error.status, error.document(), error.headers)
        body = el("main", el("h1", f"{error.status}: {error.message}"))
        return Answer(error.status, _document("Nothing here", body), _POLICY, _MEDIA)


def _of_repository(place: Place, kind: str, number: str | None) -> Answer:
    home = f"/{place.repository.full_name}"
    if number is None:
        listed = [one for one in place.repository.issues.values() if bool(one.pull) == (kind != "issues")]
        return _page(f"{kind.title()} of {home[1:]}", _list(listed, home, kind), home)
    if kind == "runs":
        check = commits.find_check(place, number)
        return _page(check.name, check_page(check, home), home)
    if kind == "actions/runs":
        return _page("A run", _run(place, number), home)
    issue = place.issue(number)
    right = "pull" if issue.pull else "issues"
    if kind != right:
        return Answer(302, "", {"Location": f"{home}/{right}/{number}"}, _MEDIA)
    return _page(f"{issue.title} · #{number}", _issue(place, issue, home), home)


def _page(title: str, content: Html, home: str = "") -> Answer:
    links = [el("a", el("strong", home[1:] or "GitHub of the sandbox"), href=home or "/")]
    if home:
        links += [
            el("a", "Pull requests", href=f"{home}/pulls"),
            el("a", "Issues", href=f"{home}/issues"),
        ]
    body = join([el("nav", *links, class_="top"), el("main", content)])
    return Answer(200, _document(title, body), _POLICY, _MEDIA)


def _document(title: str, body: Html) -> str:
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", Html(CSS)),
    )
    return f"<!doctype html>{el('html', head, el('body', body), lang='en')}"


def _repositories(server: GitHubServer) -> Html:
    names = sorted(server.world.repositories)
    rows = [el("div", el("a", name, href=f"/{name}/pulls"), class_="row") for name in names]
    return el("section", el("header", el("strong", "Repositories")), *rows, class_="box")


def _run(place: Place, number: str) -> Html:
    """A run of a workflow; what it printed stayed with whoever ran it."""
    run = next((one for one in place.repository.runs if one.id == int(number)), None)
    if run is None:
        raise not_found()
    line = [who(run.actor), f" started {run.workflow} by {run.event} on ", el("code", run.commit[:7])]
    return join([el("h1", f"Run {run.id}"), el("p", *line, " · ", when(run.created_at))])


def _list(issues: list[Issue], home: str, kind: str) -> Html:
    title = "Issues" if kind == "issues" else "Pull requests"
    rows = [_row(one, home) for one in sorted(issues, key=lambda one: -one.number)]
    nothing = [el("div", "There are none.", class_="row muted")]
    return el("section", el("header", el("strong", title)), *(rows or nothing), class_="box")


def _row(issue: Issue, home: str) -> Html:
    state, word = state_of(issue)
    kind = "pull" if issue.pull else "issues"
    link = el("a", el("strong", issue.title), href=f"{home}/{kind}/{issue.number}")
    below = el(
        "div", f"#{issue.number} by ", who(issue.author), " · ", when(issue.created_at), class_="muted"
    )
    mark = el("span", word, class_=f"mark {state}")
    return el("div", mark, link, " ", *_labels(issue), below, class_="row")


def state_of(issue: Issue) -> tuple[str, str]:
    """The state of an issue or a pull request, as a class and as a word."""
    if issue.pull and issue.pull.merged_at:
        return "merged", "Merged"
    if issue.state == "closed":
        return ("closed", "Closed") if issue.pull else ("merged", "Closed")
    if issue.pull and issue.pull.draft:
        return "draft", "Draft"
    return "open", "Open"


def _labels(issue: Issue) -> list[Html]:
    return [join([el("span", name, class_="label"), " "]) for name in issue.labels]


def _issue(place: Place, issue: Issue, home: str) -> Html:
    state, word = state_of(issue)
    title = el("h1", issue.title, " ", el("span", f"#{issue.number}", class_="number"))
    by = issue.pull.merged_by if issue.pull and issue.pull.merged_by else issue.author
    line = [el("span", word, class_=f"badge {state}"), who(by), " ", *_summary(place, issue)]
    parts = [
        el("header", title, el("div", *line), el("div", *_labels(issue)), class_="head"),
        el(
            "article",
            el("header", who(issue.author), " opened this · ", when(issue.created_at)),
            el("div", render(issue.body or "*No description provided.*", home), class_="markdown"),
            class_="box",
        ),
        *told(place, issue, home),
    ]
    if issue.pull:
        parts.append(checks_box(place, issue.pull.head, home))
        if issue.state == "open":
            parts.append(_mergeable(issue))
    return join(parts)


def _summary(place: Place, issue: Issue) -> list[str]:
    if not issue.pull:
        comments = len(issue.comments)
        return [f"opened this issue · {comments} comment{'s' if comments != 1 else ''}"]
    pull = issue.pull
    count = len(place.git.commits(pull.base, pull.head))
    verb = "merged" if pull.merged_at else "wants to merge"
    many = f"{count} commit{'s' if count != 1 else ''}"
    return [f"{verb} {many} into ", el("code", pull.base_ref), " from ", el("code", pull.head_ref)]


def _mergeable(issue: Issue) -> Html:
    assert issue.pull  # noqa: S101 - callers looked
    if issue.pull.mergeable:
        mark = el("span", "✓", class_="mark success")
        return el(
            "section", el("header", mark, "This branch has no conflicts with the base branch"), class_="box"
        )
    mark = el("span", "✗", class_="mark failure")
    return el("section", el("header", mark, "This branch has conflicts that must be resolved"), class_="box")

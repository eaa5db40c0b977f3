"""The checks of a commit for people: the box below a pull request, and the page of one check."""

from __future__ import annotations

from orchestrator.sandbox.github import commits
from orchestrator.sandbox.github.html import Html, el, join
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import CheckRun, Status
from orchestrator.sandbox.github.repository import RepositoryService

_MARKS = {
    "success": ("✓", "success"),
    "neutral": ("■", "neutral"),
    "skipped": ("⊘", "neutral"),
    "cancelled": ("⊘", "neutral"),
    "stale": ("⊘", "neutral"),
    "action_required": ("!", "warning"),
    "pending": ("●", "pending"),
    "": ("●", "pending"),
}
_FAILED = ("✗", "failure")
_LEVELS = {"notice": "notice", "warning": "warning", "failure": "failure"}


def render_checks(service: RepositoryService, sha: str, home: str) -> Html:
    """All checks and statuses of a commit, the latest of each name."""
    checks = sorted(commits.checks_of(service, sha), key=lambda check: check.name)
    statuses = sorted(commits.statuses_of(service, sha, latest=True), key=lambda status: status.context)
    outcomes = [check.conclusion for check in checks] + [status.state for status in statuses]
    rows = [_check_row(check, home) for check in checks] + [_status_row(status) for status in statuses]
    header = el("header", el("strong", _summarize(outcomes)), " ", el("code", sha[:7]))
    return el("section", header, *rows, class_="box checks")


def _summarize(outcomes: list[str]) -> str:
    if not outcomes:
        return "No checks"
    marks = [_mark(outcome)[1] for outcome in outcomes]
    if "failure" in marks:
        return "Some checks were not successful"
    return "Some checks haven’t completed yet" if "pending" in marks else "All checks have passed"


def _mark(outcome: str) -> tuple[str, str]:
    return _MARKS.get(outcome, _FAILED)


def _check_row(check: CheckRun, home: str) -> Html:
    sign, kind = _mark(check.conclusion)
    word = check.conclusion.replace("_", " ") or check.status.replace("_", " ")
    line = [
        el("span", sign, class_=f"mark {kind}"),
        el("a", el("strong", check.name), href=f"{home}/runs/{check.id}"),
        el("span", f" {word}" + (f" — {check.title}" if check.title else ""), class_="muted"),
        " ",
        el("a", "Details", href=check.details_url or f"{home}/runs/{check.id}"),
    ]
    return el("div", *line, *_annotations(check, opened=False), class_="row")


def _status_row(status: Status) -> Html:
    sign, kind = _mark(status.state)
    line = [el("span", sign, class_=f"mark {kind}"), el("strong", status.context)]
    line.append(el("span", f" {status.state} — {status.description}", class_="muted"))
    if status.target_url:
        line += [Html(" "), el("a", "Details", href=status.target_url)]
    return el("div", *line, class_="row")


def _annotations(check: CheckRun, *, opened: bool) -> list[Html]:
    if not check.annotations:
        return []
    count = len(check.annotations)
    htmls = [
        el(
            "li",
            el(
                "span",
                annotation["annotation_level"],
                class_=f"mark {_LEVELS[annotation['annotation_level']]}",
            ),
            el("code", f"{annotation['path']}:{annotation['start_line']}"),
            " ",
            el("strong", str(annotation.get("title") or "")),
            el("div", str(annotation["message"])),
        )
        for annotation in check.annotations
    ]
    summary = el("summary", f"{count} annotation{'s' if count != 1 else ''}")
    return [el("details", summary, el("ul", *htmls, class_="list"), open=opened)]


def render_check(check: CheckRun, home: str) -> Html:
    """One check with its texts and all annotations."""
    sign, kind = _mark(check.conclusion)
    head = el("h1", el("span", sign, class_=f"mark {kind}"), check.name)
    texts = [text for text in (check.summary, check.text) if text]
    body = [
        el("header", el("strong", check.title or check.name), " ", el("code", check.head[:7])),
        *(el("div", render(text, home), class_="markdown") for text in texts),
        *(el("div", annotation, class_="row") for annotation in _annotations(check, opened=True)),
    ]
    by = el(
        "p", f"Posted by {check.app}, external id ", el("code", check.external_id or "none"), class_="muted"
    )
    return join([head, by, el("section", *body, class_="box")])

"""`/repos/…/issues`: issues, labels, comments, reactions, events and the timeline."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.github import issues, tokens
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.errors import invalid, not_found
from orchestrator.sandbox.github.model import IssueRecord, Label


def list_issues(call: RepositoryCall) -> ApiResponse:
    """Issues and pull requests that the query asks for, newest first."""
    query = call.request.query
    labels = {name.lower() for name in query.get("labels", "").split(",") if name}
    state = query.get("state", "open")
    matches = [
        issue
        for issue in call.service.repository.issues.values()
        if state in ("all", issue.state)
        and labels <= {name.lower() for name in issue.labels}
        and issue.updated_at >= query.get("since", "")
        and query.get("creator", issue.author) == issue.author
        and query.get("assignee", "*") in ("*", *issue.assignees)
    ]
    key = {"updated": "updated_at", "created": "created_at"}.get(query.get("sort", "created"), "created_at")
    matches.sort(
        key=lambda issue: (getattr(issue, key), issue.number), reverse=query.get("direction") != "asc"
    )
    return call.page([call.issues.issue(issue) for issue in matches])


def get_issue(call: RepositoryCall) -> ApiResponse:
    """One issue."""
    return ApiResponse(200, call.issues.issue(_issue(call)))


def create_issue(call: RepositoryCall) -> ApiResponse:
    """Open an issue. Labels and assignees of whoever may not set them are left out, as GitHub does."""
    content, may = call.content, _may_sort(call)
    issue = issues.open_issue(
        call.service,
        call.token.login,
        call.text("title"),
        content.get("body") or "",
        _names(content.get("labels") or []) if may else [],
        content.get("assignees") or [] if may else [],
    )
    return ApiResponse(201, call.issues.issue(issue))


def update_issue(call: RepositoryCall) -> ApiResponse:
    """Change an issue; fields that the request leaves out stay."""
    issue, content, actor = _issue(call), call.content, call.token.login
    if content.get("title") is not None:
        issues.rename(call.service, issue, actor, str(content["title"]))
    if "body" in content:
        issue.body = issues.check_body("Issue", content["body"] or "")
    if content.get("labels") is not None:
        issues.set_labels(call.service, issue, actor, _names(content["labels"]))
    if content.get("assignees") is not None:
        issues.set_assignees(call.service, issue, actor, content["assignees"])
    change_state(call, issue)
    issue.updated_at = call.service.now()
    return ApiResponse(200, call.issues.issue(issue))


def change_state(call: RepositoryCall, issue: IssueRecord) -> None:
    """Close or open it, when the request says so."""
    state = call.content.get("state")
    if state == "closed":
        issues.close(call.service, issue, call.token.login, str(call.content.get("state_reason") or ""))
    elif state == "open":
        issues.reopen(call.service, issue, call.token.login)
    elif state is not None:
        raise invalid("Issue", "state", code="invalid")


def check_assignee(call: RepositoryCall) -> ApiResponse:
    """Can somebody be assigned? 204, else 404."""
    if not issues.is_assignable(call.service, call.arguments["assignee"]):
        raise not_found()
    return ApiResponse(204)


def list_labels_of(call: RepositoryCall) -> ApiResponse:
    """The labels on an issue."""
    return call.page(_labels(call, _issue(call)))


def add_labels(call: RepositoryCall) -> ApiResponse:
    """Put labels on an issue."""
    issue = _issue(call)
    issues.add_labels(call.service, issue, call.token.login, _names(call.content.get("labels") or []))
    return ApiResponse(200, _labels(call, issue))


def set_labels(call: RepositoryCall) -> ApiResponse:
    """Leave these labels on an issue and no others."""
    issue = _issue(call)
    issues.set_labels(call.service, issue, call.token.login, _names(call.content.get("labels") or []))
    return ApiResponse(200, _labels(call, issue))


def remove_label(call: RepositoryCall) -> ApiResponse:
    """Take a label off an issue."""
    issue = _issue(call)
    issues.remove_label(call.service, issue, call.token.login, call.arguments["name"])
    return ApiResponse(200, _labels(call, issue))


def list_comments(call: RepositoryCall) -> ApiResponse:
    """The comments on an issue, oldest first."""
    issue, since = _issue(call), call.request.query.get("since", "")
    return call.page(
        [call.issues.comment(issue, comment) for comment in issue.comments if comment.updated_at >= since]
    )


def create_comment(call: RepositoryCall) -> ApiResponse:
    """Comment on an issue."""
    issue = _issue(call)
    comment = issues.comment(call.service, issue, call.token.login, call.text("body"))
    document = call.issues.comment(issue, comment)
    return ApiResponse(201, document, {"Location": document["url"]})


def get_comment(call: RepositoryCall) -> ApiResponse:
    """One comment."""
    return ApiResponse(
        200, call.issues.comment(*issues.find_comment(call.service, call.arguments["comment_id"]))
    )


def update_comment(call: RepositoryCall) -> ApiResponse:
    """Give a comment another text."""
    issue, comment = issues.find_comment(call.service, call.arguments["comment_id"])
    _check_own(call, comment.author)
    issues.edit_comment(call.service, comment, call.text("body"))
    return ApiResponse(200, call.issues.comment(issue, comment))


def delete_comment(call: RepositoryCall) -> ApiResponse:
    """Take a comment away."""
    issue, comment = issues.find_comment(call.service, call.arguments["comment_id"])
    _check_own(call, comment.author)
    issue.comments.remove(comment)
    return ApiResponse(204)


def list_reactions(call: RepositoryCall) -> ApiResponse:
    """The emoji on a comment."""
    _, comment = issues.find_comment(call.service, call.arguments["comment_id"])
    return call.page([call.shapes.reaction(reaction) for reaction in comment.reactions])


def create_reaction(call: RepositoryCall) -> ApiResponse:
    """Set an emoji on a comment; 200 when it was there."""
    _, comment = issues.find_comment(call.service, call.arguments["comment_id"])
    reaction, new = issues.react(call.service, comment, call.token.login, call.text("content"))
    return ApiResponse(201 if new else 200, call.shapes.reaction(reaction))


def list_events(call: RepositoryCall) -> ApiResponse:
    """What happened to an issue, oldest first."""
    return call.page([call.issues.event(event) for event in _issue(call).events])


def timeline(call: RepositoryCall) -> ApiResponse:
    """What happened to an issue with its comments, reviews and commits, oldest first."""
    return call.page(_timeline_entries(call))


def _timeline_entries(call: RepositoryCall) -> list[dict[str, Any]]:
    """The timeline: ids tell the order within a second."""
    issue, shapes = _issue(call), call.issues
    entries = [((event.at, event.id), shapes.event(event)) for event in issue.events]
    for comment in issue.comments:
        who = call.shapes.user(comment.author)
        document = {**shapes.comment(issue, comment), "event": "commented", "actor": who}
        entries.append(((comment.created_at, comment.id), document))
    for review in issue.reviews:
        document = {**shapes.review(issue, review), "event": "reviewed"}
        entries.append(((review.submitted_at, review.id), document))
    entries.sort(key=lambda entry: entry[0])
    commits = call.service.git.commits(issue.pull.base, issue.pull.head) if issue.pull else []
    return [*map(shapes.committed, commits), *(document for _, document in entries)]


def list_labels(call: RepositoryCall) -> ApiResponse:
    """The labels of the repository."""
    labels = call.service.repository.labels
    return call.page([call.shapes.label(call.service.repository, name) for name in sorted(labels)])


def get_label(call: RepositoryCall) -> ApiResponse:
    """One label."""
    known_label = _known_label(call, call.arguments["name"])
    if known_label is None:
        raise not_found()
    return ApiResponse(200, call.shapes.label(call.service.repository, known_label.name))


def create_label(call: RepositoryCall) -> ApiResponse:
    """Make a label."""
    name = call.text("name")
    if _known_label(call, name):
        raise invalid("Label", "name", code="already_exists")
    color = str(call.content.get("color") or "ededed")
    description = str(call.content.get("description") or "")
    call.service.repository.labels[name] = Label(call.service.next_id(), name, color, description)
    return ApiResponse(201, call.shapes.label(call.service.repository, name))


def _known_label(call: RepositoryCall, name: str) -> Label | None:
    labels = call.service.repository.labels.values()
    return next((label for label in labels if label.name.lower() == name.lower()), None)


def _issue(call: RepositoryCall) -> IssueRecord:
    return call.service.issue(call.arguments["issue_number"])


def _labels(call: RepositoryCall, issue: IssueRecord) -> list[dict[str, Any]]:
    return [call.shapes.label(call.service.repository, name) for name in issue.labels]


def _names(labels: list[Any]) -> list[str]:
    return [str(label["name"]) if isinstance(label, dict) else str(label) for label in labels]


def _may_sort(call: RepositoryCall) -> bool:
    role = call.service.repository.roles.get(call.token.login, "none")
    return bool(call.token.app) or role not in ("none", "read")


def _check_own(call: RepositoryCall, author: str) -> None:
    """Other people's comments may be changed by whoever may write here; an app's own are its own anyway."""
    if author != call.token.login:
        tokens.authorize(call.token, call.service.repository, "issues:write|pull-requests:write")

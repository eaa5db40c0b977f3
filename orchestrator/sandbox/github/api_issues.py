"""`/repos/…/issues`: issues, labels, comments, reactions, events and the timeline."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.github import issues, tokens
from orchestrator.sandbox.github.call import Answer, Call
from orchestrator.sandbox.github.errors import invalid, not_found
from orchestrator.sandbox.github.model import Issue, Label


def list_issues(call: Call) -> Answer:
    """Issues and pull requests that the query asks for, newest first."""
    query = call.request.query
    wanted = {name.lower() for name in query.get("labels", "").split(",") if name}
    state = query.get("state", "open")
    found = [
        one
        for one in call.place.repository.issues.values()
        if state in ("all", one.state)
        and wanted <= {name.lower() for name in one.labels}
        and one.updated_at >= query.get("since", "")
        and query.get("creator", one.author) == one.author
        and query.get("assignee", "*") in ("*", *one.assignees)
    ]
    key = {"updated": "updated_at", "created": "created_at"}.get(query.get("sort", "created"), "created_at")
    found.sort(key=lambda one: (getattr(one, key), one.number), reverse=query.get("direction") != "asc")
    return call.page([call.issues.issue(one) for one in found])


def get_issue(call: Call) -> Answer:
    """One issue."""
    return Answer(200, call.issues.issue(_issue(call)))


def create_issue(call: Call) -> Answer:
    """Open an issue. Labels and assignees of whoever may not set them are left out, as GitHub does."""
    content, may = call.content, _may_sort(call)
    made = issues.open_issue(
        call.place,
        call.token.login,
        call.text("title"),
        content.get("body") or "",
        _names(content.get("labels") or []) if may else [],
        content.get("assignees") or [] if may else [],
    )
    return Answer(201, call.issues.issue(made))


def update_issue(call: Call) -> Answer:
    """Change an issue; what is not told stays."""
    issue, content, actor = _issue(call), call.content, call.token.login
    if content.get("title") is not None:
        issues.rename(call.place, issue, actor, str(content["title"]))
    if "body" in content:
        issue.body = issues.check_body("Issue", content["body"] or "")
    if content.get("labels") is not None:
        issues.set_labels(call.place, issue, actor, _names(content["labels"]))
    if content.get("assignees") is not None:
        issues.set_assignees(call.place, issue, actor, content["assignees"])
    change_state(call, issue)
    issue.updated_at = call.place.now()
    return Answer(200, call.issues.issue(issue))


def change_state(call: Call, issue: Issue) -> None:
    """Close or open it, when the request says so."""
    state = call.content.get("state")
    if state == "closed":
        issues.close(call.place, issue, call.token.login, str(call.content.get("state_reason") or ""))
    elif state == "open":
        issues.reopen(call.place, issue, call.token.login)
    elif state is not None:
        raise invalid("Issue", "state", code="invalid")


def check_assignee(call: Call) -> Answer:
    """Can somebody be assigned? 204, else 404."""
    if not issues.is_assignable(call.place, call.arguments["assignee"]):
        raise not_found()
    return Answer(204)


def list_labels_of(call: Call) -> Answer:
    """The labels on an issue."""
    return call.page(_labels(call, _issue(call)))


def add_labels(call: Call) -> Answer:
    """Put labels on an issue."""
    issue = _issue(call)
    issues.add_labels(call.place, issue, call.token.login, _names(call.content.get("labels") or []))
    return Answer(200, _labels(call, issue))


def set_labels(call: Call) -> Answer:
    """Leave these labels on an issue and no others."""
    issue = _issue(call)
    issues.set_labels(call.place, issue, call.token.login, _names(call.content.get("labels") or []))
    return Answer(200, _labels(call, issue))


def remove_label(call: Call) -> Answer:
    """Take a label off an issue."""
    issue = _issue(call)
    issues.remove_label(call.place, issue, call.token.login, call.arguments["name"])
    return Answer(200, _labels(call, issue))


def list_comments(call: Call) -> Answer:
    """The comments on an issue, oldest first."""
    issue, since = _issue(call), call.request.query.get("since", "")
    return call.page([call.issues.comment(issue, one) for one in issue.comments if one.updated_at >= since])


def create_comment(call: Call) -> Answer:
    """Comment on an issue."""
    issue = _issue(call)
    made = issues.comment(call.place, issue, call.token.login, call.text("body"))
    document = call.issues.comment(issue, made)
    return Answer(201, document, {"Location": document["url"]})


def get_comment(call: Call) -> Answer:
    """One comment."""
    return Answer(200, call.issues.comment(*issues.find_comment(call.place, call.arguments["comment_id"])))


def update_comment(call: Call) -> Answer:
    """Give a comment another text."""
    issue, one = issues.find_comment(call.place, call.arguments["comment_id"])
    _check_own(call, one.author)
    issues.edit_comment(call.place, one, call.text("body"))
    return Answer(200, call.issues.comment(issue, one))


def delete_comment(call: Call) -> Answer:
    """Take a comment away."""
    issue, one = issues.find_comment(call.place, call.arguments["comment_id"])
    _check_own(call, one.author)
    issue.comments.remove(one)
    return Answer(204)


def list_reactions(call: Call) -> Answer:
    """The emoji on a comment."""
    _, one = issues.find_comment(call.place, call.arguments["comment_id"])
    return call.page([call.shapes.reaction(reaction) for reaction in one.reactions])


def create_reaction(call: Call) -> Answer:
    """Set an emoji on a comment; 200 when it was there."""
    _, one = issues.find_comment(call.place, call.arguments["comment_id"])
    made, new = issues.react(call.place, one, call.token.login, call.text("content"))
    return Answer(201 if new else 200, call.shapes.reaction(made))


def list_events(call: Call) -> Answer:
    """What happened to an issue, oldest first."""
    return call.page([call.issues.event(one) for one in _issue(call).events])


def timeline(call: Call) -> Answer:
    """What happened to an issue with its comments, reviews and commits, oldest first."""
    return call.page(_story(call))


def _story(call: Call) -> list[dict[str, Any]]:
    """The timeline: ids tell the order within a second."""
    issue, shapes = _issue(call), call.issues
    found = [((one.at, one.id), shapes.event(one)) for one in issue.events]
    for comment in issue.comments:
        who = call.shapes.user(comment.author)
        document = {**shapes.comment(issue, comment), "event": "commented", "actor": who}
        found.append(((comment.created_at, comment.id), document))
    for review in issue.reviews:
        document = {**shapes.review(issue, review), "event": "reviewed"}
        found.append(((review.submitted_at, review.id), document))
    found.sort(key=lambda one: one[0])
    commits = call.place.git.commits(issue.pull.base, issue.pull.head) if issue.pull else []
    return [*map(shapes.committed, commits), *(document for _, document in found)]


def list_labels(call: Call) -> Answer:
    """The labels of the repository."""
    known = call.place.repository.labels
    return call.page([call.shapes.label(call.place.repository, name) for name in sorted(known)])


def get_label(call: Call) -> Answer:
    """One label."""
    known = _known_label(call, call.arguments["name"])
    if known is None:
        raise not_found()
    return Answer(200, call.shapes.label(call.place.repository, known.name))


def create_label(call: Call) -> Answer:
    """Make a label."""
    name = call.text("name")
    if _known_label(call, name):
        raise invalid("Label", "name", code="already_exists")
    color = str(call.content.get("color") or "ededed")
    description = str(call.content.get("description") or "")
    call.place.repository.labels[name] = Label(call.place.next_id(), name, color, description)
    return Answer(201, call.shapes.label(call.place.repository, name))


def _known_label(call: Call, name: str) -> Label | None:
    known = call.place.repository.labels.values()
    return next((one for one in known if one.name.lower() == name.lower()), None)


def _issue(call: Call) -> Issue:
    return call.place.issue(call.arguments["issue_number"])


def _labels(call: Call, issue: Issue) -> list[dict[str, Any]]:
    return [call.shapes.label(call.place.repository, name) for name in issue.labels]


def _names(given: list[Any]) -> list[str]:
    return [str(one["name"]) if isinstance(one, dict) else str(one) for one in given]


def _may_sort(call: Call) -> bool:
    role = call.place.repository.roles.get(call.token.login, "none")
    return bool(call.token.app) or role not in ("none", "read")


def _check_own(call: Call, author: str) -> None:
    """Other people's comments may be changed by whoever may write here; an app's own are its own anyway."""
    if author != call.token.login:
        tokens.check(call.token, call.place.repository, "issues:write|pull-requests:write")

"""What people and bots do with issues, their labels and comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.sandbox.github.errors import GitHubError, invalid, not_found
from orchestrator.sandbox.github.model import Comment, Issue, Reaction
from orchestrator.sandbox.github.place import Place

LONGEST_BODY = 65_536
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_REASONS = ("completed", "not_planned", "reopened", "duplicate")


def check_body(resource: str, body: str) -> str:
    """The text, if GitHub takes one as long as that."""
    if len(body) > LONGEST_BODY:
        raise invalid(resource, "body", f"body is too long (maximum is {LONGEST_BODY} characters)")
    return body


def open_issue(
    place: Place,
    author: str,
    title: str,
    body: str = "",
    labels: Sequence[str] = (),
    assignees: Sequence[str] = (),
) -> Issue:
    """Open an issue."""
    if not title.strip():
        raise invalid("Issue", "title", code="missing_field")
    _check_assignable(place, assignees)
    number = max((int(one) for one in place.repository.issues), default=0) + 1
    now = place.now()
    issue = Issue(place.next_id(), number, title, check_body("Issue", body), author, now, now)
    place.repository.issues[str(number)] = issue
    add_labels(place, issue, author, labels)
    set_assignees(place, issue, author, assignees)
    return issue


def add_labels(place: Place, issue: Issue, actor: str, names: Iterable[str]) -> None:
    """Put labels on; those that are on it stay."""
    for name in names:
        label = place.label(name)
        if label.name not in issue.labels:
            issue.labels.append(label.name)
            place.note(issue, "labeled", actor, label={"name": label.name, "color": label.color})


def remove_label(place: Place, issue: Issue, actor: str, name: str) -> None:
    """Take a label off; 404 when it is not on."""
    on = next((one for one in issue.labels if one.lower() == name.lower()), None)
    if on is None:
        raise not_found()
    issue.labels.remove(on)
    place.note(issue, "unlabeled", actor, label={"name": on, "color": place.label(on).color})


def set_labels(place: Place, issue: Issue, actor: str, names: Sequence[str]) -> None:
    """Leave these labels on and no others."""
    wanted = {name.lower() for name in names}
    for name in [one for one in issue.labels if one.lower() not in wanted]:
        remove_label(place, issue, actor, name)
    add_labels(place, issue, actor, names)


def set_assignees(place: Place, issue: Issue, actor: str, logins: Sequence[str]) -> None:
    """Leave these people assigned; 422 when one of them has no role in the repository."""
    _check_assignable(place, logins)
    for login in [one for one in issue.assignees if one not in logins]:
        place.note(issue, "unassigned", actor, assignee=login, assigner=actor)
    for login in [one for one in logins if one not in issue.assignees]:
        place.note(issue, "assigned", actor, assignee=login, assigner=actor)
    issue.assignees = list(logins)


def is_assignable(place: Place, login: str) -> bool:
    """Can somebody be assigned here?"""
    return place.repository.roles.get(login, "none") != "none"


def _check_assignable(place: Place, logins: Sequence[str]) -> None:
    for login in logins:
        if not is_assignable(place, login):
            wrong = {"resource": "Issue", "field": "assignees", "code": "invalid", "value": login}
            raise GitHubError(422, "Validation Failed", [wrong])


def rename(place: Place, issue: Issue, actor: str, title: str) -> None:
    """Give it another title."""
    if title != issue.title:
        place.note(issue, "renamed", actor, rename={"from": issue.title, "to": title})
        issue.title = title


def close(place: Place, issue: Issue, actor: str, reason: str = "", commit: str = "") -> None:
    """Close it; an issue's reason is `completed` when none is told."""
    if issue.state == "closed":
        return
    if reason and reason not in _REASONS:
        raise invalid("Issue", "state_reason", code="invalid")
    issue.state, issue.closed_by = "closed", actor
    issue.state_reason = "" if issue.pull else reason or "completed"
    issue.closed_at = place.note(
        issue, "closed", actor, commit=commit, state_reason=issue.state_reason or None
    ).at


def reopen(place: Place, issue: Issue, actor: str) -> None:
    """Open it again; a merged pull request stays as it is."""
    if issue.state == "open":
        return
    if issue.pull and issue.pull.merged_at:
        raise invalid("PullRequest", "state", "state cannot be changed. The pull request is merged.")
    if issue.pull and issue.pull.head_ref not in place.git.heads():
        told = f"state cannot be changed. The {issue.pull.head_ref} branch has been deleted."
        raise invalid("PullRequest", "state", told)
    issue.state, issue.closed_at, issue.closed_by = "open", "", ""
    issue.state_reason = "" if issue.pull else "reopened"
    place.note(issue, "reopened", actor, state_reason=issue.state_reason or None)


def comment(place: Place, issue: Issue, author: str, body: str) -> Comment:
    """Write a comment."""
    if not body.strip():
        raise invalid("IssueComment", "body", "body cannot be blank", "unprocessable")
    now = place.now()
    made = Comment(place.next_id(), author, check_body("IssueComment", body), now, now, place.app_of(author))
    issue.comments.append(made)
    issue.updated_at = now
    return made


def find_comment(place: Place, id_: int | str) -> tuple[Issue, Comment]:
    """A comment and what it is on; 404 when there is none."""
    for issue in place.repository.issues.values():
        for one in issue.comments:
            if one.id == int(id_):
                return issue, one
    raise not_found()


def edit_comment(place: Place, one: Comment, body: str) -> None:
    """Give a comment another text."""
    one.body = check_body("IssueComment", body)
    one.updated_at = place.now()


def react(place: Place, one: Comment, login: str, content: str) -> tuple[Reaction, bool]:
    """Set a reaction, once for each person and emoji; was it new?"""
    if content not in REACTIONS:
        raise invalid("Reaction", "content", code="invalid")
    for known in one.reactions:
        if (known.login, known.content) == (login, content):
            return known, False
    made = Reaction(place.next_id(), login, content, place.now())
    one.reactions.append(made)
    return made, True

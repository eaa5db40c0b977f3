"""What people and bots do with issues, their labels and comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.sandbox.github.errors import GitHubError, invalid, not_found
from orchestrator.sandbox.github.model import CommentRecord, IssueRecord, Reaction
from orchestrator.sandbox.github.repository import RepositoryService

LONGEST_BODY = 65_536
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_REASONS = ("completed", "not_planned", "reopened", "duplicate")


def check_body(resource: str, body: str) -> str:
    """The text, if GitHub takes one as long as that."""
    if len(body) > LONGEST_BODY:
        raise invalid(resource, "body", f"body is too long (maximum is {LONGEST_BODY} characters)")
    return body


def open_issue(
    service: RepositoryService,
    author: str,
    title: str,
    body: str = "",
    labels: Sequence[str] = (),
    assignees: Sequence[str] = (),
) -> IssueRecord:
    """Open an issue."""
    if not title.strip():
        raise invalid("Issue", "title", code="missing_field")
    _check_assignable(service, assignees)
    number = max((int(issue) for issue in service.repository.issues), default=0) + 1
    now = service.now()
    issue = IssueRecord(service.next_id(), number, title, check_body("Issue", body), author, now, now)
    service.repository.issues[str(number)] = issue
    add_labels(service, issue, author, labels)
    set_assignees(service, issue, author, assignees)
    return issue


def add_labels(service: RepositoryService, issue: IssueRecord, actor: str, names: Iterable[str]) -> None:
    """Put labels on; those that are on it stay."""
    for name in names:
        label = service.label(name)
        if label.name not in issue.labels:
            issue.labels.append(label.name)
            service.note(issue, "labeled", actor, label={"name": label.name, "color": label.color})


def remove_label(service: RepositoryService, issue: IssueRecord, actor: str, name: str) -> None:
    """Take a label off; 404 when it is not on."""
    on = next((label for label in issue.labels if label.lower() == name.lower()), None)
    if on is None:
        raise not_found()
    issue.labels.remove(on)
    service.note(issue, "unlabeled", actor, label={"name": on, "color": service.label(on).color})


def set_labels(service: RepositoryService, issue: IssueRecord, actor: str, names: Sequence[str]) -> None:
    """Leave these labels on and no others."""
    lowered = {name.lower() for name in names}
    for name in [label for label in issue.labels if label.lower() not in lowered]:
        remove_label(service, issue, actor, name)
    add_labels(service, issue, actor, names)


def set_assignees(service: RepositoryService, issue: IssueRecord, actor: str, logins: Sequence[str]) -> None:
    """Leave these people assigned; 422 when one of them has no role in the repository."""
    _check_assignable(service, logins)
    for login in [assignee for assignee in issue.assignees if assignee not in logins]:
        service.note(issue, "unassigned", actor, assignee=login, assigner=actor)
    for login in [login for login in logins if login not in issue.assignees]:
        service.note(issue, "assigned", actor, assignee=login, assigner=actor)
    issue.assignees = list(logins)


def is_assignable(service: RepositoryService, login: str) -> bool:
    """Can somebody be assigned here?"""
    return service.repository.roles.get(login, "none") != "none"


def _check_assignable(service: RepositoryService, logins: Sequence[str]) -> None:
    for login in logins:
        if not is_assignable(service, login):
            wrong = {"resource": "Issue", "field": "assignees", "code": "invalid", "value": login}
            raise GitHubError(422, "Validation Failed", [wrong])


def rename(service: RepositoryService, issue: IssueRecord, actor: str, title: str) -> None:
    """Give it another title."""
    if title != issue.title:
        service.note(issue, "renamed", actor, rename={"from": issue.title, "to": title})
        issue.title = title


def close(
    service: RepositoryService, issue: IssueRecord, actor: str, reason: str = "", commit: str = ""
) -> None:
    """Close it; an issue's reason is `completed` by default."""
    if issue.state == "closed":
        return
    if reason and reason not in _REASONS:
        raise invalid("Issue", "state_reason", code="invalid")
    issue.state, issue.closed_by = "closed", actor
    issue.state_reason = "" if issue.pull else reason or "completed"
    issue.closed_at = service.note(
        issue, "closed", actor, commit=commit, state_reason=issue.state_reason or None
    ).at


def reopen(service: RepositoryService, issue: IssueRecord, actor: str) -> None:
    """Open it again; a merged pull request stays as it is."""
    if issue.state == "open":
        return
    if issue.pull and issue.pull.merged_at:
        raise invalid("PullRequest", "state", "state cannot be changed. The pull request is merged.")
    if issue.pull and issue.pull.head_ref not in service.git.heads():
        message = f"state cannot be changed. The {issue.pull.head_ref} branch has been deleted."
        raise invalid("PullRequest", "state", message)
    issue.state, issue.closed_at, issue.closed_by = "open", "", ""
    issue.state_reason = "" if issue.pull else "reopened"
    service.note(issue, "reopened", actor, state_reason=issue.state_reason or None)


def comment(service: RepositoryService, issue: IssueRecord, author: str, body: str) -> CommentRecord:
    """Write a comment."""
    if not body.strip():
        raise invalid("IssueComment", "body", "body cannot be blank", "unprocessable")
    now = service.now()
    comment_record = CommentRecord(
        service.next_id(), author, check_body("IssueComment", body), now, now, service.app_of(author)
    )
    issue.comments.append(comment_record)
    issue.updated_at = now
    return comment_record


def find_comment(service: RepositoryService, id_: int | str) -> tuple[IssueRecord, CommentRecord]:
    """A comment and what it is on; 404 when there is none."""
    for issue in service.repository.issues.values():
        for comment in issue.comments:
            if comment.id == int(id_):
                return issue, comment
    raise not_found()


def edit_comment(service: RepositoryService, comment: CommentRecord, body: str) -> None:
    """Give a comment another text."""
    comment.body = check_body("IssueComment", body)
    comment.updated_at = service.now()


def react(
    service: RepositoryService, comment: CommentRecord, login: str, content: str
) -> tuple[Reaction, bool]:
    """Set a reaction, once for each person and emoji; was it new?"""
    if content not in REACTIONS:
        raise invalid("Reaction", "content", code="invalid")
    for reaction in comment.reactions:
        if (reaction.login, reaction.content) == (login, content):
            return reaction, False
    reaction = Reaction(service.next_id(), login, content, service.now())
    comment.reactions.append(reaction)
    return reaction, True

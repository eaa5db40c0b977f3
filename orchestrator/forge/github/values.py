"""Converts PyGithub's objects to our values.

Only attributes that every listing has are read: PyGithub would send a request for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from orchestrator.forge import model

_KINDS: dict[str, type] = {"int": int, "bool": bool}

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from github.Commit import Commit
    from github.Issue import Issue
    from github.IssueComment import IssueComment
    from github.IssueEvent import IssueEvent
    from github.NamedUser import NamedUser
    from github.Organization import Organization
    from github.PullRequest import PullRequest
    from github.PullRequestReview import PullRequestReview


V = TypeVar("V", bound="DataclassInstance")


def checked(value: V) -> V:
    """Returns the value if each field has its type: PyGithub gives None for missing ones.

    Raises TypeError.
    """
    for field in fields(value):
        kind = _KINDS.get(str(field.type), tuple if str(field.type).startswith("tuple") else str)
        content = getattr(value, field.name)
        items = content if kind is tuple and isinstance(content, tuple) else ()
        if type(content) is not kind or not all(isinstance(item, str) for item in items):
            raise TypeError(f"{type(value).__name__}.{field.name} is {type(content).__name__}")
    return value


def when(moment: datetime | None) -> str:
    """RFC 3339 in UTC, empty for no moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def who(user: NamedUser | Organization | None) -> str:
    """A login; empty for an account that is gone."""
    return user.login if user else ""


def pull_request(pull: PullRequest, *, whole: bool = False) -> model.PullRequest:
    """A pull request; `whole` for one that was read by its number, which alone tells who merged it."""
    merged = pull.merged_at is not None
    return checked(
        model.PullRequest(
            number=pull.number,
            title=pull.title or "",
            author=who(pull.user),
            state="closed" if pull.state == "closed" else "open",
            merged=merged,
            draft=bool(pull.draft),
            head=pull.head.sha,
            head_ref=pull.head.ref,
            head_repository=pull.head.repo.full_name if pull.head.repo else "",
            base=pull.base.sha,
            base_ref=pull.base.ref,
            labels=tuple(label.name for label in pull.labels),
            merge_commit=(pull.merge_commit_sha or "") if merged else "",
            merged_at=when(pull.merged_at),
            merged_by=who(pull.merged_by) if whole and merged else "",
            url=pull.html_url,
            body=pull.body or "",
            created_at=when(pull.created_at),
        )
    )


def pull_request_commit(commit: Commit) -> model.PullRequestCommit:
    """A commit of a pull request."""
    return checked(
        model.PullRequestCommit(
            commit.sha, tuple(parent.sha for parent in commit.parents), who(commit.author)
        )
    )


def branch_move(activity: Mapping[str, Any]) -> model.BranchMove:
    """An activity of a branch, as GitHub's JSON has it."""
    actor = (activity["actor"] or {}).get("login", "")
    before, after = ("" if not sha.strip("0") else sha for sha in (activity["before"], activity["after"]))
    return checked(model.BranchMove(actor, before, after, activity["timestamp"]))


def review(pull_request_review: PullRequestReview) -> model.Review:
    """A review; one that is being written has no time yet."""
    state = cast(model.ReviewState, pull_request_review.state)
    return checked(
        model.Review(
            who(pull_request_review.user),
            state,
            pull_request_review.commit_id or "",
            when(pull_request_review.submitted_at),
        )
    )


def label_event(issue_event: IssueEvent) -> model.LabelEvent:
    """A label set or taken off."""
    return checked(
        model.LabelEvent(
            issue_event.label.name,
            who(issue_event.actor),
            when(issue_event.created_at),
            issue_event.event == "labeled",
        )
    )


def comment(issue_comment: IssueComment) -> model.Comment:
    """A comment."""
    return checked(
        model.Comment(
            issue_comment.id,
            who(issue_comment.user),
            issue_comment.body or "",
            when(issue_comment.created_at),
            issue_comment.html_url,
        )
    )


def issue(issue_: Issue) -> model.Issue:
    """An issue."""
    return checked(
        model.Issue(
            number=issue_.number,
            title=issue_.title,
            body=issue_.body or "",
            state="closed" if issue_.state == "closed" else "open",
            author=who(issue_.user),
            labels=tuple(label.name for label in issue_.labels),
            assignees=tuple(who(user) for user in issue_.assignees),
            state_reason=issue_.state_reason or "",
            url=issue_.html_url,
        )
    )


def is_pull_request(issue_: Issue) -> bool:
    """GitHub lists pull requests among issues; the address tells them apart without another request."""
    return issue_.html_url.rstrip("/").rsplit("/", 2)[-2:-1] == ["pull"]

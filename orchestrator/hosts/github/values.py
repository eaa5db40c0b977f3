"""PyGithub's objects → our frozen values.

Only attributes that every listing has are read: PyGithub would send a request for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from orchestrator.hosts import model

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
    """The value, if each field has its type: PyGithub gives None for what is missing. Raises TypeError."""
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


def pull_request(one: PullRequest, *, whole: bool = False) -> model.PullRequest:
    """A pull request; `whole` for one that was read by its number, which alone tells who merged it."""
    merged = one.merged_at is not None
    return checked(
        model.PullRequest(
            number=one.number,
            title=one.title or "",
            author=who(one.user),
            state="closed" if one.state == "closed" else "open",
            merged=merged,
            draft=bool(one.draft),
            head=one.head.sha,
            head_ref=one.head.ref,
            head_repository=one.head.repo.full_name if one.head.repo else "",
            base=one.base.sha,
            base_ref=one.base.ref,
            labels=tuple(label.name for label in one.labels),
            merge_commit=(one.merge_commit_sha or "") if merged else "",
            merged_at=when(one.merged_at),
            merged_by=who(one.merged_by) if whole and merged else "",
            url=one.html_url,
            body=one.body or "",
            created_at=when(one.created_at),
        )
    )


def pull_request_commit(one: Commit) -> model.PullRequestCommit:
    """A commit of a pull request."""
    return checked(
        model.PullRequestCommit(one.sha, tuple(parent.sha for parent in one.parents), who(one.author))
    )


def branch_move(one: Mapping[str, Any]) -> model.BranchMove:
    """An activity of a branch, as GitHub's JSON has it."""
    actor = (one["actor"] or {}).get("login", "")
    before, after = ("" if not sha.strip("0") else sha for sha in (one["before"], one["after"]))
    return checked(model.BranchMove(actor, before, after, one["timestamp"]))


def review(one: PullRequestReview) -> model.Review:
    """A review; one that is being written has no time yet."""
    state = cast(model.ReviewState, one.state)
    return checked(model.Review(who(one.user), state, one.commit_id or "", when(one.submitted_at)))


def label_event(one: IssueEvent) -> model.LabelEvent:
    """A label set or taken off."""
    return checked(
        model.LabelEvent(one.label.name, who(one.actor), when(one.created_at), one.event == "labeled")
    )


def comment(one: IssueComment) -> model.Comment:
    """A comment."""
    return checked(model.Comment(one.id, who(one.user), one.body or "", when(one.created_at), one.html_url))


def issue(one: Issue) -> model.Issue:
    """An issue."""
    return checked(
        model.Issue(
            number=one.number,
            title=one.title,
            body=one.body or "",
            state="closed" if one.state == "closed" else "open",
            author=who(one.user),
            labels=tuple(label.name for label in one.labels),
            assignees=tuple(who(user) for user in one.assignees),
            state_reason=one.state_reason or "",
            url=one.html_url,
        )
    )


def is_pull_request(one: Issue) -> bool:
    """GitHub lists pull requests among issues; the address tells them apart without another request."""
    return one.html_url.rstrip("/").rsplit("/", 2)[-2:-1] == ["pull"]

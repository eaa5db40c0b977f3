"""Values that a forge returns. Every text in them is untrusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Permission = Literal["admin", "maintain", "write", "triage", "read", "none"]
ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
Conclusion = Literal[
    "", "success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"
]
StatusState = Literal["pending", "success", "failure", "error"]
DeploymentState = Literal["queued", "in_progress", "success", "failure", "error", "inactive", "pending"]
Level = Literal["notice", "warning", "failure"]

# Who may say yes: the permissions with which one can push.
WRITERS: tuple[Permission, ...] = ("admin", "maintain", "write")


@dataclass(frozen=True)
class PullRequest:
    """A pull request. `head` and `base` are commits, `head_ref` and `base_ref` branches.

    `merge_commit` is the commit on trunk once it is merged (for a rebase the last one), empty before. Times
    are RFC 3339 in UTC, empty if not applicable. `head_repository` is `OWNER/NAME`, empty for a deleted fork.
    `merged_by` is set for a pull request that was read by its number, not in lists.
    """

    number: int
    title: str
    author: str
    state: Literal["open", "closed"]
    merged: bool
    draft: bool
    head: str
    head_ref: str
    head_repository: str
    base: str
    base_ref: str
    labels: tuple[str, ...] = ()
    merge_commit: str = ""
    merged_at: str = ""
    merged_by: str = ""
    url: str = ""
    body: str = ""
    created_at: str = ""


@dataclass(frozen=True)
class Review:
    """One review; `commit` is the head that was reviewed."""

    author: str
    state: ReviewState
    commit: str
    submitted_at: str


@dataclass(frozen=True)
class BranchMove:
    """A push to a branch, its creation or its deletion, by whatever means.

    `before` and `after` are commits, empty where there was no branch. `actor` is empty for a deleted account.
    `at` is RFC 3339 in UTC.
    """

    actor: str
    before: str
    after: str
    at: str


@dataclass(frozen=True)
class PullRequestCommit:
    """A commit of a pull request; `author` is the login that the forge knows for it, else empty."""

    id: str
    parents: tuple[str, ...]
    author: str


@dataclass(frozen=True)
class LabelEvent:
    """A label was added to a pull request, or removed from it."""

    label: str
    actor: str
    at: str
    added: bool


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request or an issue."""

    id: int
    author: str
    body: str
    created_at: str
    url: str = ""


@dataclass(frozen=True)
class Annotation:
    """A remark of a check on a line of a file; `path` from the repository's root, `line` 1-based."""

    path: str
    line: int
    level: Level
    message: str
    title: str = ""


@dataclass(frozen=True)
class NewCheck:
    """A check to post. `summary` and `text` are Markdown of at most 65,535 characters each."""

    name: str
    head: str
    conclusion: Conclusion
    title: str
    summary: str
    text: str = ""
    url: str = ""
    annotations: Sequence[Annotation] = ()


@dataclass(frozen=True)
class WaitingRun:
    """A run of a workflow that waits for the reviewers of an environment; `since` is RFC 3339."""

    title: str
    url: str
    since: str


@dataclass(frozen=True)
class Issue:
    """An issue; `state_reason` is `completed`, `not_planned`, `reopened` or empty."""

    number: int
    title: str
    body: str
    state: Literal["open", "closed"]
    author: str
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    state_reason: str = ""
    url: str = ""


@dataclass(frozen=True)
class RunReview:
    """A review of a workflow run's environments.

    The forge reports neither its time nor its attempt of the run.
    """

    user: str
    state: Literal["approved", "rejected", "pending"]
    environments: tuple[str, ...]
    comment: str = ""

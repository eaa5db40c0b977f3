"""What the rest of the program needs of a host of reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.hosts.model import (
    BranchMove,
    Comment,
    DeploymentState,
    Issue,
    LabelEvent,
    NewCheck,
    Permission,
    PullRequest,
    PullRequestCommit,
    Review,
    RunReview,
    StatusState,
)
from orchestrator.hosts.settings import HostEnvironment

# The variable with a token that may read an organization's members: a workflow's own cannot.
TEAMS_TOKEN = "INFRA_TEAMS_TOKEN"  # noqa: S105 - its name


class Host(Protocol):
    """One repository on a host, as the holder of one token sees it.

    Every method raises HostError when the host says no, after it was asked again as long as that made sense
    (429, 5xx, secondary limits). Lists are whole (all pages), oldest first.
    """

    @property
    def repository(self) -> str:
        """`OWNER/NAME`."""

    @property
    def login(self) -> str:
        """Whom the token belongs to, such as `github-actions[bot]`: whose comments are ours."""

    @property
    def teams(self) -> Teams | None:
        """Who is in which team; None where there is no token that may read it."""

    # Pull requests

    def pull_request(self, number: int) -> PullRequest:
        """One pull request."""

    def open_pull_requests(self, base: str) -> list[PullRequest]:
        """Those that are open and want to merge into a branch."""

    def pull_requests_of(self, commit: str) -> list[PullRequest]:
        """Those that a commit belongs to."""

    def create_pull_request(self, title: str, body: str, head: str, base: str) -> PullRequest:
        """Open one; `head` and `base` are branches of this repository."""

    def changed_paths(self, number: int) -> list[str]:
        """Paths that a pull request changes, both names of a renamed file; at most 3,000 are told."""

    def pull_request_commits(self, number: int) -> list[PullRequestCommit]:
        """Its commits; at most 250 are told."""

    def branch_moves(self, branch: str) -> list[BranchMove]:
        """Who moved a branch of this repository, also one that is gone by now."""

    def reviews(self, number: int) -> list[Review]:
        """Its reviews."""

    def label_events(self, number: int) -> list[LabelEvent]:
        """When labels were set and taken off, and by whom."""

    def permission(self, login: str) -> Permission:
        """What somebody may do in the repository."""

    # Comments; `number` is a pull request's or an issue's

    def comments(self, number: int) -> list[Comment]:
        """Its comments."""

    def create_comment(self, number: int, body: str) -> Comment:
        """Write one."""

    def update_comment(self, comment: int, body: str) -> None:
        """Write another text into one of ours."""

    def delete_comment(self, comment: int) -> None:
        """Take one of ours away."""

    def react(self, comment: int, reaction: str) -> None:
        """Set a reaction: `eyes`, `rocket`, `confused`, `+1`, `-1`."""

    # Commits

    def create_check(self, check: NewCheck) -> None:
        """Post a completed check, with all its annotations (they go out fifty at a time)."""

    def set_status(self, commit: str, context: str, state: StatusState, text: str, url: str = "") -> None:
        """Set a commit status; `text` is cut to 140 characters."""

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        """Note that a commit is being deployed; gives the deployment's id."""

    def set_deployment(self, id_: int, state: DeploymentState, text: str = "", url: str = "") -> None:
        """How a deployment goes."""

    # Issues

    def issues(self, labels: Sequence[str] = (), state: str = "open") -> list[Issue]:
        """Issues (not pull requests) with all of these labels; `state` is open, closed or all."""

    def create_issue(
        self, title: str, body: str, labels: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> Issue:
        """Open an issue. Assignees who cannot be assigned are left out by the host."""

    def update_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        labels: Sequence[str] | None = None,
        assignees: Sequence[str] | None = None,
        state: str | None = None,
        state_reason: str | None = None,
    ) -> Issue:
        """Change an issue; what is None stays."""

    # Workflows

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow (`infra-apply.yml`) that has a `workflow_dispatch`."""

    def environment(self, name: str) -> HostEnvironment:
        """A deployment environment. HostError with status 404 when there is none."""

    def run_reviews(self, run: int) -> list[RunReview]:
        """What reviewers answered for the environments of a workflow run, in all its attempts."""


class Teams(Protocol):
    """Who is in which team, as the holder of a token sees it that may read an organization's members."""

    def is_member(self, team: str, login: str) -> bool:
        """Whether somebody is in a team, `ORGANIZATION/TEAM`, or in one below it. Raises HostError."""

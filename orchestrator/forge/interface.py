"""The interface of a forge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from orchestrator.forge.model import (
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
    WaitingRun,
)
from orchestrator.forge.settings import ForgeEnvironment
from orchestrator.forge.words import ForgeWords

# The variable with a token that may read an organization's members: a workflow's own cannot.
TEAMS_TOKEN = "INFRA_TEAMS_TOKEN"  # noqa: S105 - its name


class Forge(Protocol):
    """One repository on a forge, with the permissions of one token.

    Every method raises ForgeError if the forge refuses, after retries where they help (429, 5xx, secondary
    limits). Lists are complete (all pages), oldest first.
    """

    @property
    def repository(self) -> str:
        """`OWNER/NAME`."""

    @property
    def words(self) -> ForgeWords:
        """The names that this forge has for things."""

    @property
    def login(self) -> str:
        """The login of the token, such as `github-actions[bot]`: its comments are ours."""

    @property
    def teams(self) -> Teams | None:
        """Team members; None without a token that may read them."""

    # Pull requests

    def pull_request(self, number: int) -> PullRequest:
        """One pull request."""

    def open_pull_requests(self, base: str) -> list[PullRequest]:
        """The open pull requests into a branch."""

    def pull_requests_of(self, commit: str) -> list[PullRequest]:
        """The pull requests that contain a commit."""

    def create_pull_request(self, title: str, body: str, head: str, base: str) -> PullRequest:
        """Opens a pull request; `head` and `base` are branches of this repository."""

    def changed_paths(self, number: int) -> list[str]:
        """Paths that a pull request changes, both names of a renamed file; at most 3,000."""

    def pull_request_commits(self, number: int) -> list[PullRequestCommit]:
        """Its commits; at most 250."""

    def branch_moves(self, branch: str) -> list[BranchMove]:
        """The pushes to a branch of this repository, also to a deleted one."""

    def reviews(self, number: int) -> list[Review]:
        """Its reviews."""

    def label_events(self, number: int) -> list[LabelEvent]:
        """When labels were added and removed, and by whom."""

    def permission(self, login: str) -> Permission:
        """A login's permission on the repository."""

    # Comments; `number` is a pull request's or an issue's

    def comments(self, number: int) -> list[Comment]:
        """Its comments."""

    def create_comment(self, number: int, body: str) -> Comment:
        """Creates a comment."""

    def update_comment(self, comment: int, body: str) -> None:
        """Replaces the text of one of our comments."""

    def delete_comment(self, comment: int) -> None:
        """Deletes one of our comments."""

    def react(self, comment: int, reaction: str) -> None:
        """Adds a reaction: `eyes`, `rocket`, `confused`, `+1`, `-1`."""

    # Commits

    def create_check(self, check: NewCheck) -> None:
        """Posts a completed check with all its annotations (fifty a request)."""

    def set_status(self, commit: str, context: str, state: StatusState, text: str, url: str = "") -> None:
        """Sets a commit status; `text` is cut to 140 characters."""

    def status(self, commit: str, context: str) -> StatusState | None:
        """The newest status in a context; None if there is none."""

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        """Creates a deployment of a commit; returns its id."""

    def set_deployment(self, id_: int, state: DeploymentState, text: str = "", url: str = "") -> None:
        """Sets the state of a deployment."""

    def waiting_runs(self) -> list[WaitingRun]:
        """The newest 100 runs of workflows that wait for the reviewers of an environment."""

    # Issues

    def issues(self, labels: Sequence[str] = (), state: str = "open") -> list[Issue]:
        """Issues (not pull requests) with all of these labels; `state` is open, closed or all."""

    def create_issue(
        self, title: str, body: str, labels: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> Issue:
        """Opens an issue. The forge ignores assignees who cannot be assigned."""

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
        """Changes an issue; None leaves a field as it is."""

    # Workflows

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> None:
        """Starts a workflow (`infra-apply.yml`) that has a `workflow_dispatch` trigger."""

    def environment(self, name: str) -> ForgeEnvironment:
        """A deployment environment. Raises ForgeError with status 404 if there is none."""

    def run_reviews(self, run: int) -> list[RunReview]:
        """The reviews of a workflow run's environments, in all its attempts."""


class OpenForge(Forge, Protocol):
    """A forge with an open connection: close it, or use it as a context manager."""

    def close(self) -> None:
        """Close the connections."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Teams(Protocol):
    """Team members, as a token sees them that may read an organization's members."""

    def is_member(self, team: str, login: str) -> bool:
        """Whether a login is in a team, `ORGANIZATION/TEAM`, or in one below it. Raises ForgeError."""

"""The data of the GitHub server: users, tokens, repositories and what happens in them.

Everything is a plain mutable value that `saving` can write as JSON. Times are RFC 3339 in UTC, to the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

AREAS = (
    "contents",
    "pull-requests",
    "issues",
    "checks",
    "statuses",
    "deployments",
    "actions",
    "administration",
    "members",
    "variables",
)
LEVELS = ("none", "read", "write")
ROLES = ("none", "read", "triage", "write", "maintain", "admin")
BOT = "[bot]"
# Whom the token of a workflow's run belongs to.
ACTIONS = f"github-actions{BOT}"


@dataclass
class User:
    """A person, a bot (`NAME[bot]`) or an organization (`kind`)."""

    id: int
    login: str
    kind: str
    created_at: str


@dataclass
class Token:
    """Who holds it, and what it may do: `permissions` maps an area of AREAS to a level; a person's token has
    none of its own and may do what the person's role allows. `app` is the slug of the app of a bot.
    """

    login: str
    app: str = ""
    permissions: dict[str, str] = field(default_factory=dict)


@dataclass
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass
class Reaction:
    """An emoji on a comment."""

    id: int
    login: str
    content: str
    created_at: str


@dataclass
class CommentRecord:
    """A comment on an issue or a pull request."""

    id: int
    author: str
    body: str
    created_at: str
    updated_at: str
    app: str = ""
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class ReviewRecord:
    """A review, given on `commit`."""

    id: int
    author: str
    state: str
    body: str
    commit: str
    submitted_at: str


@dataclass
class TimelineEvent:
    """Something that happened: labeled, closed, merged, committed…; `detail` is what the kind has besides."""

    id: int
    kind: str
    actor: str
    at: str
    commit: str = ""
    app: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass
class Pull:
    """What a pull request is more than an issue.

    `head` and `base` are commits; `tested` is the base tip that `mergeable` and `merge_commit` (the test
    merge, once merged the commit on trunk) were made for. `landed` are the commits that the merge brought.
    """

    head_ref: str
    head: str
    base_ref: str
    base: str
    draft: bool = False
    mergeable: bool | None = None
    tested: str = ""
    merge_commit: str = ""
    merged_at: str = ""
    merged_by: str = ""
    landed: list[str] = field(default_factory=list)


@dataclass
class IssueRecord:
    """An issue, or a pull request when `pull` is there."""

    id: int
    number: int
    title: str
    body: str
    author: str
    created_at: str
    updated_at: str
    state: str = "open"
    state_reason: str = ""
    closed_at: str = ""
    closed_by: str = ""
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    comments: list[CommentRecord] = field(default_factory=list)
    reviews: list[ReviewRecord] = field(default_factory=list)
    events: list[TimelineEvent] = field(default_factory=list)
    pull: Pull | None = None


@dataclass
class CheckRun:
    """A check run; each of `annotations` is as it was sent."""

    id: int
    name: str
    head: str
    app: str
    status: str
    conclusion: str
    external_id: str
    details_url: str
    started_at: str
    completed_at: str
    title: str = ""
    summary: str = ""
    text: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Status:
    """A commit status."""

    id: int
    commit: str
    context: str
    state: str
    description: str
    target_url: str
    creator: str
    created_at: str


@dataclass
class DeploymentStatus:
    """How a deployment went on."""

    id: int
    state: str
    description: str
    log_url: str
    environment_url: str
    creator: str
    created_at: str


@dataclass
class Deployment:
    """A commit that goes to an environment."""

    id: int
    commit: str
    ref: str
    task: str
    environment: str
    description: str
    payload: Any
    creator: str
    created_at: str
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass
class DeploymentEnvironment:
    """A deployment environment. `branches` is None when any branch may deploy, else the patterns that may.

    `reviewers` are logins and teams, `ORGANIZATION/TEAM`.
    """

    id: int
    name: str
    created_at: str
    reviewers: list[str] = field(default_factory=list)
    prevent_self_review: bool = False
    wait_minutes: int = 0
    branches: list[str] | None = None
    protected_branches: bool = False


@dataclass
class Dispatch:
    """A workflow that was requested; nothing runs it unless a hook does."""

    workflow: str
    ref: str
    inputs: dict[str, str]
    actor: str
    at: str
    run: int


@dataclass
class JobRecord:
    """A job of a run. `status` is waiting (for reviewers of `environment`), queued (for its turn in the
    concurrency group `group`), in_progress or completed.
    """

    id: int
    name: str
    status: str
    conclusion: str
    attempt: int
    created_at: str
    environment: str = ""
    group: str = ""
    queue: str = "single"


@dataclass
class RunApproval:
    """What a reviewer answered for environments in which jobs of a run waited: approved or rejected."""

    environments: list[str]
    state: str
    user: str
    comment: str = ""


@dataclass
class WorkflowRun:
    """A run of a workflow; `approvals` are those of all its attempts, as GitHub keeps them."""

    id: int
    workflow: str
    event: str
    branch: str
    commit: str
    status: str
    conclusion: str
    actor: str
    created_at: str
    attempt: int = 1
    jobs: list[JobRecord] = field(default_factory=list)
    approvals: list[RunApproval] = field(default_factory=list)

    @property
    def visible_status(self) -> str:
        """The status as GitHub's API has it: `waiting` while a job waits for reviewers."""
        is_waiting = self.status != "completed" and any(job.status == "waiting" for job in self.jobs)
        return "waiting" if is_waiting else self.status


@dataclass
class Activity:
    """A branch that moved: push, force_push, branch_creation, branch_deletion or pr_merge.

    `before` or `after` is forty zeros where there was no branch. `actor` is empty while nobody is known: a
    plain `git push` to the folder names no user; whoever opens the pull request of the branch gets it.
    """

    id: int
    kind: str
    ref: str
    before: str
    after: str
    actor: str
    at: str


@dataclass
class HostedRepository:
    """A repository and all that happens in it. `git` is the folder of its bare git repository.

    `tips` are the branches' commits as last seen, `variables` the value of each and when it was set.
    """

    id: int
    owner: str
    name: str
    git: str
    created_at: str
    default_branch: str = "main"
    private: bool = True
    roles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[str, IssueRecord] = field(default_factory=dict)
    checks: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    environments: dict[str, DeploymentEnvironment] = field(default_factory=dict)
    dispatches: list[Dispatch] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)
    protection: dict[str, dict[str, Any]] = field(default_factory=dict)
    rulesets: list[dict[str, Any]] = field(default_factory=list)
    actions: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, list[str]] = field(default_factory=dict)
    merges: dict[str, bool] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    tips: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`OWNER/NAME`."""
        return f"{self.owner}/{self.name}"

    def pulls(self) -> list[IssueRecord]:
        """Its pull requests, by number."""
        return [issue for issue in self.issues.values() if issue.pull]


@dataclass
class GitHubWorld:
    """Everything, by login, token and `OWNER/NAME`. `last_id` is the highest id that was given.

    `teams` are the members of each `ORGANIZATION/TEAM`.
    """

    last_id: int = 1000
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[str, HostedRepository] = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)

    def next_id(self) -> int:
        """An id that nothing has yet."""
        self.last_id += 1
        return self.last_id

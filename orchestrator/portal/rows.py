"""Rows of the dataset's views that the pages show; the columns are documented in `insight/schema.py`."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class PortalRow:
    """A row of a view, with the columns that are its fields."""

    @classmethod
    def select(cls, view: str, rest: str = "") -> str:
        """The statement that reads such rows of a view."""
        columns = ", ".join(f'"{column.name}"' for column in fields(cls))
        return f"SELECT {columns} FROM {view} {rest}".strip()  # noqa: S608


@dataclass(frozen=True)
class PortalStack(PortalRow):
    """A row of the view `stacks`; the columns are documented there."""

    id: str
    environment: str
    name: str
    path: str | None
    owners: str | None
    status: str
    commit: str | None
    commits_behind: int | None
    author: str | None
    subject: str | None
    applied_at: str | None
    applied_run: str | None
    result: str | None
    run: str | None
    at: str | None
    operation: str | None
    break_glass: str | None
    state_size: int | None
    state_serial: int | None
    state_written_at: str | None
    problem: str | None


@dataclass(frozen=True)
class PortalRun(PortalRow):
    """A row of the view `runs`: one run in one environment."""

    run: str
    environment: str
    at: str
    command: str
    trigger: str
    result: str | None
    commit: str
    subject: str
    person: str
    pull_request: int | None
    seconds: float
    stacks: int
    changes: int
    break_glass: str | None
    link: str | None
    problem: str | None


@dataclass(frozen=True)
class PortalDeployment(PortalRow):
    """A row of the view `deployments`: one stack in one run."""

    run: str
    environment: str
    at: str
    stack: str
    result: str
    reason: str | None
    seconds: float | None
    created: int
    updated: int
    replaced: int
    deleted: int
    imported: int
    moved: int
    forgotten: int
    serial_before: int | None
    serial_after: int | None
    commit: str
    subject: str
    person: str
    pull_request: int | None


@dataclass(frozen=True)
class PortalChange(PortalRow):
    """A row of the view `changes`: a resource that a run changed."""

    run: str
    stack: str
    address: str
    action: str
    outcome: str


@dataclass(frozen=True)
class PortalDrift(PortalRow):
    """A row of the view `drift`: a time in which a stack drifted; `began` is None for one that never did."""

    stack: str
    environment: str
    result: str | None
    severity: str | None
    checked_at: str | None
    reason: str | None
    began: str | None
    ended: str | None
    ending: str | None
    came_back: int | None
    resources: int | None


@dataclass(frozen=True)
class PortalDriftedResource(PortalRow):
    """A row of the view `drift_resources`."""

    stack: str
    environment: str
    began: str
    address: str
    difference: str
    drift_class: str
    since: str | None


@dataclass(frozen=True)
class PortalApproval(PortalRow):
    """A row of the view `approvals`: a plan that was shown on a pull request."""

    environment: str
    pull_request: int
    head: str
    stack: str | None
    posted_at: str
    problem: str | None


@dataclass(frozen=True)
class PortalPlan(PortalRow):
    """A row of the view `plans`: a resource in the last plan of a stack; `address` is None for none."""

    stack: str
    pull_request: int
    head: str
    posted_at: str
    address: str | None
    previous_address: str | None
    actions: str | None
    attributes: str | None
    problem: str | None


@dataclass(frozen=True)
class PortalEdge(PortalRow):
    """A row of the view `edges`: `target` comes after `source`."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class PortalState(PortalRow):
    """A row of the view `states`."""

    stack: str
    serial: int | None
    terraform_version: str | None
    resources: int
    problem: str | None


@dataclass(frozen=True)
class PortalCommit(PortalRow):
    """A row of the view `commits`; `position` is how many commits of trunk came after it."""

    id: str
    position: int
    subject: str
    author: str
    committed_at: str
    pull_request: int | None

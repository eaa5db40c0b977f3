"""The pages of runs and of pull requests, and the list of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.portal.axes import Level
from orchestrator.portal.names import pull_request_path, run_path, stack_path
from orchestrator.portal.page import PageLink, PortalPage
from orchestrator.portal.rows import (
    PortalApproval,
    PortalChange,
    PortalCommit,
    PortalDeployment,
    PortalRun,
    PortalStack,
)
from orchestrator.portal.source import PortalEnvironment, PortalSource

OfPullRequest = TypeVar("OfPullRequest", PortalApproval, PortalDeployment)

# Runs and pull requests that have a page and stand in the list, the newest first.
MOST_RUNS = 1_000
MOST_PULL_REQUESTS = 500
# Runs that the page of a pull request names.
MOST_LINKS = 100
# Stacks of a run, and resources, that its page lists.
MOST_STACKS = 500
MOST_CHANGES = 500

ARRIVED = frozenset({"applied", "unchanged", "destroyed", "adopted"})


@dataclass(frozen=True)
class StackOfRun:
    """One stack in a run, and the path of its page."""

    deployment: PortalDeployment
    path: str


@dataclass(frozen=True)
class Arrival:
    """Whether a pull request has arrived in an environment, and which of its stacks have."""

    environment: str
    level: Level
    word: str
    text: str
    stacks: tuple[tuple[PageLink, str], ...] = ()


@dataclass(frozen=True)
class ListedPullRequest:
    """A pull request in the list: its arrivals in promotion order."""

    number: int
    title: str
    at: str
    arrivals: tuple[Arrival, ...]


def runs_with_page(source: PortalSource) -> list[str]:
    """The ids of the runs that have a page, the newest first."""
    return list(dict.fromkeys(run.run for run in source.runs))[:MOST_RUNS]


def run_pages(source: PortalSource, ids: list[str], pull_requests: frozenset[int]) -> Iterator[PortalPage]:
    """The list of runs, then one page for each; pull requests that have a page are linked."""
    linked = frozenset(ids)
    listed = tuple((run, run_path(run.run)) for run in source.runs if run.run in linked)
    yield PortalPage(
        "runs.html",
        "Runs",
        "runs.html",
        "runs",
        {
            "runs": listed[:MOST_RUNS],
            "left_out": max(0, len(source.runs) - len(listed[:MOST_RUNS])),
            "environments": source.environments,
            "days": source.window.days,
        },
    )
    parts: dict[str, list[PortalRun]] = {}
    for run in source.runs:
        if run.run in linked:
            parts.setdefault(run.run, []).append(run)
    stacks: dict[str, list[PortalDeployment]] = {}
    for deployment in source.deployments:
        if deployment.run in linked:
            stacks.setdefault(deployment.run, []).append(deployment)
    changes: dict[str, list[PortalChange]] = {}
    for change in source.changes:
        if change.run in linked:
            changes.setdefault(change.run, []).append(change)
    known = {stack.id for stack in source.stacks}
    for id_ in ids:
        own = stacks.get(id_, [])
        yield PortalPage(
            run_path(id_),
            f"Run {id_}",
            "run.html",
            "runs",
            {
                "id": id_,
                "environments": tuple(parts[id_]),
                "linked_pull_requests": tuple(
                    run.pull_request for run in parts[id_] if run.pull_request in pull_requests
                ),
                "stacks": tuple(
                    StackOfRun(item, stack_path(item.stack) if item.stack in known else "")
                    for item in own[:MOST_STACKS]
                ),
                "left_out": max(0, len(own) - MOST_STACKS),
                "changes": tuple(changes.get(id_, ())[:MOST_CHANGES]),
                "changes_left_out": max(0, len(changes.get(id_, ())) - MOST_CHANGES),
            },
        )


def list_pull_requests(source: PortalSource) -> list[ListedPullRequest]:
    """All pull requests that left a plan or a run, the most recent first."""
    approvals = _by_number(source.approvals)
    deployments = _by_number(source.deployments)
    commits = _commits_by_number(source)
    stacks = {stack.id: stack for stack in source.stacks}
    listed = []
    for number in approvals.keys() | deployments.keys():
        plans, applied = approvals.get(number, []), deployments.get(number, [])
        commit = commits.get(number)
        listed.append(
            ListedPullRequest(
                number,
                commit.subject if commit else next((row.subject for row in applied), ""),
                max([*(row.posted_at for row in plans), *(row.at for row in applied)], default=""),
                tuple(
                    find_arrival(environment, plans, applied, stacks, commit)
                    for environment in source.environments
                ),
            )
        )
    return sorted(listed, key=lambda item: (item.at, item.number), reverse=True)


def pull_request_pages(
    source: PortalSource, listed: list[ListedPullRequest], linked_runs: frozenset[str]
) -> Iterator[PortalPage]:
    """The list of pull requests, then one page for each."""
    listed_first = listed[:MOST_PULL_REQUESTS]
    yield PortalPage(
        "pull-requests.html",
        "Pull requests",
        "pull_requests.html",
        "pull-requests",
        {
            "pull_requests": tuple((item, pull_request_path(item.number)) for item in listed_first),
            "left_out": len(listed) - len(listed_first),
            "environments": source.environments,
        },
    )
    approvals, deployments = _by_number(source.approvals), _by_number(source.deployments)
    commits, known = _commits_by_number(source), {stack.id for stack in source.stacks}
    for item in listed_first:
        rows = deployments.get(item.number, [])
        runs = list(dict.fromkeys(row.run for row in rows))
        problems = dict.fromkeys(row.problem for row in approvals.get(item.number, ()) if row.problem)
        yield PortalPage(
            pull_request_path(item.number),
            f"Pull request #{item.number}",
            "pull_request.html",
            "pull-requests",
            {
                "pull_request": item,
                "commit": commits.get(item.number),
                "runs": tuple(
                    PageLink(run, run_path(run) if run in linked_runs else "") for run in runs[:MOST_LINKS]
                ),
                "left_out": max(0, len(runs) - MOST_LINKS),
                "deployments": tuple(
                    StackOfRun(row, stack_path(row.stack) if row.stack in known else "")
                    for row in rows[:MOST_STACKS]
                ),
                "problems": tuple(problems),
            },
        )


def _by_number(rows: Iterable[OfPullRequest]) -> dict[int, list[OfPullRequest]]:
    """Rows by the number of their pull request; those without one are left out."""
    by_number: dict[int, list[OfPullRequest]] = {}
    for row in rows:
        if row.pull_request is not None:
            by_number.setdefault(row.pull_request, []).append(row)
    return by_number


def _commits_by_number(source: PortalSource) -> dict[int, PortalCommit]:
    """The newest commit of trunk that names each pull request."""
    return {
        commit.pull_request: commit for commit in reversed(source.commits) if commit.pull_request is not None
    }


def find_arrival(
    environment: PortalEnvironment,
    approvals: list[PortalApproval],
    deployments: list[PortalDeployment],
    stacks: Mapping[str, PortalStack],
    commit: PortalCommit | None,
) -> Arrival:
    """Whether a pull request has arrived in an environment.

    A stack has it where a run of the pull request applied it, or where a later commit of trunk is applied.
    Of the plans only those of the newest head count.
    """
    name = environment.name
    own = [row for row in deployments if row.environment == name]
    plans = [row for row in approvals if row.environment == name and row.stack]
    planned = {row.stack for row in plans if row.head == plans[0].head and row.stack}
    newest: dict[str, str] = {}
    for row in own:
        newest.setdefault(row.stack, row.result)
    touched = sorted(planned | newest.keys())
    hidden = next((environment.hidden[key] for key in ("ledger", "runs") if key in environment.hidden), "")
    if hidden:
        return Arrival(name, "unknown", "not visible", hidden)
    if not touched:
        if environment.is_hidden("approvals"):
            return Arrival(name, "unknown", "not visible", environment.hidden["approvals"])
        return Arrival(name, "none", "nothing", "No stack of this environment is known to change.")
    results: dict[str, str] = {}
    for id_ in touched:
        stack = stacks.get(id_)
        is_later = (
            stack is not None
            and commit is not None
            and stack.commits_behind is not None
            and stack.commits_behind <= commit.position
        )
        result = newest.get(id_, "")
        results[id_] = "applied" if is_later and result not in ARRIVED else result or "waiting"
    links = tuple(
        (PageLink(id_, stack_path(id_) if id_ in stacks else ""), result) for id_, result in results.items()
    )
    arrived = sum(result in ARRIVED for result in results.values())
    failed = [id_ for id_, result in results.items() if result not in ARRIVED and result != "waiting"]
    count = f"{arrived} of {len(results)} stacks"
    if failed:
        return Arrival(name, "bad", "failed", f"{count}; {failed[0]} {results[failed[0]]}.", links)
    if arrived == len(results):
        return Arrival(name, "good", "arrived", f"{count}.", links)
    if arrived:
        return Arrival(name, "busy", "in part", f"{count}.", links)
    return Arrival(name, "none", "waiting", f"{count}.", links)

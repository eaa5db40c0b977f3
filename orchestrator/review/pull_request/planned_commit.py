"""Finds the commit that a job plans, and the commit of trunk to compare it with."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import GitError
from orchestrator.forge.event import Event
from orchestrator.repository.affected import base_commit
from orchestrator.repository.git import FULL_CLONE, Repository
from orchestrator.repository.model import Project
from orchestrator.repository.trunk import require_trunk_commit


@dataclass(frozen=True)
class PlannedCommit:
    """The commits of a plan.

    `commit` is planned, `base` is the commit of trunk in it, `head` the last commit of the change itself.
    `base` is None if there is nothing to compare with. `notes` are for readers of the plan.
    """

    commit: str
    base: str | None
    head: str
    notes: tuple[str, ...] = ()


def find_planned_commit(project: Project, event: Event | None, base: str | None = None) -> PlannedCommit:
    """Finds what the checkout is, for an event.

    `base` is a ref to compare with instead of trunk. A reviewed head is always compared with the commit of
    trunk that it is merged with, so that all jobs of a pull request agree.

    Raises GitError if the clone lacks the commits for that, or is of another commit than the event.
    """
    commit = project.commit or ""
    if event is None or not event.is_reviewed:
        is_requested = (
            event is not None and event.pull_request is not None and event.kind == "workflow_dispatch"
        )
        _require(not is_requested, "told to be a pull request's: its head is missing", commit)
        trunk = base_commit(project, base) if base is not None else require_trunk_commit(project)
        return PlannedCommit(commit, trunk, (event.head if event else "") or commit)
    repository = project.repository
    if event.kind == "merge_group":
        _require(commit == event.head, f"the merge group's head {event.head[:10]}", commit)
        return PlannedCommit(commit, base_commit(project, event.base), event.head)
    if event.kind == "workflow_dispatch":
        _require_own_branch(event)
    if commit == event.head:
        return _head_itself(project, event)
    parents = repository.commit(commit).parents
    if not parents and repository.is_shallow:
        raise repository.lacking_error(f"It does not tell what {commit[:10]} is a merge of.")
    is_merge_of_head = len(parents) == 2 and parents[1] == event.head
    _require(is_merge_of_head, f"the merge of {event.head[:10]} with trunk, nor that head itself", commit)
    _require_known(repository, parents[0])
    _require_trunk(repository, event, parents[0])
    return PlannedCommit(commit, parents[0], event.head)


def _head_itself(project: Project, event: Event) -> PlannedCommit:
    """The head was checked out, not its merge: the plan lacks newer commits of trunk."""
    repository = project.repository
    trunk = _trunk(project, event)
    base = base_commit(project, trunk)
    notes: tuple[str, ...] = ()
    if not repository.is_ancestor(trunk, event.head):
        notes = (
            "This is the plan of the branch alone, which is behind trunk: what trunk has since is not in "
            "it. Leave `ref` of actions/checkout out, so that the merge with trunk is planned.",
        )
    return PlannedCommit(event.head, base, event.head, notes)


def _trunk(project: Project, event: Event) -> str:
    """The newest known commit of the target: the clone's, else the event's, which may be older."""
    if _target(event):
        try:
            return project.repository.resolve(f"refs/remotes/origin/{_target(event)}")
        except GitError:
            pass
    return event.base or project.repository.trunk(project.config.trunk)


def _require(is_expected: bool, expected: str, commit: str) -> None:
    if not is_expected:
        raise GitError(
            f"The checkout is {commit[:10]}, which is not {expected}.",
            advice="Leave `ref` of actions/checkout out. If somebody pushed meanwhile, that push has a run "
            "of its own.",
        )


def _target(event: Event) -> str:
    """The branch that a pull request is to be merged into."""
    return event.base_ref


def _require_own_branch(event: Event) -> None:
    """A manual plan must run on the pull request's own branch, at its head.

    On trunk's ref it would count as trunk for Google and for the forge's caches. A fork's head is on no
    branch of this repository.
    """
    branch = event.ref.removeprefix("refs/heads/")
    own = event.ref.startswith("refs/heads/") and branch != _target(event) and event.commit == event.head
    if not own:
        raise GitError(
            f"This run is on {branch} at {event.commit[:10]}, which is not the head {event.head[:10]} of the "
            f"branch of #{event.pull_request}.",
            advice="Comment `/infra plan`, or start infra-plan on the pull request's own branch. The code of "
            "a fork is not planned with this repository's rights.",
        )


def _require_trunk(repository: Repository, event: Event, base: str) -> None:
    """The checkout must be a merge into the event's target branch.

    Its rules are those of its base: whoever can push a branch could have made one with rules of their own.
    """
    branch = _target(event)
    try:
        trunk = repository.resolve(f"refs/remotes/origin/{branch}")
    except GitError as error:
        name = branch or "Trunk"
        raise repository.lacking_error(f"{name} of origin is not in this clone.", FULL_CLONE) from error
    if not repository.is_ancestor(base, trunk):
        raise GitError(
            f"#{event.pull_request} is not to be merged into {branch}: {base[:10]}, its base, is not there.",
            advice=f"It is planned once its target is {branch}.",
        )


def _require_known(repository: Repository, commit: str) -> None:
    """A clone of depth 1 names the parents of a merge without having them."""
    try:
        repository.resolve(commit)
    except GitError as error:
        reason = f"{commit[:10]}, which trunk is at, is not in this clone."
        raise repository.lacking_error(reason, FULL_CLONE) from error

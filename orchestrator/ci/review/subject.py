"""Which commit a job plans, and against which one of trunk: the merge, the head itself, or this branch."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.ci.event import Event
from orchestrator.errors import GitError
from orchestrator.project.affected import base_commit
from orchestrator.project.git import FULL_CLONE, Repository
from orchestrator.project.model import Project


@dataclass(frozen=True)
class Subject:
    """`commit` is planned, `base` is what of trunk is in it, `head` the last commit of who asks for it.

    `base` is None where there is nothing to compare with. `notes` are for the reader of the plan.
    """

    commit: str
    base: str | None
    head: str
    notes: tuple[str, ...] = ()


def subject_of(project: Project, event: Event | None, base: str | None = None) -> Subject:
    """What the checkout at hand is, for an event.

    `base` is a ref that was asked for instead of trunk; a head that is reviewed is compared with what is
    merged into it, whatever was asked for: all jobs of a pull request must agree.

    Raises GitError when the clone lacks the commits that tell, or is of another commit than the event.
    """
    commit = project.commit or ""
    if event is None or not event.is_reviewed:
        asked = event is not None and event.pull_request is not None and event.kind == "workflow_dispatch"
        _require(not asked, "told to be a pull request's: its head is missing", commit)
        return Subject(commit, base_commit(project, base), (event.head if event else "") or commit)
    repository = project.repository
    if event.kind == "merge_group":
        _require(commit == event.head, f"the merge group's head {event.head[:10]}", commit)
        return Subject(commit, base_commit(project, event.base), event.head)
    if event.kind == "workflow_dispatch":
        _require_own_branch(event)
    if commit == event.head:
        return _head_itself(project, event)
    parents = repository.commit(commit).parents
    if not parents and repository.is_shallow:
        raise GitError(f"The clone does not tell what {commit[:10]} is a merge of.", advice=FULL_CLONE)
    found = len(parents) == 2 and parents[1] == event.head
    _require(found, f"the merge of {event.head[:10]} with trunk, nor that head itself", commit)
    _require_known(repository, parents[0])
    _require_trunk(repository, event, parents[0])
    return Subject(commit, parents[0], event.head)


def _head_itself(project: Project, event: Event) -> Subject:
    """The head was checked out, not its merge: the plan is as old as the branch."""
    repository = project.repository
    trunk = _trunk(project, event)
    base = base_commit(project, trunk)
    notes: tuple[str, ...] = ()
    if not repository.is_ancestor(trunk, event.head):
        notes = (
            "This is the plan of the branch alone, which is behind trunk: what trunk has since is not in "
            "it. Leave `ref` of actions/checkout out, so that the merge with trunk is planned.",
        )
    return Subject(event.head, base, event.head, notes)


def _trunk(project: Project, event: Event) -> str:
    """The newest commit of the target that is known: the clone's, else the event's, which may be older."""
    if _target(event):
        try:
            return project.repository.resolve(f"refs/remotes/origin/{_target(event)}")
        except GitError:
            pass
    return event.base or project.repository.trunk(project.config.trunk)


def _require(holds: bool, wanted: str, commit: str) -> None:
    if not holds:
        raise GitError(
            f"The checkout is {commit[:10]}, which is not {wanted}.",
            advice="Leave `ref` of actions/checkout out. If somebody pushed meanwhile, that push has a run "
            "of its own.",
        )


def _target(event: Event) -> str:
    """The branch that a pull request is to be merged into."""
    return event.base_ref


def _require_own_branch(event: Event) -> None:
    """A plan that was started by hand runs on the pull request's own branch, at its head.

    On trunk's ref it would pass for trunk where Google and GitHub's caches look at the ref. And a fork's
    head is on no branch of this repository.
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
    """What was checked out is a merge into the event's own target, not into another branch.

    Its rules are those of its base: whoever can push a branch could have made one with rules of their own.
    """
    branch = _target(event)
    try:
        trunk = repository.resolve(f"refs/remotes/origin/{branch}")
    except GitError as error:
        raise GitError(f"{branch or 'Trunk'} of origin is not in this clone.", advice=FULL_CLONE) from error
    if not repository.is_ancestor(base, trunk):
        raise GitError(
            f"#{event.pull_request} is not to be merged into {branch}: {base[:10]}, its base, is not there.",
            advice=f"It is planned once its target is {branch}.",
        )


def _require_known(repository: Repository, commit: str) -> None:
    """A clone of depth 1 names the parents of a merge and does not have them."""
    try:
        repository.resolve(commit)
    except GitError as error:
        raise GitError(
            f"{commit[:10]}, which trunk is at, is not in this clone.", advice=FULL_CLONE
        ) from error

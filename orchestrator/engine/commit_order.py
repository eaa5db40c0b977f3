"""Commit order: an older commit is not applied over a newer one."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import GitError
from orchestrator.repository.model import Project
from orchestrator.state.records import LedgerEntry, base_commit


def superseded_reason(
    project: Project, entry: LedgerEntry | None, *, over: Sequence[str] = ()
) -> tuple[str, str] | None:
    """The reason why this commit must not be applied over the recorded one, and advice; None if it may.

    The applied commit must be this one or an ancestor of it. A branch that was applied and then squashed, or
    left, gives way to trunk. `over` are commits that a person says are no longer to be minded.
    """
    commit, applied = project.commit or "", base_commit(entry.commit) if entry else ""
    if entry is None or not applied or applied == commit or not commit:
        return None
    if is_named(applied, over):
        return None
    if project.repository.is_ancestor(applied, commit):
        return None
    short = applied[:10]
    why = f"superseded by {short}"
    if not is_known(project, applied):
        return why, (
            f"{short} is not in this clone: `git fetch`, then apply what is newest. "
            f"If trunk was rewritten and it is gone for good: `--supersede {short}`."
        )
    if project.repository.is_ancestor(commit, applied):
        return why, "Apply the newest commit. Going back is a revert on trunk."
    if not entry.from_trunk and is_on_trunk(project, commit):
        return None
    return why, (
        f"{short} is not part of this commit's history: merge or rebase onto it, or apply trunk. "
        f"If trunk was rewritten: `--supersede {short}`."
    )


def is_named(commit: str, names: Sequence[str]) -> bool:
    """Whether a commit is among some, which may be shortened to seven digits."""
    return any(len(name) >= 7 and commit.startswith(base_commit(name)) for name in names)


def is_known(project: Project, commit: str) -> bool:
    """Whether a commit is in this clone."""
    try:
        project.repository.resolve(commit)
    except GitError:
        return False
    return True


def is_on_trunk(project: Project, commit: str) -> bool:
    """Whether a commit is trunk's: its head, or one before it."""
    try:
        trunk = project.repository.trunk(project.config.trunk)
    except GitError:
        return False
    return project.repository.is_ancestor(commit, trunk)

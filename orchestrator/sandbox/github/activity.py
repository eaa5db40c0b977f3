"""The activity of branches: which moved, and who moved them."""

from __future__ import annotations

from orchestrator.sandbox.github.git import ZERO
from orchestrator.sandbox.github.model import Activity
from orchestrator.sandbox.github.repository import RepositoryService


def record_move(service: RepositoryService, branch: str, after: str, actor: str, kind: str = "") -> None:
    """Record that a branch moved to `after`, or was deleted when it is empty; nothing if it did not move."""
    tips = service.repository.tips
    before = tips.get(branch, "")
    if before == after:
        return
    activity = Activity(
        service.next_id(),
        kind or _kind(service, before, after),
        f"refs/heads/{branch}",
        before or ZERO,
        after or ZERO,
        actor,
        service.now(),
    )
    service.repository.activities.append(activity)
    if after:
        tips[branch] = after
    else:
        del tips[branch]


def record_pushes(service: RepositoryService, heads: dict[str, str], actor: str = "") -> bool:
    """Record pushes since the last call, by the actor or else by the author of the branch's pull request."""
    moved = [name for name in sorted({*heads, *service.repository.tips}) if _moved(service, heads, name)]
    authors = {
        pull.pull.head_ref: pull.author
        for pull in service.repository.pulls()
        if pull.pull and pull.state == "open"
    }
    for name in moved:
        record_move(service, name, heads.get(name, ""), actor or authors.get(name, ""))
    return bool(moved)


def attribute_pushes(service: RepositoryService, branch: str, actor: str) -> None:
    """Attribute pushes to a branch without a known actor to a user."""
    for activity in service.repository.activities:
        if activity.ref == f"refs/heads/{branch}" and not activity.actor:
            activity.actor = actor


def _moved(service: RepositoryService, heads: dict[str, str], name: str) -> bool:
    return heads.get(name, "") != service.repository.tips.get(name, "")


def _kind(service: RepositoryService, before: str, after: str) -> str:
    if not before:
        return "branch_creation"
    if not after:
        return "branch_deletion"
    return "push" if service.git.is_ancestor(before, after) else "force_push"

"""Which branches moved, and who moved them."""

from __future__ import annotations

from orchestrator.sandbox.github.git import ZERO
from orchestrator.sandbox.github.model import Activity
from orchestrator.sandbox.github.place import Place


def record(place: Place, branch: str, after: str, actor: str, kind: str = "") -> None:
    """Record that a branch is at another commit now, empty when it is gone; nothing when it is not."""
    tips = place.repository.tips
    before = tips.get(branch, "")
    if before == after:
        return
    made = Activity(
        place.next_id(),
        kind or _kind(place, before, after),
        f"refs/heads/{branch}",
        before or ZERO,
        after or ZERO,
        actor,
        place.now(),
    )
    place.repository.activities.append(made)
    if after:
        tips[branch] = after
    else:
        del tips[branch]


def record_pushes(place: Place, heads: dict[str, str], actor: str = "") -> bool:
    """Record what was pushed since the last look; without an actor by whoever has a pull request there."""
    moved = [name for name in sorted({*heads, *place.repository.tips}) if _moved(place, heads, name)]
    authors = {
        one.pull.head_ref: one.author for one in place.repository.pulls() if one.pull and one.state == "open"
    }
    for name in moved:
        record(place, name, heads.get(name, ""), actor or authors.get(name, ""))
    return bool(moved)


def claim(place: Place, branch: str, actor: str) -> None:
    """Take what was pushed to a branch by nobody who is known for somebody's work."""
    for one in place.repository.activities:
        if one.ref == f"refs/heads/{branch}" and not one.actor:
            one.actor = actor


def _moved(place: Place, heads: dict[str, str], name: str) -> bool:
    return heads.get(name, "") != place.repository.tips.get(name, "")


def _kind(place: Place, before: str, after: str) -> str:
    if not before:
        return "branch_creation"
    if not after:
        return "branch_deletion"
    return "push" if place.git.is_ancestor(before, after) else "force_push"

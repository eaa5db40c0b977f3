"""Names on the command line → stacks: an environment, a stack, a glob, or a folder of the checkout."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.project.discovery import nearest
from orchestrator.project.model import Project
from orchestrator.project.reads import glob_pattern
from orchestrator.repository.tree import inside

MAGIC = frozenset("*?[{")


def select(project: Project, names: Iterable[str], cwd: Path | None = None) -> tuple[str, ...]:
    """The ids of the stacks that `names` mean, in the project's order, each once.

    A bare environment means all of its stacks. `*` stays between slashes, `**` does not. A path of a folder
    works too, from the project's root or from `cwd`. UsageError for a name that means nothing.
    """
    chosen = {stack for name in names for stack in _one(project, name, cwd)}
    return tuple(stack for stack in project.stacks if stack in chosen)


def one(project: Project, name: str, cwd: Path | None = None) -> str:
    """The one stack that a name means; UsageError when it means several."""
    found = select(project, [name], cwd)
    if len(found) != 1:
        raise UsageError(f"{name} means {len(found)} stacks.", advice=f"Name one: {', '.join(found[:5])}.")
    return found[0]


def _one(project: Project, name: str, cwd: Path | None) -> list[str]:
    clean = name.rstrip("/")
    if clean in project.environments:
        return [stack.id for stack in project.of(clean)]
    if clean in project.stacks:
        return [clean]
    if MAGIC & set(clean):
        found = [stack for stack in project.stacks if glob_pattern(clean).fullmatch(stack)]
        if not found:
            raise UsageError(f"No stack fits {name!r}.", advice="`infra list` shows the stacks.")
        return found
    found = _in_folder(project, clean, cwd)
    if found:
        return found
    raise unknown(project, name)


def _in_folder(project: Project, name: str, cwd: Path | None) -> list[str]:
    """Stacks in a folder: `infra/envs/dev/network`, or `.` inside it."""
    folder = inside(name)
    if cwd is not None:
        full = Path(posixpath.normpath(posixpath.join(str(cwd), name)))
        if full.is_relative_to(project.root):
            below = full.relative_to(project.root).as_posix()
            folder = (
                folder
                if folder and any(_is_in(one.path, folder) for one in project.stacks.values())
                else below
            )
        elif name.startswith((".", "/")):
            raise UsageError(f"{name} is outside the project.", advice="Name stacks as `infra list` does.")
    if not folder or folder == ".":
        return []
    return [stack.id for stack in project.stacks.values() if _is_in(stack.path, folder)]


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def unknown(project: Project, name: str) -> UsageError:
    """The error for a name that is neither an environment nor a stack."""
    if not project.stacks:
        return UsageError(f"There is no stack {name!r}, nor any other.", advice="`infra validate` says why.")
    environment, slash, _ = name.partition("/")
    if slash and environment not in project.environments:
        advice = nearest(environment, list(project.environments))
        known = ", ".join(project.environments)
        return UsageError(
            f"There is no environment {environment!r}.", advice=advice or f"The environments are {known}."
        )
    kind = "stack" if slash else "environment or stack"
    advice = nearest(name, [*project.environments, *project.stacks])
    return UsageError(f"There is no {kind} {name!r}.", advice=advice or "`infra list` shows what there is.")

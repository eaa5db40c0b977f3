"""Resolves names on the command line to stacks: an environment, a stack, a glob, or a folder."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.repository.discovery import nearest
from orchestrator.repository.file_reads import glob_pattern
from orchestrator.repository.model import Project
from orchestrator.repository.tree import inside

MAGIC = frozenset("*?[{")


def select(project: Project, names: Iterable[str], cwd: Path | None = None) -> tuple[str, ...]:
    """The ids of the stacks that `names` select, in the project's order, without duplicates.

    A bare environment means all of its stacks. `*` stays between slashes, `**` does not. A path of a folder
    works too, from the project's root or from `cwd`. UsageError for a name that means nothing.
    """
    chosen = {stack for name in names for stack in _select_by_name(project, name, cwd)}
    return tuple(stack for stack in project.stacks if stack in chosen)


def make_filter(
    project: Project, excluded: Iterable[str], tags: Iterable[str], cwd: Path | None = None
) -> Callable[[str], bool]:
    """Whether a stack has one of the tags, if any is given, and no name or glob of `excluded` means it.

    Raises UsageError for a tag or a name that means nothing.
    """
    tags = tuple(tags)
    unknown = next((tag for tag in tags if tag not in project.config.tags), None)
    if unknown is not None:
        tag_names = ", ".join(project.config.tags) or "none, `tags` of infra.yaml gives them"
        raise UsageError(f"There is no tag {unknown!r}.", advice=f"There are: {tag_names}.")
    patterns = [glob_pattern(glob) for tag in tags for glob in project.config.tags[tag]]
    without = frozenset(select(project, excluded, cwd))
    return lambda id_: (
        id_ not in without and (not tags or any(pattern.fullmatch(id_) for pattern in patterns))
    )


def select_one(project: Project, name: str, cwd: Path | None = None) -> str:
    """The one stack that a name selects; UsageError when it selects several."""
    ids = select(project, [name], cwd)
    if len(ids) != 1:
        raise UsageError(f"{name} means {len(ids)} stacks.", advice=f"Name one: {', '.join(ids[:5])}.")
    return ids[0]


def _select_by_name(project: Project, name: str, cwd: Path | None) -> list[str]:
    if not name.strip():
        # A variable that the shell does not have; it must not mean the folder.
        raise UsageError("The name of a stack is empty.", advice="`infra list` shows what there is.")
    clean = name.rstrip("/") or name
    if clean in project.environments:
        return [stack.id for stack in project.of(clean)]
    if clean in project.stacks:
        return [clean]
    if MAGIC & set(clean):
        folder = [stack for stack in project.stacks if glob_pattern(clean).fullmatch(stack)]
        if not folder:
            raise UsageError(f"No stack fits {name!r}.", advice="`infra list` shows the stacks.")
        return folder
    folder = _in_folder(project, clean, cwd)
    if folder:
        return folder
    raise _unknown_name_error(project, name)


def _in_folder(project: Project, name: str, cwd: Path | None) -> list[str]:
    """Stacks in a folder: `infra/envs/dev/network`, or `.` inside it."""
    folder = inside(name)
    if cwd is not None:
        full = Path(posixpath.normpath(posixpath.join(str(cwd), name)))
        if full.is_relative_to(project.root):
            below = full.relative_to(project.root).as_posix()
            folder = (
                folder
                if folder and any(_is_in(stack.path, folder) for stack in project.stacks.values())
                else below
            )
        elif name.startswith((".", "/")):
            raise UsageError(f"{name} is outside the project.", advice="Name stacks as `infra list` does.")
    if folder == ".":
        return list(project.stacks)
    if not folder:
        return []
    return [stack.id for stack in project.stacks.values() if _is_in(stack.path, folder)]


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _unknown_name_error(project: Project, name: str) -> UsageError:
    """The error for a name that is neither an environment nor a stack."""
    if not project.stacks:
        return UsageError(f"There is no stack {name!r}, nor any other.", advice="`infra validate` says why.")
    environment, slash, _ = name.partition("/")
    if slash and environment not in project.environments:
        advice = nearest(environment, list(project.environments))
        environments = ", ".join(project.environments)
        return UsageError(
            f"There is no environment {environment!r}.",
            advice=advice or f"The environments are {environments}.",
        )
    kind = "stack" if slash else "environment or stack"
    advice = nearest(name, [*project.environments, *project.stacks])
    return UsageError(f"There is no {kind} {name!r}.", advice=advice or "`infra list` shows what there is.")

"""Where a repository keeps its root modules, and the infra.yaml that finds them, when it has no stack."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.config.model import WELL_KNOWN
from orchestrator.errors import ConfigError, GitError
from orchestrator.project.discovery import HELPERS, LOCK_FILE, called_from
from orchestrator.repository.source import folders
from orchestrator.repository.tree import Lost

if TYPE_CHECKING:
    from orchestrator.project.model import Project

# Parts of a path below which code is not a root module of the team's own.
NO_ROOTS = HELPERS | {"modules", "bootstrap"}
# Commits that are looked at for a stack, which would mean that the last one was deleted.
HISTORY = 50
# Folders and environments that a message names.
NAMED = 4


def require_stacks(project: Project) -> None:
    """Raise ConfigError for a project without a stack, unless its last one was deleted.

    A repository that holds root modules elsewhere has lost them from sight, whatever was there before.
    """
    if project.stacks:
        return
    roots = root_modules(project)
    if roots or not _had_stacks(project):
        raise no_stacks(project, roots)


def no_stacks(project: Project, roots: Sequence[str]) -> ConfigError:
    """The error for a project without a stack: the root modules that are there, and what would find them."""
    envs = project.config.roots.envs
    what = "holds no Terraform code" if project.tree.is_folder(str(envs)) else "does not exist"
    message = f"There is no stack: {envs} {what}."
    if not roots:
        advice = (
            f"Put each stack in a folder of its own, such as {envs}/dev/network/main.tf, or name the folder "
            "that holds your environments: `roots: {envs: FOLDER}` in infra.yaml."
        )
        return _error(message, advice, project)
    modules = "root module is" if len(roots) == 1 else "root modules are"
    message += f" {len(roots)} {modules} elsewhere: {_named(roots)}."
    advice = f"In infra.yaml: `{fitting(roots, str(project.config.roots.modules))}`"
    return _error(message, advice, project)


def _error(message: str, advice: str, project: Project) -> ConfigError:
    file = project.config.file
    return ConfigError(message, advice=advice, file=file, key="roots.envs" if file else None)


def root_modules(project: Project) -> tuple[str, ...]:
    """Folders that look like root modules, from the project's root ("" for itself), in order.

    They have a backend, a lock file or a variable file of their own; where none has, they are called by no
    other module.
    """
    source = project.coverage.source
    code = [folder for folder in folders(project.tree, "") if not isinstance(folder, Lost)]
    called = called_from(source, code)
    uncalled = [
        folder
        for folder in sorted(code)
        if source.real(folder) not in called and NO_ROOTS.isdisjoint(folder.split("/"))
    ]
    plain = [folder for folder in uncalled if _is_used_as_root(project, folder)]
    return tuple(plain or uncalled)


def as_laid_out(project: Project) -> Project:
    """The project with its environments where its root modules are, for one without an infra.yaml.

    Raises ConfigError where root modules lie in an order that nothing but people can name.
    """
    from orchestrator.config.model import Config, Roots
    from orchestrator.project import read_tree

    if project.stacks or project.config.file is not None:
        return project
    roots = root_modules(project)
    if not roots:
        return project
    envs, usual = environments_folder(roots), project.config.roots
    if not envs or _overlap(envs, str(usual.modules)):
        raise no_stacks(project, roots)
    config = Config(roots=Roots(usual.modules, PurePosixPath(envs)))
    return read_tree(project.repository, project.tree, project.coverage.source.memo, config)


def fitting(roots: Sequence[str], modules: str) -> str:
    """The keys of infra.yaml, in one line, by which root modules are found; `modules` is `roots.modules`."""
    envs = environments_folder(roots)
    if envs and not _overlap(envs, modules):
        return f"roots: {{envs: {envs}}}"
    if envs:
        return f"roots: {{envs: {envs}, modules: FOLDER}}"
    path = roots[0]
    name = posixpath.basename(path) or "main"
    environment = next((part for part in path.split("/") if part in WELL_KNOWN), "ENVIRONMENT")
    return f"stacks: {{{name}: {{path: {path or '.'}, environments: {{{environment}: {{}}}}}}}}"


def environments_folder(roots: Sequence[str]) -> str:
    """The folder whose folders are environments; empty where root modules lie in no such order."""
    paths = [path.split("/") for path in roots]
    places = {next((index for index, part in enumerate(path) if part in WELL_KNOWN), None) for path in paths}
    if len(places) == 1 and (place := places.pop()) is not None:
        above = {"/".join(path[:place]) for path in paths}
        return above.pop() if len(above) == 1 else ""
    common = posixpath.commonpath(roots) if len(roots) > 1 else ""
    return "" if common in roots else common


def _overlap(envs: str, modules: str) -> bool:
    return envs == modules or modules.startswith(f"{envs}/") or envs.startswith(f"{modules}/")


def _is_used_as_root(project: Project, folder: str) -> bool:
    names = [name for name, _ in project.coverage.source.listing(folder)]
    return (
        project.coverage.source.directory(project.coverage.source.real(folder)).backend is not None
        or LOCK_FILE in names
        or any(name.endswith((".tfvars", ".tfvars.json")) for name in names)
    )


def _had_stacks(project: Project) -> bool:
    """Whether one of the commits before, or trunk, has a stack."""
    from orchestrator.project import load_commit

    repository = project.repository
    try:
        commits = list(repository.first_parents("HEAD", HISTORY))
        commits += [repository.trunk(project.config.trunk)]
    except GitError:
        commits = []
    return any(load_commit(project, commit).stacks for commit in dict.fromkeys(commits))


def _named(roots: Iterable[str]) -> str:
    """A few of the folders, and how many more there are."""
    paths = [path or "the top of the repository" for path in roots]
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(paths[:NAMED])}{more}"

"""Refuses a repository without stacks, and says which infra.yaml would find its root modules."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError, GitError

if TYPE_CHECKING:
    from orchestrator.repository.layout_survey import Layout, Survey
    from orchestrator.repository.model import Project

# Commits that are looked at for a stack, which would mean that the last one was deleted.
HISTORY = 50
INIT_ADVICE = "Say it: `infra init --environment NAME` writes infra.yaml."
# The root module that makes the state bucket, and the name of its stack.
BOOTSTRAP = "bootstrap"


def require_stacks(project: Project) -> None:
    """Raise ConfigError for a project without a stack, unless its last one was deleted.

    A repository that holds root modules elsewhere has lost them from sight, whatever was there before. So has
    one whose `roots.envs` names a folder that does not exist, whatever stacks it has beside that.
    """
    if has_stacks(project):
        return
    result = survey_project(project)
    if result.roots or not _had_stacks(project):
        raise no_stacks_error(project, result)


def has_stacks(project: Project) -> bool:
    """Whether there is a stack, and the folder that infra.yaml names for the environments."""
    envs = str(project.config.roots.envs)
    is_lost = ("roots", "envs") in project.config.given_keys and not project.tree.is_folder(envs)
    return bool(project.stacks) and not is_lost


def survey_project(project: Project) -> Survey:
    """What the project's code says about its layout, whatever infra.yaml says."""
    from orchestrator.repository.layout_survey import Answers, survey

    return survey(project.coverage.source, Answers())


def no_stacks_error(project: Project, result: Survey) -> ConfigError:
    """The error for a project without a stack: the root modules that are there, and what would find them."""
    from orchestrator.repository.layout_survey import missing_roots_note, name_folders

    envs = project.config.roots.envs
    what = "holds no Terraform code" if project.tree.is_folder(str(envs)) else "does not exist"
    message = f"There is no stack: {envs} {what}."
    if project.config.exclude and project.tree.is_folder(str(envs)):
        globs = ", ".join(map(str, project.config.exclude))
        message = f"There is no stack: {envs} holds none that `exclude` ({globs}) does not hide."
        return _error(message, "Write a narrower glob below `exclude`, or remove it.", project)
    note = missing_roots_note(project.tree)
    if not result.roots and note:
        return _error(f"{message} {note[0]}", note[1], project)
    if not result.roots:
        advice = (
            f"Put each stack in a folder of its own, such as {envs}/dev/network/main.tf, or name the folder "
            "that holds your environments: `roots: {envs: FOLDER}` in infra.yaml."
        )
        return _error(message, advice, project)
    modules = "root module is" if len(result.roots) == 1 else "root modules are"
    message += f" {len(result.roots)} {modules} elsewhere: {name_folders(result.roots)}."
    return _error(message, suggestion(result), project)


def _error(message: str, advice: str, project: Project) -> ConfigError:
    file = project.config.file
    return ConfigError(message, advice=advice, file=file, key="roots.envs" if file else None)


def suggestion(result: Survey) -> str:
    """What to write into infra.yaml, or what to decide first."""
    if not result.layouts:
        return f"{result.question} {INIT_ADVICE}"
    lines = [f"`{flow_settings(layout)}`" for layout in result.layouts]
    if len(lines) > 1:
        return f"Choose, and write it into infra.yaml: {' or '.join(lines)}."
    return f"In infra.yaml: {lines[0]}. `infra init` writes it."


def flow_settings(layout: Layout) -> str:
    """The settings that find a layout's stacks, on one line of YAML."""
    from orchestrator.repository.layout_settings import layout_document

    document = layout_document(layout.config)
    return ", ".join(f"{key}: {_flow(value)}" for key, value in document.items())


def _flow(value: object) -> str:
    from orchestrator.repository.layout_settings import scalar

    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(below) for below in value) + "]"
    return scalar(value)


def _had_stacks(project: Project) -> bool:
    """Whether one of the commits before, or trunk, has a stack."""
    from orchestrator.repository.loading import load_commit

    repository = project.repository
    try:
        commits = list(repository.first_parents("HEAD", HISTORY))
        commits += [repository.trunk(project.config.trunk)]
    except GitError:
        commits = []
    return any(load_commit(project, commit).stacks for commit in dict.fromkeys(commits))


def default_bootstrap_root(project: Project) -> str:
    """The folder of the bootstrap's code unless somebody names another: beside the modules."""
    return posixpath.join(posixpath.dirname(str(project.config.roots.modules)), BOOTSTRAP)

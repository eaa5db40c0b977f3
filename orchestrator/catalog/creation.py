"""Makes a stack from a template, in every environment at once."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import path_below, write_below
from orchestrator.catalog.entries import CatalogEntry, template_folder
from orchestrator.catalog.record import RECORD_FILE, record_rendering
from orchestrator.catalog.reference_modules import missing_modules
from orchestrator.catalog.rendering import RenderRequest, read_questions, render_template
from orchestrator.config.model import FileBackend
from orchestrator.errors import ProjectError, StateError, UsageError
from orchestrator.repository.discovery import nearest
from orchestrator.repository.hcl import read_values
from orchestrator.repository.model import Project

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(/[a-z][a-z0-9]*(-[a-z0-9]+)*)*")
_VALUES = "terraform.tfvars"
# Questions whose defaults are what the environment's other stacks say.
SHARED_QUESTIONS = ("project_id", "region", "state_bucket")


@dataclass(frozen=True)
class CreationRequest:
    """What to make: `name` below each of `environments`, all environments if empty.

    `data` maps questions to answers; `ENV/QUESTION` answers for one environment.
    """

    entry: CatalogEntry
    name: str
    environments: Sequence[str] = ()
    data: Mapping[str, str] | None = None
    asks: bool = False


def render_stacks(project: Project, request: CreationRequest) -> dict[str, bytes]:
    """The files of the new stacks by path from the project's root, with modules that they need and lack.

    Raises UsageError for a name that is wrong or taken, an unknown environment, and wrong answers.
    """
    environments = _select_environments(project, request.environments)
    folders = {name: _stack_folder(project, name, request.name) for name in environments}
    common, own = _split_data(request.data or {}, list_environments(project))
    files: dict[str, bytes] = {}
    previous: Mapping[str, Any] = {}
    with template_folder(project, request.entry) as template:
        questions = read_questions(template)
        for environment, folder in folders.items():
            siblings = {
                key: value for key, value in _shared_values(project, environment).items() if key in questions
            }
            context = make_context(project, environment, request.name, folder)
            rendering = render_template(
                RenderRequest(
                    request.entry.name,
                    template,
                    context,
                    {**common, **own.get(environment, {})},
                    {**_without_context(previous, context), **siblings},
                    request.entry.is_trusted,
                    request.asks,
                )
            )
            previous = {key: rendering.answers[key] for key in questions if key in rendering.answers}
            entry = request.entry
            record = record_rendering(entry.name, entry.source, entry.version, rendering)
            stack = {**rendering.files, RECORD_FILE: record.render()}
            files.update({posixpath.join(folder, path): data for path, data in stack.items()})
            files.update(missing_modules(project, folder, rendering.files))
    return files


def write_files(root: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> None:
    """Writes new files and symbolic links below a folder; StateError when that fails.

    Raises ProjectError before anything is written where a link leads out of the folder.
    """
    for path in (*files, *(links or {})):
        path_below(root, path)
    path = ""
    try:
        for path, data in files.items():
            write_below(root, path, data)
        for path, target in (links or {}).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}.", advice="Who owns the folder?"
        ) from error


def make_context(project: Project, environment: str, name: str, folder: str) -> dict[str, str]:
    """The values that infra gives to a template of a stack.

    `modules` is the path from the stack to the folder of modules, `backend` the kind of its backend.
    """
    backend = project.config.backend_of(environment)
    kinds = {stack.backend.kind for stack in project.of(environment) if stack.backend.declared}
    kind = backend.kind if backend is not None and not isinstance(backend, FileBackend) else None
    return {
        "name": posixpath.basename(name),
        "environment": environment,
        "modules": posixpath.relpath(str(project.config.roots.modules), folder),
        "backend": kind or (kinds.pop() if len(kinds) == 1 else "local"),
    }


def _shared_values(project: Project, environment: str) -> dict[str, str]:
    """What the terraform.tfvars of an environment's stacks agree on, of `SHARED_QUESTIONS`."""
    values: dict[str, set[str]] = {}
    for stack in project.of(environment):
        path = project.tree.find(posixpath.join(stack.path, _VALUES))
        if path is not None:
            for string in read_values(path, project.tree.read(path)).strings():
                if len(string.path) == 1 and string.path[0] in SHARED_QUESTIONS:
                    values.setdefault(string.path[0], set()).add(string.text)
    return {key: texts.pop() for key, texts in values.items() if len(texts) == 1}


def _without_context(values: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, Any]:
    """Earlier answers as defaults; those that named the earlier environment are asked again."""
    return {key: value for key, value in values.items() if key not in context}


def list_environments(project: Project) -> tuple[str, ...]:
    """The environments with stacks, and those that infra.yaml lists and that have none yet."""
    return tuple(dict.fromkeys([*project.config.environments, *project.environments]))


def require_environments(project: Project) -> tuple[str, ...]:
    """All environments; ProjectError without one."""
    environments = list_environments(project)
    if not environments:
        raise ProjectError(
            "There is no environment to make a stack in.",
            advice="List the environments in infra.yaml: `environments: {dev: {}, prod: {}}`.",
        )
    return environments


def _select_environments(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    known = list_environments(project)
    for name in names:
        if name not in known:
            advice = nearest(name, list(known)) or "`infra list` shows the environments."
            raise UsageError(f"There is no environment {name!r}.", advice=advice)
    return tuple(name for name in require_environments(project) if not names or name in names)


def _stack_folder(project: Project, environment: str, name: str) -> str:
    """The folder of a new stack. Raises UsageError for a name that is wrong or taken, else ProjectError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a stack's name.",
            advice="Use lower-case letters, digits and single hyphens, beginning with a letter: my-service.",
        )
    parent = posixpath.join(str(project.config.roots.envs), environment)
    folder = posixpath.join(parent, name)
    if f"{environment}/{name}" in project.stacks or (project.root / folder).exists():
        raise UsageError(f"{folder} exists already.", advice="Choose another name, or change what is there.")
    if project.of(environment) and not project.tree.is_folder(parent):
        raise ProjectError(
            f"The environment {environment} has no folder {parent}, where new stacks are made.",
            advice="`roots.envs` in infra.yaml names the folder of the environments.",
        )
    if any(stack.path == parent for stack in project.of(environment)):
        raise ProjectError(
            f"{parent} is a stack itself, so no stack can be made below it.",
            advice="Move its code into a folder of its own first.",
        )
    return folder


def _split_data(
    data: Mapping[str, str], environments: Iterable[str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Answers for all environments, and those for one."""
    names = set(environments)
    common: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {}
    for key, value in data.items():
        environment, separator, question = key.partition("/")
        if not separator:
            common[key] = value
        elif environment in names:
            own.setdefault(environment, {})[question] = value
        else:
            raise UsageError(
                f"--data {key}: there is no environment {environment!r}.",
                advice=f"There are {', '.join(sorted(names))}.",
            )
    return common, own

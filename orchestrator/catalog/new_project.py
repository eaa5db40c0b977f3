"""Makes a repository from nothing: settings, modules, a stack in each environment, bootstrap, workflows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import path_below, write_below
from orchestrator.catalog.creation import CreationRequest, render_stacks, write_files
from orchestrator.catalog.entities import write_entities
from orchestrator.catalog.entries import find_entry, package_entry, template_folder
from orchestrator.catalog.record import RECORD_FILE, record_rendering
from orchestrator.catalog.rendering import RenderRequest, render_template
from orchestrator.errors import StateError, UsageError
from orchestrator.forge.install_source import Source, UnknownSource
from orchestrator.repository.git import Repository, init_repository
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.repository.repository_facts import RepositoryFacts, read_facts
from orchestrator.scaffold.bootstrap_code import UNWANTED, BootstrapNames, write_bootstrap
from orchestrator.scaffold.init import InitRequest, complete_target, make_files, make_target
from orchestrator.scaffold.module import NAME

PROJECT_TEMPLATE = "project"
# The stack that each environment begins with, and its template.
FIRST_STACK = "network"
_GIT_FOLDER = ".git"


@dataclass(frozen=True)
class ProjectRequest:
    """What to make.

    `folder` is made, or is an empty one or a clone without commits. `reference` holds the shipped
    `infra/bootstrap` and `infra/modules`. `data` answers the template's questions, `ENV/QUESTION` those of
    the first stack in an environment. `repository` is OWNER/NAME on GitHub, by default that of a clone's
    origin: without one, and without a known `source` of infra, there are no workflows.
    """

    name: str
    folder: Path
    reference: Path
    data: Mapping[str, str] = field(default_factory=dict)
    repository: str | None = None
    source: Source | UnknownSource | None = None
    asks: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class NewProject:
    """The paths that were written, those that were there already and stay, and what is left to do."""

    files: tuple[str, ...]
    existing: tuple[str, ...]
    notes: tuple[str, ...]


def create_project(request: ProjectRequest) -> NewProject:
    """Makes the repository; nothing appears in `folder` before all of it is rendered.

    Raises UsageError for a name, a folder or an answer that is wrong, StateError where writing fails.
    """
    _require_usable(request)
    with _draft_folder(request) as temporary:
        draft = Path(temporary, "project")
        draft.mkdir(mode=0o755)
        notes = tuple(_fill(request, draft))
        paths = sorted(_list_files(draft))
        existing = tuple(path for path in paths if (request.folder / path).exists())
        if not request.dry_run:
            _publish(request.folder, draft, [path for path in paths if path not in existing])
    return NewProject(tuple(path for path in paths if path not in existing), existing, notes)


def _require_usable(request: ProjectRequest) -> None:
    if not NAME.fullmatch(request.name):
        raise UsageError(
            f"{request.name!r} cannot be a project's name.",
            advice="Use lower-case letters, digits and single hyphens, beginning with a letter: acme-shop.",
        )
    folder = request.folder
    for parent in folder.parents:
        if (parent / _GIT_FOLDER).exists():
            raise UsageError(
                f"{folder} is inside the Git repository {parent}.",
                advice="`infra init` sets up a repository that exists; `--folder` names another folder.",
            )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", advice="`--folder` names another one.")
    if (folder / "infra.yaml").exists() or (folder / "infra").exists():
        raise UsageError(
            f"{folder} has an infra.yaml or a folder infra already.",
            advice="`infra new stack` and `infra new environment` add to it; `--folder` names another.",
        )


def _draft_folder(request: ProjectRequest) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder: beside a new project, so that it can be renamed, else where others are.

    The folder above one that exists, such as a clone in a container, often belongs to somebody else.
    """
    if request.dry_run or request.folder.exists():
        return tempfile.TemporaryDirectory(prefix="infra-new-")
    parent = request.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".infra-new-", dir=parent)
    except OSError as error:
        raise StateError(
            f"{request.folder} cannot be made: {error.strerror}.", advice="`--folder` names another folder."
        ) from error


def _fill(request: ProjectRequest, draft: Path) -> Iterator[str]:
    """Writes the whole repository into an empty folder; yields what is left to do."""
    common = {key: value for key, value in request.data.items() if "/" not in key}
    answers = _write_template(request, draft, common)
    init_repository(draft, answers["trunk"])
    for folder in sorted((request.reference / "infra/modules").iterdir()):
        if folder.is_dir():
            shutil.copytree(folder, draft / "infra/modules" / folder.name, ignore=UNWANTED)
    environments = tuple(str(answers["environments"]).split(","))
    project_ids = {
        environment: request.data.get(f"{environment}/project_id")
        or f"{answers['project_prefix']}-{environment}"
        for environment in environments
    }
    project = load(draft)
    data = {
        "region": str(answers["region"]),
        **{f"{environment}/project_id": id_ for environment, id_ in project_ids.items()},
        **{f"{environment}/ip_cidr_range": range_ for environment, range_ in _ranges(environments)},
        **{key: value for key, value in request.data.items() if "/" in key},
    }
    entry = find_entry(project, FIRST_STACK)
    write_files(draft, render_stacks(project, CreationRequest(entry, FIRST_STACK, data=data)))
    facts = read_facts(project.coverage.source, _origin(request.folder))
    repository = request.repository or (facts.repository if facts.host == "github" else "")
    owner, _, repository_name = repository.partition("/")
    names = BootstrapNames(
        bucket=str(answers["state_bucket"]),
        project=f"{answers['project_prefix']}-infra",
        region=str(answers["region"]),
        location="EU",
        projects=project_ids,
        owner=owner,
        repository=repository_name,
    )
    write_bootstrap(project, request.reference, names)
    project = load(draft)
    yield from _write_workflows(request, repository, project, facts)
    write_entities(project)
    yield "Fill in the lines of infra/bootstrap/terraform.tfvars that are comments; then `infra bootstrap`."


def _write_template(request: ProjectRequest, draft: Path, data: Mapping[str, str]) -> Mapping[str, Any]:
    entry = package_entry(PROJECT_TEMPLATE)
    with template_folder(None, entry) as template:
        rendering = render_template(
            RenderRequest(
                entry.name, template, {"name": request.name}, data, _defaults(request), asks=request.asks
            )
        )
    record = record_rendering(entry.name, entry.source, entry.version, rendering)
    write_files(draft, {**rendering.files, RECORD_FILE: record.render()})
    return rendering.answers


def _defaults(request: ProjectRequest) -> Mapping[str, str]:
    """The trunk of a clone: what its origin calls so, or else the branch of its first commit."""
    if not (request.folder / _GIT_FOLDER).exists():
        return {}
    branch = Repository.open(request.folder).default_branch()
    return {"trunk": branch} if branch else {}


def _ranges(environments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A range of private addresses for each environment, so that they can be joined later."""
    step = 10 if len(environments) < 25 else 1
    for index, environment in enumerate(environments, 1):
        yield environment, f"10.{index * step % 256}.0.0/20"


def _origin(folder: Path) -> str | None:
    """The address that an empty clone was cloned from; None without one."""
    return Repository.open(folder).remote_url() if (folder / _GIT_FOLDER).exists() else None


def _write_workflows(
    request: ProjectRequest, repository: str, project: Project, facts: RepositoryFacts
) -> Iterator[str]:
    """Writes the workflows for GitHub; yields why there are none."""
    if not repository:
        yield "`infra init --repository OWNER/NAME` writes the workflows for GitHub."
        return
    target = make_target(project, repository, project.config.trunk, ())
    if request.source is None or isinstance(request.source, UnknownSource):
        reason = f": {request.source.reason}" if request.source else ""
        yield f"The workflows are left out{reason}. `infra init --from SPEC` writes them."
        return
    target = complete_target(target, project.config, facts, is_new=False)
    for path, text in make_files(project, InitRequest(target, request.source, facts=facts)).items():
        write_below(project.root, path, text.encode())


def _list_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != _GIT_FOLDER:
            yield name.as_posix()


def _publish(folder: Path, draft: Path, paths: list[str]) -> None:
    """Moves the finished repository to its folder; into one that exists, file by file, infra.yaml last."""
    try:
        if not folder.exists():
            draft.rename(folder)
            return
        for path in paths:
            path_below(folder, path)
        if not (folder / _GIT_FOLDER).exists():
            shutil.move(draft / _GIT_FOLDER, folder / _GIT_FOLDER)
        for path in sorted(paths, key=lambda path: path == "infra.yaml"):
            write_below(folder, path, (draft / path).read_bytes())
    except OSError as error:
        raise StateError(f"{folder} cannot be written: {error.strerror}.", advice="Who owns it?") from error

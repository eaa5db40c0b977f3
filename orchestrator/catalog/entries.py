"""The templates of the catalogue: those of infra itself, of the repository, and of other repositories."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.config.catalog import CatalogSource, TemplateKind
from orchestrator.errors import GitError, ProjectError, UsageError
from orchestrator.repository.discovery import nearest
from orchestrator.repository.git import Repository, fetch_commit
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.repository.tree import Tree

# NAME/VERSION/copier.yml; all versions that were released stay, so that copies of them can be updated.
PACKAGE_FOLDER = Path(__file__).parent / "templates"
PACKAGE = "package"
FETCHED = ".infra/cache/templates"
# What a template makes: `infra new project` takes one of the package alone.
EntryKind = TemplateKind | Literal["project"]
_PACKAGE_KINDS: Mapping[str, tuple[EntryKind, str]] = {
    "project": ("project", "A repository: settings, modules, environments, bootstrap and workflows."),
    "stack": ("stack", "An empty stack with a backend, variables and a provider."),
    "network": ("stack", "A network with one subnetwork."),
    "service": ("service", "A Cloud Run service with alerts and a budget."),
    "pipeline": ("pipeline", "The home of a Vertex AI pipeline: registries, bucket, account, schedule."),
}


@dataclass(frozen=True)
class CatalogEntry:
    """One template. `settings` is its entry in infra.yaml, None for a template of the package.

    `source` and `version` are as in a `TemplateRecord`. `is_trusted` is trunk's word.
    """

    name: str
    kind: EntryKind
    source: str
    version: str
    description: str = ""
    settings: CatalogSource | None = None
    is_trusted: bool = False


def list_entries(project: Project) -> list[CatalogEntry]:
    """All templates by name; one of the repository replaces one of the package with the same name."""
    entries = {name: package_entry(name) for name in _PACKAGE_KINDS}
    trunk = _read_trunk(project)
    for name, settings in project.config.catalog.items():
        if settings.git is not None:
            source, version = settings.git, settings.commit or ""
        else:
            source, version = f"folder:{settings.folder}", project.repository.head() or ""
        entries[name] = CatalogEntry(
            name,
            settings.kind,
            source,
            version,
            settings.description,
            settings,
            is_trusted=trunk is not None and _is_trusted(project, trunk, name, settings),
        )
    return sorted(entries.values(), key=lambda entry: entry.name)


def package_entry(name: str) -> CatalogEntry:
    """A template of the package at its newest version."""
    kind, description = _PACKAGE_KINDS[name]
    return CatalogEntry(name, kind, PACKAGE, _newest_version(name), description)


def find_entry(project: Project, name: str) -> CatalogEntry:
    """The template with this name; UsageError without one."""
    entries = {entry.name: entry for entry in list_entries(project)}
    if name not in entries:
        advice = nearest(name, list(entries)) or "`infra catalog list` shows all templates."
        raise UsageError(f"The catalogue has no template {name!r}.", advice=advice)
    return entries[name]


@contextmanager
def template_folder(
    project: Project | None, entry: CatalogEntry, version: str | None = None
) -> Iterator[Path]:
    """The files of a template on disk, at its own version or another one; links in it are left out.

    A template of the package needs no project.
    """
    version = version or entry.version
    if entry.source == PACKAGE:
        folder = PACKAGE_FOLDER / entry.name / version
        if not version.isdigit() or not folder.is_dir():
            raise UsageError(
                f"This infra has no version {version!r} of the template {entry.name}.",
                advice=f"Its newest is {_newest_version(entry.name)}; take a newer infra.",
            )
        yield folder
        return
    if project is None:
        raise ValueError(f"the template {entry.name} belongs to a project")
    tree, folder_name = _tree_of(project, entry, version)
    paths = [path for path in tree.below(folder_name) if path not in tree.links]
    if not paths:
        raise ProjectError(
            f"There is no template in {folder_name} at {version[:10]}.",
            advice="Commit the template first: it is read from a commit.",
        )
    with tempfile.TemporaryDirectory(prefix="infra-") as temporary:
        prefix = "" if folder_name in ("", ".") else f"{folder_name}/"
        for path in paths:
            target = Path(temporary, path.removeprefix(prefix))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(tree.read(path))
        yield Path(temporary)


def _tree_of(project: Project, entry: CatalogEntry, version: str) -> tuple[Tree, str]:
    """The tree that holds a template, and the template's folder in it."""
    settings = entry.settings
    if settings is None:
        raise ValueError("a template of the package is in no tree")
    if settings.git is None:
        if not version:
            raise GitError(
                "The repository has no commit.", advice="Commit the template first: it is read from a commit."
            )
        return project.repository.commit_tree(version), str(settings.folder)
    name = hashlib.sha256(settings.git.encode()).hexdigest()[:20]
    fetched: Repository = fetch_commit(project.root / FETCHED / name, settings.git, version)
    return fetched.commit_tree(version), "" if str(settings.folder) == "." else str(settings.folder)


def _read_trunk(project: Project) -> Project | None:
    """The project as trunk has it, if a template wants to be trusted; None where trunk is not known."""
    if not any(settings.trusted for settings in project.config.catalog.values()):
        return None
    try:
        return load_commit(project, project.repository.trunk(project.config.trunk))
    except GitError:
        return None


def _is_trusted(project: Project, trunk: Project, name: str, settings: CatalogSource) -> bool:
    """Whether trunk trusts a template: it has the same entry, and the same files of a folder of its own."""
    if not settings.trusted or trunk.config.catalog.get(name) != settings:
        return False
    head = project.repository.head()
    if settings.git is not None or head is None:
        return settings.git is not None
    folder = str(settings.folder)
    return _contents(project.repository.commit_tree(head), folder) == _contents(trunk.tree, folder)


def _contents(tree: Tree, folder: str) -> dict[str, str]:
    return {path: tree.links.get(path) or tree.ids[path] for path in tree.below(folder)}


def _newest_version(name: str) -> str:
    return str(max(int(path.name) for path in (PACKAGE_FOLDER / name).iterdir() if path.name.isdigit()))

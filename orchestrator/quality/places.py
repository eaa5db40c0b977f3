"""The folders of code that are linted: roots, modules, and the examples and helpers beside them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.project.discovery import HELPERS
from orchestrator.project.fingerprint import BUILTIN, provider_address
from orchestrator.project.model import Project
from orchestrator.repository.facts import NO_TYPES, Types
from orchestrator.repository.modules import is_code
from orchestrator.run.bootstrapping import default_root

Kind = Literal["root", "module", "example", "helper"]


@dataclass(frozen=True)
class Place:
    """A folder of Terraform code, as a path from the project's root."""

    path: str
    kind: Kind


def tops_of(project: Project) -> tuple[str, ...]:
    """The folders that hold all code, none inside another: modules, environments, shared roots, bootstrap."""
    roots = project.config.roots
    found = {str(roots.modules), str(roots.envs), default_root(project), *project.modules}
    found |= {stack.path for stack in project.stacks.values()}
    present = sorted(one for one in found if project.tree.is_folder(one))
    return tuple(one for one in present if not any(one.startswith(f"{top}/") for top in present))


def places_of(project: Project) -> tuple[Place, ...]:
    """Every folder of code below the tops."""
    folders = {
        posixpath.dirname(path)
        for top in tops_of(project)
        for path in project.tree.below(top)
        if is_code(posixpath.basename(path)) and not _is_hidden(path)
    }
    return tuple(Place(folder, _kind(project, folder)) for folder in sorted(folders))


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _kind(project: Project, folder: str) -> Kind:
    if folder in project.modules:
        return "module"
    parts = folder.split("/")
    if "examples" in parts:
        return "example"
    return "helper" if not HELPERS.isdisjoint(parts) else "root"


def types_in(project: Project, folders: Iterable[str]) -> Types:
    """The types in folders and in the modules that they reach; `providers` are full addresses."""
    source = project.coverage.source
    start = {source.real(folder) for folder in folders}
    found = NO_TYPES
    for folder in sorted(start.union(*(source.reached(one) for one in start))):
        facts = source.directory(folder)
        names = (facts.types.providers | facts.required_providers.keys()) - {BUILTIN}
        sources = {facts.required_providers.get(name, f"hashicorp/{name}") for name in names}
        types = facts.types
        found = found | Types(
            types.resources, types.data_sources, types.ephemeral, frozenset(map(provider_address, sources))
        )
    return found

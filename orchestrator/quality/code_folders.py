"""Finds the folders of Terraform code: roots, modules, and their examples and helpers."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.repository.discovery import HELPERS
from orchestrator.repository.facts import NO_TYPES, ModuleFacts, ProviderTypes
from orchestrator.repository.fingerprint import BUILTIN, provider_address
from orchestrator.repository.layout import default_bootstrap_root
from orchestrator.repository.model import Project
from orchestrator.repository.modules import is_code

Kind = Literal["root", "module", "example", "helper"]


@dataclass(frozen=True)
class CodeFolder:
    """A folder of Terraform code, as a path from the project's root."""

    path: str
    kind: Kind


def find_top_folders(project: Project) -> tuple[str, ...]:
    """The folders that hold all code, none inside another: modules, environments, shared roots, bootstrap."""
    roots = project.config.roots
    folders = {str(roots.modules), str(roots.envs), default_bootstrap_root(project), *project.modules}
    folders |= {stack.path for stack in project.stacks.values()}
    present = sorted(folder for folder in folders if project.tree.is_folder(folder))
    return tuple(folder for folder in present if not any(folder.startswith(f"{top}/") for top in present))


def find_code_folders(project: Project) -> tuple[CodeFolder, ...]:
    """Every folder of code below the tops."""
    folders = {
        posixpath.dirname(path)
        for top in find_top_folders(project)
        for path in project.tree.below(top)
        if is_code(posixpath.basename(path)) and not _is_hidden(path)
    }
    return tuple(CodeFolder(folder, _kind(project, folder)) for folder in sorted(folders))


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _kind(project: Project, folder: str) -> Kind:
    if folder in project.modules:
        return "module"
    parts = folder.split("/")
    if "examples" in parts:
        return "example"
    return "helper" if not HELPERS.isdisjoint(parts) else "root"


def collect_types(project: Project, folders: Iterable[str]) -> ProviderTypes:
    """The types in folders and in the modules that they reach; `providers` are full addresses."""
    source = project.coverage.source
    start = {source.real(folder) for folder in folders}
    no_types = NO_TYPES
    for folder in sorted(start.union(*(source.reached(folder) for folder in start))):
        facts = source.directory(folder)
        types = facts.types
        no_types = no_types | ProviderTypes(
            types.resources, types.data_sources, types.ephemeral, provider_sources(facts)
        )
    return no_types


def provider_sources(facts: ModuleFacts) -> frozenset[str]:
    """The full addresses of the providers that a module uses."""
    names = (facts.types.providers | facts.required_providers.keys()) - {BUILTIN}
    sources = {facts.required_providers.get(name, f"hashicorp/{name}") for name in names}
    return frozenset(map(provider_address, sources))

"""The blast radius of a module, a stack or a file: which stacks a change of it reaches, and how."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestrator.config import FILE_NAME
from orchestrator.errors import UsageError
from orchestrator.forge.owners import read_owners
from orchestrator.repository.affected import calling_modules
from orchestrator.repository.discovery import nearest
from orchestrator.repository.model import Edge, Project
from orchestrator.repository.selection import select
from orchestrator.repository.tree import inside

TargetKind = Literal["module", "stack", "file"]


@dataclass(frozen=True)
class ImpactTarget:
    """What would change: the folder of a module, the id of a stack (several for an environment), a path."""

    kind: TargetKind
    names: tuple[str, ...]


@dataclass(frozen=True)
class ReachedStack:
    """A stack that a change reaches.

    `distance` is 0 where it reads the target itself, else the number of stacks before it. `chain` leads from
    the target to it. `outputs` are those that it reads of the stack before it, None for all or for none.
    """

    id: str
    environment: str
    distance: int
    chain: tuple[str, ...]
    owners: tuple[str, ...]
    outputs: tuple[str, ...] | None = None

    def document(self, resources: Mapping[str, int]) -> dict[str, Any]:
        """The stack as it stands in `--json`; `resources` are those in the states, by stack."""
        return {
            "id": self.id,
            "environment": self.environment,
            "distance": self.distance,
            "chain": list(self.chain),
            "outputs": None if self.outputs is None else list(self.outputs),
            "owners": list(self.owners),
            "resources": resources.get(self.id),
        }


def find_target(project: Project, name: str, cwd: Path) -> ImpactTarget:
    """What a name means: a module, else stacks, else a file. UsageError for a name that means nothing."""
    clean = name.rstrip("/")
    paths = _paths(project, clean, cwd)
    modules = [path for path in paths if path in project.modules]
    if not modules and "/" not in clean:
        modules = [path for path in project.modules if posixpath.basename(path) == clean]
    if len(modules) > 1:
        raise UsageError(f"{name} means {len(modules)} modules.", advice=f"Name one: {', '.join(modules)}.")
    if modules:
        return ImpactTarget("module", (modules[0],))
    file = next((path for path in paths if project.tree.find(path) is not None), None)
    if file == FILE_NAME:
        raise UsageError(
            f"Which stacks {FILE_NAME} reaches depends on its keys.",
            advice="Change it, and `infra affected` shows them.",
        )
    if file is not None:
        return ImpactTarget("file", (file,))
    try:
        return ImpactTarget("stack", select(project, [name], cwd))
    except UsageError:
        known = [*project.modules, *project.stacks, *project.tree.ids]
        raise UsageError(
            f"There is no module, stack or file {name!r}.",
            advice=nearest(name, known) or "`infra list` shows the stacks and the modules.",
        ) from None


def find_impact(project: Project, target: ImpactTarget) -> list[ReachedStack]:
    """The stacks that a change of the target reaches, the nearest first, in the project's order."""
    owners = read_owners(project)
    reached: dict[str, ReachedStack] = {}
    for id_, chain in _first(project, target):
        stack = project.stacks[id_]
        reached[id_] = ReachedStack(id_, stack.environment, 0, chain, owners.of_folder(stack.path))
    edges: dict[str, list[Edge]] = {}
    for edge in project.edges:
        edges.setdefault(edge.source, []).append(edge)
    wave = list(reached)
    while wave:
        following = []
        for edge in (edge for id_ in wave for edge in edges.get(id_, ())):
            if edge.target in reached:
                continue
            before, stack = reached[edge.source], project.stacks[edge.target]
            reached[edge.target] = ReachedStack(
                edge.target,
                stack.environment,
                before.distance + 1,
                (*before.chain, edge.target),
                owners.of_folder(stack.path),
                None if edge.outputs is None else tuple(sorted(edge.outputs)),
            )
            following.append(edge.target)
        wave = following
    rank = {id_: index for index, id_ in enumerate(project.stacks)}
    return sorted(reached.values(), key=lambda stack: (stack.distance, rank[stack.id]))


def _paths(project: Project, name: str, cwd: Path) -> list[str]:
    """The paths that a name may mean, from the folder that one is in and from the project's root."""
    paths = [inside(name)]
    absolute = Path(posixpath.normpath(cwd / name))
    if absolute.is_relative_to(project.root):
        paths.insert(0, absolute.relative_to(project.root).as_posix())
    return list(dict.fromkeys(path for path in paths if path))


def _first(project: Project, target: ImpactTarget) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The stacks that read the target themselves, each with the chain from the target to it."""
    if target.kind == "stack":
        yield from ((id_, (id_,)) for id_ in target.names)
        return
    (name,) = target.names
    for id_, stack in project.stacks.items():
        modules = project.coverage.modules(stack)
        if target.kind == "module":
            if name in modules:
                yield id_, (name, *calling_modules(project, id_, name, f"{name}/"), id_)
        elif name in project.files(id_):
            module = _module_of(name, modules)
            yield id_, (name, *(calling_modules(project, id_, module, name) if module else ()), id_)


def _module_of(path: str, modules: Sequence[str]) -> str:
    """The module whose folder a file is in, the deepest one; empty for a file of no module."""
    return max((module for module in modules if path.startswith(f"{module}/")), key=len, default="")

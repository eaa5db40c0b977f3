"""Finds the stacks that a change affects, and the chain of files that explains each."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.errors import ConfigError, ProjectError
from orchestrator.repository.loading import commit_tree, load_commit
from orchestrator.repository.model import Project, Stack

CONFIG = "infra.yaml"
Chain = tuple[str, ...]


@dataclass(frozen=True)
class AffectedStack:
    """A stack whose fingerprint differs from the base's; a reason is a chain: changed path, …, id.

    `renamed_from` is the id that it has at the base, empty where that is the same.
    """

    id: str
    environment: str
    change: Literal["changed", "new"]
    reasons: tuple[Chain, ...]
    renamed_from: str = ""


@dataclass(frozen=True)
class Affected:
    """The difference between `base` and the project.

    `base` is a commit, None when there is none to compare with: then every stack is new. `dependents` are
    stacks that did not change and read those that did, or each other, mapped to what they read. `deleted`
    are stacks that the base has and whose resources no stack of the project describes: to be destroyed.
    """

    base: str | None
    stacks: tuple[AffectedStack, ...]
    dependents: Mapping[str, tuple[str, ...]]
    deleted: tuple[Stack, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the affected stacks, in the project's order."""
        return tuple(stack.id for stack in self.stacks)


def base_commit(project: Project, base: str | None = None) -> str | None:
    """The commit to compare with: the merge base with `base`, by default with trunk."""
    head = project.tree.commit or project.repository.head()
    if head is None:
        return None
    repository = project.repository
    other = repository.resolve(base) if base is not None else repository.trunk(project.config.trunk)
    return repository.merge_base(other, head)


def find_affected(project: Project, base: str | None = None) -> Affected:
    """Compare the project with its merge base with `base` (trunk when None)."""
    commit = base_commit(project, base)
    before, fallback = load_base(project, commit)
    return compare_projects(project, before, commit, fallback)


def compare_projects(
    project: Project, before: Project | None, commit: str | None, fallback: Chain = ()
) -> Affected:
    """Compare the project with the one at `commit`; without one, `fallback` begins every stack's reason."""
    if before is project:
        return Affected(commit, (), find_dependents(project, []), ())
    stacks = []
    for stack in project.stacks.values():
        affected_stack = _compare(before, project, stack, fallback)
        if affected_stack is not None:
            stacks.append(affected_stack)
    deleted = deleted_stacks(project, before.stacks.values()) if before else ()
    return Affected(commit, tuple(stacks), find_dependents(project, [stack.id for stack in stacks]), deleted)


def deleted_stacks(project: Project, before: Iterable[Stack]) -> tuple[Stack, ...]:
    """Stacks of the base that the project no longer declares.

    A stack that `moved` renames, or whose state another stack uses now, only has a new id: destroying it
    would destroy the resources of the other stack.
    """
    moved = project.config.earlier_ids
    states = {stack.state for stack in project.stacks.values() if stack.state}
    return tuple(
        stack
        for stack in before
        if stack.id not in project.stacks and stack.id not in moved and stack.state not in states
    )


def load_base(project: Project, commit: str | None) -> tuple[Project | None, Chain]:
    """Load the project at the base; None, with a reason, where every stack counts as affected.

    Where the base has the same files, it is the project itself, unless `--cold` reads everything.
    """
    if commit is None:
        return None, ()
    if project.coverage.source.memo.stored is not None and _has_same_files(project, commit):
        return project, ()
    try:
        return load_commit(project, commit), ()
    except (ConfigError, ProjectError) as error:
        return None, (f"{CONFIG} at {commit[:10]} cannot be read: {error.message}",)


def _has_same_files(project: Project, commit: str) -> bool:
    """Whether a commit holds the files of the project, bytes included, with the same infra.yaml."""
    tree = project.tree
    base = commit_tree(project, commit)
    return (
        (base.ids, base.links, base.submodules) == (tree.ids, tree.links, tree.submodules)
        and not tree.empty_submodules
        # One that Git ignores is in no commit; one that a sparse checkout leaves out was not read.
        and (CONFIG in tree.ids) == (project.root / CONFIG).exists()
        and all(map(tree.has_bytes_of_id, tree.ids))
    )


def _compare(before: Project | None, after: Project, stack: Stack, fallback: Chain) -> AffectedStack | None:
    earlier = after.config.earlier_id(stack.id)
    if before is not None and stack.id not in before.stacks and earlier and earlier in before.stacks:
        declared = (CONFIG, f"stacks.{stack.id}.moved", stack.id)
        return AffectedStack(stack.id, stack.environment, "changed", (declared,), earlier)
    if before is None or stack.id not in before.stacks:
        chain = (*fallback, stack.id) if fallback else (stack.path, stack.id)
        change: Literal["changed", "new"] = "changed" if fallback else "new"
        return AffectedStack(stack.id, stack.environment, change, (chain,))
    # First: what it reads from the working tree, the base need not get from Git, one process a file.
    fingerprint = after.fingerprint(stack.id)
    if before.fingerprint(stack.id) == fingerprint:
        return None
    return AffectedStack(stack.id, stack.environment, "changed", change_reasons(before, after, stack.id))


def change_reasons(before: Project, after: Project, stack: str) -> tuple[Chain, ...]:
    """Why a stack is affected: changed settings, and changed files with the modules that lead to them."""
    chains: dict[Chain, None] = {}
    old, new = before.stacks[stack], after.stacks[stack]
    settings = set(before.coverage.settings(old)) ^ set(after.coverage.settings(new))
    for key in sorted({key for key, _ in settings}):
        chains[(CONFIG, key, stack)] = None
    if old.path != new.path:
        chains[(new.path, stack)] = None
    roots = before.coverage.root(old).files, after.coverage.root(new).files
    for path in _changed(*roots):
        chains[(path, stack)] = None
    modules = dict.fromkeys([*after.coverage.modules(new), *before.coverage.modules(old)])
    for module in sorted(modules):
        parts = [
            project.coverage.module(module).files if module in project.coverage.modules(of) else {}
            for project, of in ((before, old), (after, new))
        ]
        for path in _changed(*parts):
            owner = after if module in after.coverage.modules(new) else before
            chains[(path, *calling_modules(owner, stack, module, path), stack)] = None
    return tuple(sorted(chains, key=lambda chain: (chain[0], len(chain), chain)))


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def calling_modules(project: Project, stack: str, module: str, path: str) -> Chain:
    """The modules between a file of a module and a stack, nearest to the file first, its own one left out."""
    source = project.coverage.source
    start = source.real(project.stacks[stack].path)
    above: dict[str, str] = {}
    todo = [start]
    while todo and module not in above:
        following = []
        for folder in todo:
            for call in source.calls(folder):
                if call.path is not None and call.path not in above and call.path != start:
                    above[call.path] = folder
                    following.append(call.path)
        todo = following
    chain = [module] if posixpath.dirname(path) != module else []
    while module in above and above[module] != start:
        module = above[module]
        chain.append(module)
    return tuple(chain)


def find_dependents(project: Project, changed: list[str]) -> dict[str, tuple[str, ...]]:
    """Stacks that read outputs of `changed`, directly or through each other, with what they read."""
    reads: dict[str, list[str]] = {}
    for edge in project.edges:
        if edge.kind == "remote_state":
            reads.setdefault(edge.target, []).append(edge.source)
    readers: dict[str, list[str]] = {}
    for stack, sources in reads.items():
        for source in sources:
            readers.setdefault(source, []).append(stack)
    moving = set(changed)
    todo = list(changed)
    while todo:
        more = [stack for stack in readers.get(todo.pop(), ()) if stack not in moving]
        moving.update(more)
        todo += more
    return {
        stack: tuple(dict.fromkeys(source for source in reads[stack] if source in moving))
        for stack in project.stacks
        if stack in moving and stack not in changed
    }

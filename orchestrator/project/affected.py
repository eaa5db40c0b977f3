"""Which stacks a change touches, and by which chain of files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.errors import ConfigError, ProjectError
from orchestrator.project import load_commit
from orchestrator.project.model import Project, Stack

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
    """What differs between `base` and the project at hand.

    `base` is a commit, None when there is none to compare with: then every stack is new. `followers` are
    stacks that did not change and read those that did, or each other, mapped to what they read. `deleted`
    are stacks that the base has and whose resources no stack of the project describes: to be destroyed.
    """

    base: str | None
    stacks: tuple[AffectedStack, ...]
    followers: Mapping[str, tuple[str, ...]]
    deleted: tuple[Stack, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the affected stacks, in the project's order."""
        return tuple(stack.id for stack in self.stacks)


def base_commit(project: Project, base: str | None = None) -> str | None:
    """The commit to compare with: where the work at hand parted from `base`, by default from trunk."""
    head = project.tree.commit or project.repository.head()
    if head is None:
        return None
    repository = project.repository
    other = repository.resolve(base) if base is not None else repository.trunk(project.config.trunk)
    return repository.merge_base(other, head)


def affected(project: Project, base: str | None = None) -> Affected:
    """Compare the project with the commit from which it parted from `base` (trunk when None)."""
    commit = base_commit(project, base)
    before, fallback = at_base(project, commit)
    return compared(project, before, commit, fallback)


def compared(project: Project, before: Project | None, commit: str | None, fallback: Chain = ()) -> Affected:
    """Compare the project with the one at `commit`; without one, `fallback` begins every stack's reason."""
    stacks = []
    for stack in project.stacks.values():
        found = _compare(before, project, stack, fallback)
        if found is not None:
            stacks.append(found)
    deleted = gone(project, before.stacks.values()) if before else ()
    return Affected(commit, tuple(stacks), followers(project, [one.id for one in stacks]), deleted)


def gone(project: Project, before: Iterable[Stack]) -> tuple[Stack, ...]:
    """Those of older stacks whose resources nothing in the project describes any more.

    One that infra.yaml says has moved, or whose state another stack has now, only has another id: to destroy
    it would destroy what the other one is.
    """
    moved = project.config.earlier_ids
    states = {stack.state for stack in project.stacks.values() if stack.state}
    return tuple(
        stack
        for stack in before
        if stack.id not in project.stacks and stack.id not in moved and stack.state not in states
    )


def at_base(project: Project, commit: str | None) -> tuple[Project | None, Chain]:
    """The project at the base, or None with the reason for which every stack counts as affected."""
    if commit is None:
        return None, ()
    try:
        return load_commit(project, commit), ()
    except (ConfigError, ProjectError) as error:
        return None, (f"{CONFIG} at {commit[:10]} cannot be read: {error.message}",)


def _compare(before: Project | None, after: Project, stack: Stack, fallback: Chain) -> AffectedStack | None:
    earlier = after.config.earlier_id(stack.id)
    if before is not None and stack.id not in before.stacks and earlier and earlier in before.stacks:
        declared = (CONFIG, f"stacks.{stack.id}.moved", stack.id)
        return AffectedStack(stack.id, stack.environment, "changed", (declared,), earlier)
    if before is None or stack.id not in before.stacks:
        chain = (*fallback, stack.id) if fallback else (stack.path, stack.id)
        change: Literal["changed", "new"] = "changed" if fallback else "new"
        return AffectedStack(stack.id, stack.environment, change, (chain,))
    if before.fingerprint(stack.id) == after.fingerprint(stack.id):
        return None
    return AffectedStack(stack.id, stack.environment, "changed", reasons(before, after, stack.id))


def reasons(before: Project, after: Project, stack: str) -> tuple[Chain, ...]:
    """Every changed file with the modules through which it reaches the stack, and settings that changed."""
    found: dict[Chain, None] = {}
    old, new = before.stacks[stack], after.stacks[stack]
    settings = set(before.coverage.settings(old)) ^ set(after.coverage.settings(new))
    for key in sorted({key for key, _ in settings}):
        found[(CONFIG, key, stack)] = None
    if old.path != new.path:
        found[(new.path, stack)] = None
    roots = before.coverage.root(old).files, after.coverage.root(new).files
    for path in _changed(*roots):
        found[(path, stack)] = None
    modules = dict.fromkeys([*after.coverage.modules(new), *before.coverage.modules(old)])
    for module in sorted(modules):
        parts = [
            one.coverage.module(module).files if module in one.coverage.modules(of) else {}
            for one, of in ((before, old), (after, new))
        ]
        for path in _changed(*parts):
            owner = after if module in after.coverage.modules(new) else before
            found[(path, *_callers(owner, stack, module, path), stack)] = None
    return tuple(sorted(found, key=lambda chain: (chain[0], len(chain), chain)))


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _callers(project: Project, stack: str, module: str, path: str) -> Chain:
    """The modules between a file and a stack, nearest to the file first; the file's own one is left out."""
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


def followers(project: Project, changed: list[str]) -> dict[str, tuple[str, ...]]:
    """Stacks that read outputs of `changed`, directly or through each other, with what they read."""
    reads: dict[str, list[str]] = {}
    for edge in project.edges:
        if edge.kind == "remote_state":
            reads.setdefault(edge.target, []).append(edge.source)
    moving = set(changed)
    grown = True
    while grown:
        more = {stack for stack, sources in reads.items() if stack not in moving and moving & set(sources)}
        grown = bool(more)
        moving |= more
    return {
        stack: tuple(dict.fromkeys(source for source in reads[stack] if source in moving))
        for stack in project.stacks
        if stack in moving and stack not in changed
    }

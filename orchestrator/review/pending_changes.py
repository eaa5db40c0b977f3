"""Lists the changes of trunk since a stack was last applied, and the pull requests that brought them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from orchestrator.engine.context import RunContext
from orchestrator.errors import GitError, InfraError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.repository.git import CODE
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project, Stack
from orchestrator.state.records import LedgerEntry

CONFIG = "infra.yaml"
# Commits that are listed, and those of them that may concern a stack and are looked at. What lies further
# back counts as not reviewed.
MAX_COMMITS = 2_000
MAX_CHANGES = 200
# Branches whose merge approves what is pending in an environment: `approve/ENV/…`.
APPROVE_PREFIX = "approve"


# What a commit is to a stack: it changed its code, or what it reads, or is there to approve it.
Kind = Literal["code", "upstream", "approval"]


@dataclass(frozen=True)
class PendingChange:
    """A commit of trunk since a stack was last applied that may concern it.

    `pull_requests` brought it to trunk; empty for a direct push. `base` is trunk just before the first commit
    of its pull request, whose rules apply to it; None for trunk's first commit. `paths` are the files of the
    stack that it changed, relative to the project's root.
    """

    commit: str
    kind: Kind
    pull_requests: tuple[PullRequest, ...] = ()
    base: str | None = None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class PendingChanges:
    """The pending changes of a stack, oldest first."""

    changes: tuple[PendingChange, ...] = ()

    @property
    def pull_requests(self) -> tuple[PullRequest, ...]:
        """The pull requests of these changes, each once."""
        return tuple(
            {
                pull_request.number: pull_request
                for change in self.changes
                for pull_request in change.pull_requests
            }.values()
        )


class TrunkHistory:
    """Trunk's history since stacks were applied; lookups are cached across stacks.

    Without a forge nobody knows pull requests: then each commit is a change of its own.
    """

    def __init__(self, project: Project, forge: Forge | None) -> None:
        self.project = project
        self.forge = forge
        self.tip = project.tree.commit or project.repository.head() or ""
        self.branch = project.trunk_branch
        self._prefix = project.repository.prefix
        self._commits: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        self._projects: dict[str, Project | None] = {}
        self._pulls: dict[str, list[PullRequest]] = {}

    def pending(self, stack: Stack, entry: LedgerEntry | None) -> PendingChanges:
        """The pending changes; `entry` is the ledger's entry before this run. Raises ForgeError."""
        since = self._known(entry.commit) if entry else ""
        history = self._since(since)
        inside = {commit for commit, _ in history}
        matters = list(islice(self._matters(stack, since, history), MAX_CHANGES))
        changes: list[PendingChange] = []
        if self._is_cut(stack, history, len(matters)):
            oldest = history[-1][0]
            changes.append(PendingChange(oldest, "code", base=self._parent(oldest)))
        for commit, kind, paths in reversed(matters):
            pulls = [
                pull_request
                for pull_request in self._pull_requests(commit)
                if pull_request.merge_commit in inside
            ]
            if kind == "approval":
                pulls = [pull for pull in pulls if is_approval_for(pull, stack.environment)]
            if pulls or kind == "code":
                base = self._base(commit, pulls)
                changes.append(PendingChange(commit, kind, tuple(pulls), base, tuple(sorted(paths))))
        order = {commit: index for index, (commit, _) in enumerate(reversed(history))}
        return PendingChanges(tuple(sorted(changes, key=lambda change_: order[change_.commit])))

    def _base(self, commit: str, pulls: Sequence[PullRequest]) -> str | None:
        """Trunk before a commit and all commits of its pull request: a rebase brings several at once."""
        numbers = {pull.number for pull in pulls}
        parent = self._parent(commit)
        while parent and numbers & {pull_request.number for pull_request in self._pull_requests(parent)}:
            parent = self._parent(parent)
        return parent

    def at(self, commit: str) -> Project | None:
        """The project at a commit; None if it cannot be read."""
        if commit not in self._projects:
            try:
                self._projects[commit] = load_commit(self.project, commit)
            except InfraError:
                self._projects[commit] = None
        return self._projects[commit]

    def _known(self, commit: str) -> str:
        """The commit if this clone has it; else empty, so that everything counts as new."""
        try:
            return self.project.repository.resolve(commit) if commit else ""
        except GitError:
            return ""

    def _since(self, since: str) -> list[tuple[str, tuple[str, ...]]]:
        """Trunk's commits after one, newest first."""
        if since not in self._commits:
            self._commits[since] = self.project.repository.history(self.tip, since, MAX_COMMITS)
        return self._commits[since]

    def _matters(
        self, stack: Stack, since: str, history: list[tuple[str, tuple[str, ...]]]
    ) -> Iterator[tuple[str, Kind, set[str]]]:
        """The commits that may matter, newest first, with the stack's files that they changed.

        One that changed no file at all may be the merge of a branch that is there to approve.
        """
        before = self.at(since) if since else None
        ends = [project for project in (self.project, before) if project is not None]
        names = self._names(stack.id)
        own = {path for end in ends for name in names for path in _files(end, name)}
        behind = {path for end in ends for id_ in _upstreams(end, stack.id) for path in _files(end, id_)}
        # A link's own path says nothing of what it leads to.
        unsure = any(end.tree.links or end.tree.submodules for end in ends)
        folders = {posixpath.dirname(path) for path in own if path.endswith(CODE)}
        for commit, paths in history:
            inside = {path for name in paths if (path := self.inside(name)) is not None}
            if not paths:
                yield commit, "approval", set()
                continue
            # A file that came and went again is at neither end.
            touched = {path for path in inside if path in own or posixpath.dirname(path) in folders}
            if (touched or unsure or CONFIG in inside) and self._changes(names, commit, touched):
                yield commit, "code", {path for path in touched if path in own or path.endswith(CODE)}
            elif unsure or inside & behind:
                yield commit, "upstream", set()

    def _is_cut(self, stack: Stack, history: Sequence[tuple[str, tuple[str, ...]]], count: int) -> bool:
        """Whether the history before the examined changes may hold further changes of a stack."""
        if count == MAX_CHANGES:
            return True
        oldest = self.at(history[-1][0]) if len(history) == MAX_COMMITS else None
        return oldest is not None and stack.id in oldest.stacks

    def _changes(self, names: list[str], commit: str, files: set[str]) -> bool:
        """Whether a commit changed a stack's fingerprint; true if that is unknown."""
        parent, after = self._parent(commit), self.at(commit)
        if parent is None and after is not None:
            return bool(_fingerprint(after, names))
        before = self.at(parent) if parent else None
        if before is None or after is None:
            return bool(files) or before is not after
        return _fingerprint(before, names) != _fingerprint(after, names)

    def _names(self, stack: str) -> list[str]:
        """The ids of a stack: the current one, and the one before a rename."""
        earlier = self.project.config.earlier_id(stack)
        return [stack, *([earlier] if earlier else [])]

    def _parent(self, commit: str) -> str | None:
        parents = self.project.repository.commit(commit).parents
        return parents[0] if parents else None

    def inside(self, path: str) -> str | None:
        """A path from the project's root; None for one outside of it."""
        return path.removeprefix(self._prefix) if path.startswith(self._prefix) else None

    def _pull_requests(self, commit: str) -> list[PullRequest]:
        """The pull requests that brought a commit to trunk."""
        if self.forge is None:
            return []
        if commit not in self._pulls:
            self._pulls[commit] = [
                pull_request
                for pull_request in self.forge.pull_requests_of(commit)
                if pull_request.merged and pull_request.base_ref == self.branch
            ]
        return self._pulls[commit]


def load_newest_trunk(context: RunContext) -> Project:
    """Trunk at its newest commit in this clone; the run's own project where nothing newer is known.

    Raises ProjectError, GitError and ConfigError for a newer commit that cannot be read.
    """
    project = context.project
    repository = project.repository
    tip = repository.resolve(repository.trunk(project.config.trunk))
    if tip == context.info.commit or repository.is_ancestor(tip, project.commit or ""):
        return project
    return load_commit(project, tip)


def is_approval_for(pull_request: PullRequest, environment: str) -> bool:
    """Whether a pull request was opened to approve what is pending in an environment."""
    return pull_request.head_ref.startswith(f"{APPROVE_PREFIX}/{environment}/")


def _files(project: Project, stack: str) -> set[str]:
    return set(project.files(stack)) if stack in project.stacks else set()


def _fingerprint(project: Project, names: list[str]) -> str:
    """The fingerprint of a stack by the first of its names that is there; empty where none is."""
    return next((project.fingerprint(name) for name in names if name in project.stacks), "")


def _upstreams(project: Project, stack: str) -> set[str]:
    """All stacks whose outputs a stack reads, directly or not."""
    upstreams: set[str] = set()
    todo = [stack]
    while todo:
        for edge in project.upstreams(todo.pop()):
            if edge.source not in upstreams:
                upstreams.add(edge.source)
                todo.append(edge.source)
    return upstreams

"""Which merged pull requests a stack is owed to: what trunk has had since the commit last applied."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from orchestrator.errors import GitError, InfraError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.project import load_commit
from orchestrator.project.git import CODE
from orchestrator.project.model import Project, Stack
from orchestrator.state.records import Entry

CONFIG = "infra.yaml"
# Commits that are listed, and those of them that may concern a stack and are looked at. What lies further
# back counts as not reviewed.
MOST_COMMITS = 2_000
MOST_CHANGES = 200
# Branches whose merge approves what an environment is owed: `approve/ENV/…`.
APPROVE = "approve"


@dataclass(frozen=True)
class Owed:
    """What a stack is owed to, oldest first.

    `pull_requests` changed it, or what it reads, or are there to approve it. `unreviewed` are commits that
    changed its code and belong to none of them. `base` is trunk before the first of all these, None when
    there are none: whose rules hold. `of` maps the commits that changed its code to their pull requests.
    """

    pull_requests: tuple[PullRequest, ...] = ()
    unreviewed: tuple[str, ...] = ()
    base: str | None = None
    of: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Trunk:
    """Trunk's history as far as stacks are owed it; what several stacks ask is found out once."""

    def __init__(self, project: Project, host: Host) -> None:
        self.project = project
        self.host = host
        self.tip = project.tree.commit or project.repository.head() or ""
        self.branch = trunk_branch(project)
        top = project.repository.top
        self._prefix = project.root.relative_to(top).as_posix()
        self._commits: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        self._projects: dict[str, Project | None] = {}
        self._pulls: dict[str, list[PullRequest]] = {}

    def owed(self, stack: Stack, entry: Entry | None) -> Owed:
        """What a stack is owed to; `entry` is what the ledger knew before this run. Raises HostError."""
        since = self._known(entry.commit) if entry else ""
        history = self._since(since)
        inside = {commit for commit, _ in history}
        matters = list(islice(self._matters(stack, since, history), MOST_CHANGES))
        found: dict[int, PullRequest] = {}
        of: dict[str, tuple[int, ...]] = {}
        relevant: set[str] = set()
        for commit, kind in reversed(matters):
            pulls = [one for one in self._pull_requests(commit) if one.merge_commit in inside]
            if kind == "nothing":
                pulls = [one for one in pulls if approves(one, stack.environment)]
            found |= {one.number: one for one in pulls}
            relevant |= {commit} if pulls or kind == "code" else set()
            if kind == "code":
                of[commit] = tuple(one.number for one in pulls)
        if self._is_cut(stack, history, len(matters)):
            of[history[-1][0]] = ()
        order = {commit: place for place, (commit, _) in enumerate(reversed(history))}
        pulls = sorted(found.values(), key=lambda one: (order[one.merge_commit], one.number))
        first = next((commit for commit in order if commit in relevant), None)
        return Owed(
            pull_requests=tuple(pulls),
            unreviewed=tuple(commit for commit, numbers in of.items() if not numbers),
            base=self._parent(first) if first else None,
            of=of,
        )

    def at(self, commit: str) -> Project | None:
        """The project as a commit has it; None when it cannot be read."""
        if commit not in self._projects:
            try:
                self._projects[commit] = load_commit(self.project, commit)
            except InfraError:
                self._projects[commit] = None
        return self._projects[commit]

    def _known(self, commit: str) -> str:
        """A commit if this clone has it; else everything counts as new."""
        try:
            return self.project.repository.resolve(commit) if commit else ""
        except GitError:
            return ""

    def _since(self, since: str) -> list[tuple[str, tuple[str, ...]]]:
        """Trunk's commits after one, newest first."""
        if since not in self._commits:
            self._commits[since] = self.project.repository.history(self.tip, since, MOST_COMMITS)
        return self._commits[since]

    def _matters(
        self, stack: Stack, since: str, history: list[tuple[str, tuple[str, ...]]]
    ) -> Iterator[tuple[str, str]]:
        """The commits that may matter, newest first: `code` changed it, `upstream` what it reads.

        `nothing` changed no file at all: the merge of a branch that is there to approve.
        """
        before = self.at(since) if since else None
        ends = [one for one in (self.project, before) if one is not None]
        names = self._names(stack.id)
        own = {path for end in ends for name in names for path in _files(end, name)}
        behind = {path for end in ends for id_ in _upstreams(end, stack.id) for path in _files(end, id_)}
        # A link's own path says nothing of what it leads to.
        unsure = any(end.tree.links or end.tree.submodules for end in ends)
        folders = {posixpath.dirname(path) for path in own if path.endswith(CODE)}
        for commit, paths in history:
            inside = {path for name in paths if (path := self._inside(name)) is not None}
            if not paths:
                yield commit, "nothing"
                continue
            # A file that came and went again is at neither end.
            touched = {path for path in inside if path in own or posixpath.dirname(path) in folders}
            if (touched or unsure or CONFIG in inside) and self._changes(names, commit, touched):
                yield commit, "code"
            elif unsure or inside & behind:
                yield commit, "upstream"

    def _is_cut(self, stack: Stack, history: Sequence[tuple[str, tuple[str, ...]]], seen: int) -> bool:
        """Whether there may be changes of a stack before those that were looked at."""
        if seen == MOST_CHANGES:
            return True
        oldest = self.at(history[-1][0]) if len(history) == MOST_COMMITS else None
        return oldest is not None and stack.id in oldest.stacks

    def _changes(self, names: list[str], commit: str, files: set[str]) -> bool:
        """Whether a commit changed a stack's fingerprint; yes when that cannot be told."""
        parent, after = self._parent(commit), self.at(commit)
        if parent is None and after is not None:
            return bool(_fingerprint(after, names))
        before = self.at(parent) if parent else None
        if before is None or after is None:
            return bool(files) or before is not after
        return _fingerprint(before, names) != _fingerprint(after, names)

    def _names(self, stack: str) -> list[str]:
        """A stack's id, and the one that it had before."""
        settings = self.project.config.stacks.get(stack)
        return [stack, *([settings.moved] if settings and settings.moved else [])]

    def _parent(self, commit: str) -> str | None:
        parents = self.project.repository.commit(commit).parents
        return parents[0] if parents else None

    def _inside(self, path: str) -> str | None:
        """A path from the project's root; None for one outside of it."""
        if self._prefix == ".":
            return path
        return path.removeprefix(f"{self._prefix}/") if path.startswith(f"{self._prefix}/") else None

    def _pull_requests(self, commit: str) -> list[PullRequest]:
        """The pull requests that brought a commit to trunk."""
        if commit not in self._pulls:
            self._pulls[commit] = [
                one
                for one in self.host.pull_requests_of(commit)
                if one.merged and one.base_ref == self.branch
            ]
        return self._pulls[commit]


def approves(pull_request: PullRequest, environment: str) -> bool:
    """Whether a pull request is there to approve what an environment is owed."""
    return pull_request.head_ref.startswith(f"{APPROVE}/{environment}/")


def trunk_branch(project: Project) -> str:
    """The name of trunk's branch, without `refs/…`."""
    ref = project.repository.trunk(project.config.trunk)
    return ref.removeprefix("refs/remotes/origin/").removeprefix("refs/heads/")


def _files(project: Project, stack: str) -> set[str]:
    return set(project.files(stack)) if stack in project.stacks else set()


def _fingerprint(project: Project, names: list[str]) -> str:
    """The fingerprint of a stack by the first of its names that is there; empty where none is."""
    return next((project.fingerprint(one) for one in names if one in project.stacks), "")


def _upstreams(project: Project, stack: str) -> set[str]:
    """All stacks whose outputs a stack reads, directly or not."""
    found: set[str] = set()
    todo = [stack]
    while todo:
        for edge in project.upstreams(todo.pop()):
            if edge.source not in found:
                found.add(edge.source)
                todo.append(edge.source)
    return found

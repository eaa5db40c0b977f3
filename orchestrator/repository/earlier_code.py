"""Loads earlier commits of a project, for example to find a stack's previous backend."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.config import FILE_NAME
from orchestrator.errors import InfraError
from orchestrator.repository.loading import load_commit

if TYPE_CHECKING:
    from orchestrator.repository.model import Project, Stack

# Commits whose changed paths are listed, and those that are read for one stack.
MOST_COMMITS = 2_000
MOST_READ = 50


class EarlierCode:
    """The commits before a project, on its own line (first parents). Safe to share between threads."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._loaded: dict[str, Project | None] = {}
        self._lock = threading.Lock()

    def at(self, commit: str, stack: str) -> Stack | None:
        """A stack as a commit has it; None where that has none, or cannot be read."""
        project = self._load(commit)
        return project.stacks.get(stack) if project else None

    def of(self, stack: Stack) -> Iterator[Stack]:
        """The stack as it was before each commit that may have changed its backend, newest first.

        Ends where the stack began. A working tree is compared with its own commit as well.
        """
        commits = [commit for commit, _ in self._changes]
        if self._project.tree.commit is None and commits and (now := self.at(commits[0], stack.id)):
            yield now
        path, read = stack.path, 0
        for (_, paths), parent in zip(self._changes, commits[1:], strict=False):
            if not self._may_move(path, paths):
                continue
            read += 1
            before = self._load(parent)
            if before is None:
                continue
            if stack.id not in before.stacks or read > MOST_READ:
                return
            path = before.stacks[stack.id].path
            yield before.stacks[stack.id]

    def _may_move(self, path: str, changed: tuple[str, ...]) -> bool:
        """Whether a commit changed infra.yaml or the stack's own folder."""
        prefix = self._project.repository.prefix
        below = f"{prefix}{path}/".removeprefix("./") if path else prefix
        return any(file == f"{prefix}{FILE_NAME}" or file.startswith(below) for file in changed)

    @cached_property
    def _changes(self) -> list[tuple[str, tuple[str, ...]]]:
        tip = self._project.commit
        return self._project.repository.history(tip, "", MOST_COMMITS) if tip else []

    def _load(self, commit: str) -> Project | None:
        with self._lock:
            if commit not in self._loaded:
                try:
                    self._loaded[commit] = load_commit(self._project, commit)
                except InfraError:
                    self._loaded[commit] = None
            return self._loaded[commit]

"""Finds stacks whose code in the working tree differs from the commit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from orchestrator.errors import InfraError
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.state.records import UNCOMMITTED


class WorkingTree:
    """The project of a run beside the commit that its working tree is based on."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def commit_of(self, stack: str) -> str:
        """The commit as the ledger has it: `COMMIT+uncommitted` where the stack's code differs from it."""
        commit = self._project.commit or ""
        return f"{commit}{UNCOMMITTED}" if commit and self._differs(stack) else commit

    def uncommitted(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """Those of some stacks whose code is not what the commit says."""
        return tuple(stack for stack in stacks if self._project.commit and self._differs(stack))

    def _differs(self, stack: str) -> bool:
        if not self._has_changes:
            return False
        committed = self._committed
        if committed is None or stack not in committed.stacks or stack not in self._project.stacks:
            return True
        return committed.fingerprint(stack) != self._project.fingerprint(stack)

    @cached_property
    def _has_changes(self) -> bool:
        commit = self._project.commit
        if self._project.tree.commit is not None or commit is None:
            return False
        return bool(self._project.repository.changed_paths(commit))

    @cached_property
    def _committed(self) -> Project | None:
        """The project at the commit; None where that cannot be read, which the working tree mended."""
        try:
            return load_commit(self._project, self._project.commit or "")
        except InfraError:
            return None


def uncommitted_note(commit: str, stacks: Iterable[str]) -> str:
    """What to tell before such code is applied; empty where all of it is committed."""
    names = tuple(stacks)
    if not names:
        return ""
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"Uncommitted code: {listed} is not what {commit[:10]} says. "
        f"The ledger records it as {commit[:10]}{UNCOMMITTED}."
    )

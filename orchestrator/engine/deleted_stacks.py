"""Plans the destruction of stacks that were deleted from the code, with the code last applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.memory import Memory
from orchestrator.engine.pipeline import LAST_START, RunRequest, plan_all
from orchestrator.engine.rollout_options import RolloutOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import ConfigError, GitError, ProjectError
from orchestrator.repository.affected import deleted_stacks
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Stack
from orchestrator.state.records import base_commit
from orchestrator.terraform.client import PlanOptions


@dataclass(frozen=True)
class DeletedStack:
    """A stack that is gone, as `commit` still has it."""

    stack: Stack
    commit: str


def pending_deletions(memory: Memory, environment: str) -> tuple[DeletedStack, ...]:
    """The stacks of an environment that the ledger knows and trunk no longer has, by id.

    Their code is taken from the commit that was last applied; one whose commit is not in this clone, or
    cannot be read, cannot be destroyed and is left out.
    """
    project = memory.project
    deleted = {}
    for ledger in memory.ledgers.of_environment(environment):
        for entry in ledger.entries().values():
            if entry.stack in project.stacks or not entry.is_known or entry.result == "destroyed":
                continue
            try:
                old = load_commit(project, base_commit(entry.commit)).stacks.get(entry.stack)
            except (GitError, ConfigError, ProjectError):
                continue
            if old and deleted_stacks(project, [old]):
                deleted[entry.stack] = DeletedStack(old, base_commit(entry.commit))
    return tuple(deleted[name] for name in sorted(deleted))


def plan_deleted(
    session: Session,
    deleted: Iterable[DeletedStack],
    inspecting: Callable[[Session], Inspect] | None = None,
    rollout: RolloutOptions | None = None,
) -> dict[str, StackPlan]:
    """Plan the destruction of each with its old code, those that read others first; in the order of ids.

    `inspecting` gives what looks at the plans of a session: that of the old code has a project of its own.
    `rollout` are the options of a rollout, which finishes interrupted destroys too.
    """
    by_commit: dict[str, list[str]] = {}
    for deleted_stack in deleted:
        by_commit.setdefault(deleted_stack.commit, []).append(deleted_stack.stack.id)
    planned: dict[str, StackPlan] = {}
    for commit, stacks in by_commit.items():
        with at_commit(session, commit) as inner:
            inspect = inspecting(inner) if inspecting else inspect_nothing
            options = PlanOptions(destroy=True)
            request = RunRequest(
                tuple(stacks), options, last_start=LAST_START, inspect=inspect, rollout=rollout
            )
            planned |= plan_all(inner, request)
    return dict(sorted(planned.items()))

"""Stacks that the code no longer has: planned as a destroy with the code that they were made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.memory import Memory
from orchestrator.engine.planned import Planned
from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import ConfigError, GitError, ProjectError
from orchestrator.project import load_commit
from orchestrator.project.affected import gone
from orchestrator.project.model import Stack
from orchestrator.run.pipeline import LAST_START, Request, plan_all
from orchestrator.run.rollout_options import RolloutOptions
from orchestrator.state.records import base_commit
from orchestrator.terraform.client import PlanOptions


@dataclass(frozen=True)
class Deleted:
    """A stack that is gone, as `commit` still has it."""

    stack: Stack
    commit: str


def owed_deletions(memory: Memory, environment: str) -> tuple[Deleted, ...]:
    """The stacks of an environment that the ledger knows and trunk no longer has, by id.

    Their code is taken from the commit that was last applied; one whose commit is not in this clone, or
    cannot be read, cannot be destroyed and is left out.
    """
    project = memory.project
    found = {}
    for ledger in memory.ledgers.of_environment(environment):
        for entry in ledger.entries().values():
            if entry.stack in project.stacks or not entry.is_known or entry.result == "destroyed":
                continue
            try:
                old = load_commit(project, base_commit(entry.commit)).stacks.get(entry.stack)
            except (GitError, ConfigError, ProjectError):
                continue
            if old and gone(project, [old]):
                found[entry.stack] = Deleted(old, base_commit(entry.commit))
    return tuple(found[name] for name in sorted(found))


def plan_deleted(
    session: Session,
    deleted: Iterable[Deleted],
    inspecting: Callable[[Session], Inspect] | None = None,
    rollout: RolloutOptions | None = None,
) -> dict[str, Planned]:
    """Plan the destruction of each with its old code, those that read others first; in the order of ids.

    `inspecting` gives what looks at the plans of a session: that of the old code has a project of its own.
    `rollout` are the options of a rollout, which finishes interrupted destroys too.
    """
    by_commit: dict[str, list[str]] = {}
    for one in deleted:
        by_commit.setdefault(one.commit, []).append(one.stack.id)
    planned: dict[str, Planned] = {}
    for commit, stacks in by_commit.items():
        with at_commit(session, commit) as inner:
            inspect = inspecting(inner) if inspecting else inspect_nothing
            options = PlanOptions(destroy=True)
            request = Request(tuple(stacks), options, last_start=LAST_START, inspect=inspect, rollout=rollout)
            planned |= plan_all(inner, request)
    return dict(sorted(planned.items()))

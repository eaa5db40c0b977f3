"""Looks up whether the current commit has passed an environment: its records against the Git history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from orchestrator.config import Config
from orchestrator.engine.promotion_decision import (
    PromotionDecision,
    PromotionHistory,
    PromotionRequirements,
    decide,
    history_of,
    requirements_of,
)
from orchestrator.errors import ConfigError, ForbiddenError, GitError, ProjectError
from orchestrator.repository.loading import config_of, load_commit
from orchestrator.repository.model import Project
from orchestrator.state.promotion_store import PromotionRecord, PromotionStore

# Commits of trunk among which the records are placed.
LINE_LIMIT = 10_000


@dataclass(frozen=True)
class PromotionHold:
    """An earlier environment that stops promotion, and why."""

    environment: str
    decision: PromotionDecision

    @property
    def reason(self) -> str:
        """One clause, without a full stop."""
        return f"{self.environment} has not passed: {self.decision.reason}"


@dataclass
class PromotionLookup:
    """Decides for the project's commit; the checks are those that trunk has now.

    `store_of` gives an environment's records, None for an environment without stacks.
    """

    project: Project
    store_of: Callable[[str], PromotionStore | None]

    @cached_property
    def config(self) -> Config:
        """Trunk's configuration as of the last fetch; the checkout's where trunk's cannot be read."""
        project = self.project
        try:
            ref = project.repository.trunk(project.config.trunk)
            if project.repository.resolve(ref) == project.commit:
                return project.config
            return config_of(project.repository, project.repository.commit_tree(ref))
        except (GitError, ConfigError, ProjectError):
            return project.config

    def requirements(self, environment: str) -> PromotionRequirements:
        """What an environment has to pass before the next one may follow."""
        followed = environment in self.project.order.names[:-1]
        return requirements_of(self.config.environment(environment), followed=followed)

    def decision(self, environment: str) -> PromotionDecision:
        """Whether the commit has passed an environment.

        Raises ForbiddenError, naming the missing grant, when the records may not be read.
        """
        requirements = self.requirements(environment)
        store = None if requirements.is_empty else self.store_of(environment)
        if store is None:
            return decide(PromotionHistory(), PromotionRequirements())
        return decide(self._history(store), requirements, lambda commit: self._differs(environment, commit))

    def hold(self, environment: str) -> PromotionHold | None:
        """The nearest earlier environment that the commit has not passed; None: the environment may follow.

        Raises ForbiddenError when the records of the environment just before it may not be read. An account
        need not have that right further back: the environment just before was applied by the same rule.
        """
        earlier = self._earlier(environment)
        for name in reversed(earlier):
            try:
                decision = self.decision(name)
            except ForbiddenError:
                if name == earlier[-1]:
                    raise
                continue
            if not decision.is_passed:
                return PromotionHold(name, decision)
        return None

    def known_failure(self, environment: str) -> PromotionHold | None:
        """The nearest earlier environment whose newest record says that it has not passed.

        For runs outside CI, which run no checks: an environment without a record holds nobody back. Raises
        ForbiddenError as `hold` does.
        """
        earlier = self._earlier(environment)
        for name in reversed(earlier):
            requirements = self.requirements(name)
            try:
                record = None if requirements.is_empty else self.newest(name)
            except ForbiddenError:
                if name == earlier[-1]:
                    raise
                continue
            decision = decide(PromotionHistory(own=record), requirements) if record else None
            if decision and not decision.is_passed:
                return PromotionHold(name, decision)
        return None

    def _earlier(self, environment: str) -> tuple[str, ...]:
        """The environments before one in the order; one without stacks has its place in infra.yaml."""
        names, listed = self.project.order.names, list(self.project.config.environments)
        if environment in names:
            return names[: names.index(environment)]
        before = listed[: listed.index(environment)] if environment in listed else []
        return tuple(name for name in names if name in before)

    def newest(self, environment: str) -> PromotionRecord | None:
        """The record that the environment's decision rests on, or the newest one before the commit."""
        store = self.store_of(environment)
        history = self._history(store) if store else PromotionHistory()
        return history.own or history.ancestor

    def _history(self, store: PromotionStore) -> PromotionHistory:
        repository, commit = self.project.repository, self.project.commit or ""
        try:
            records = store.records()
        except ForbiddenError as error:
            raise _unreadable(store, error) from error
        line = repository.first_parents(commit, LINE_LIMIT) if commit else ()
        return history_of(
            records,
            commit,
            line,
            lambda other: repository.is_ancestor(other, commit),
            self._trunk_line,
        )

    @cached_property
    def _trunk_line(self) -> tuple[str, ...]:
        """Trunk's commits as of the last fetch, newest first; none where trunk cannot be read."""
        repository = self.project.repository
        try:
            return repository.first_parents(repository.trunk(self.project.config.trunk), LINE_LIMIT)
        except (GitError, ConfigError, ProjectError):
            return ()

    def _differs(self, environment: str, commit: str) -> bool:
        """Whether the environment's stacks differ from what they were at a commit."""
        try:
            before = load_commit(self.project, commit)
        except (GitError, ConfigError, ProjectError):
            return True
        return _fingerprints(before, environment) != _fingerprints(self.project, environment)


def _fingerprints(project: Project, environment: str) -> dict[str, str]:
    return {stack.id: project.fingerprint(stack.id) for stack in project.of(environment)}


def _unreadable(store: PromotionStore, error: ForbiddenError) -> ForbiddenError:
    name = store.environment
    return ForbiddenError(
        f"Whether {name} passed its checks cannot be read: {error.message}",
        advice=f"Grant roles/storage.objectViewer on the managed folder {store.base}/promotion/ to the plan "
        f"account of {name} and to the plan and apply accounts of the environment after it; "
        "`infra bootstrap` does that.",
    )

"""Decides whether a commit has passed an environment, from the environment's promotion records.

Pure: records and the order of commits in, a decision out. A failed check or a soak that was interrupted
stops promotion for every later run until it passes; nothing else forgets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.config import Environment
from orchestrator.state.promotion_store import PromotionRecord

SHORT = 10

# passed: the next environment may follow. failed: a check failed. due: checks or soak were not made, or were
# interrupted. superseded: a check failed at a newer commit, which has to pass itself.
State = Literal["passed", "failed", "due", "superseded"]


@dataclass(frozen=True)
class PromotionRequirements:
    """What an environment has to pass: the names of its checks, and its soak in seconds."""

    checks: tuple[str, ...] = ()
    soak: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether the environment passes by being applied."""
        return not self.checks and not self.soak


@dataclass(frozen=True)
class PromotionDecision:
    """Whether a commit has passed an environment, with the reason and the record that says so."""

    state: State
    reason: str = ""
    record: PromotionRecord | None = None

    @property
    def is_passed(self) -> bool:
        """Whether the next environment may follow."""
        return self.state == "passed"

    @property
    def is_due(self) -> bool:
        """Whether the environment's checks and soak have to be run for this commit."""
        return self.state in ("failed", "due")


@dataclass(frozen=True)
class PromotionHistory:
    """The records as one commit sees them.

    `own` is the commit's record, `ancestor` the newest one of a commit before it, `later` are those of all
    other commits in the order of trunk, the newest last: newer ones, and ones that this clone does not know.
    """

    own: PromotionRecord | None = None
    ancestor: PromotionRecord | None = None
    later: tuple[PromotionRecord, ...] = ()


def requirements_of(settings: Environment, *, followed: bool) -> PromotionRequirements:
    """What an environment's settings require; only one that another environment follows has to soak."""
    checks = tuple(dict.fromkeys(check.name for check in settings.checks))
    return PromotionRequirements(checks, settings.soak if followed else 0.0)


def history_of(
    records: Iterable[PromotionRecord],
    commit: str,
    line: Sequence[str],
    is_ancestor: Callable[[str], bool] = lambda commit: False,
    trunk: Sequence[str] = (),
) -> PromotionHistory:
    """Sort records by where their commits lie.

    `line` is the commit and those before it on trunk, `trunk` all of trunk as this clone has it; both newest
    first. `is_ancestor` says whether another commit is part of the commit's history all the same: its record
    says nothing about the line. A commit that trunk does not have counts as newer than all that it has: this
    clone was made before it. Of several, the one whose record was written last is the newest.
    """
    by_commit = {record.commit: record for record in records}
    positions = {name: index for index, name in enumerate(line)}
    before = [name for name in by_commit if name != commit and name in positions]
    newest = min(before, key=lambda name: positions[name], default=None)
    indices = {name: index for index, name in enumerate(trunk)}
    later = (
        record
        for name, record in by_commit.items()
        if name != commit and name not in positions and not is_ancestor(name)
    )
    return PromotionHistory(
        by_commit.get(commit),
        by_commit[newest] if newest else None,
        tuple(sorted(later, key=lambda record: (-indices.get(record.commit, -1), *_written(record)))),
    )


def _written(record: PromotionRecord) -> tuple[str, str]:
    return record.updated, record.commit


def decide(
    history: PromotionHistory,
    requirements: PromotionRequirements,
    is_changed_since: Callable[[str], bool] = lambda commit: True,
) -> PromotionDecision:
    """Whether the commit has passed the environment.

    `is_changed_since` says whether the environment's code differs between an earlier commit and this one: a
    commit that changes nothing there stands on the checks of the newest one before it.
    """
    if requirements.is_empty:
        return PromotionDecision("passed", "it has no checks and no soak")
    record = history.own
    if record is None and history.ancestor and not is_changed_since(history.ancestor.commit):
        record = history.ancestor
    if record is None:
        return PromotionDecision("due", "its checks have not been run at this commit")
    decision = _own_decision(record, requirements, is_own=record is history.own)
    if not decision.is_passed:
        return decision
    return _later_failure(history.later, requirements) or decision


def _own_decision(
    record: PromotionRecord, requirements: PromotionRequirements, *, is_own: bool
) -> PromotionDecision:
    """What one record says; a skip holds for its own commit alone."""
    if record.skipped and is_own:
        return PromotionDecision(
            "passed", f"checks skipped by {record.skipped.by}: {record.skipped.reason}", record
        )
    at = record.commit[:SHORT]
    failed = _failed_checks(record, requirements)
    if failed:
        return PromotionDecision("failed", f"{_named('check', failed)} failed at {at}", record)
    if record.skipped:
        return PromotionDecision("due", f"its checks were skipped at {at}, and not run since", record)
    missing = [name for name in requirements.checks if name not in record.checks]
    if missing:
        return PromotionDecision("due", f"{_named('check', missing)} did not finish at {at}", record)
    if requirements.soak and not record.soaked_until:
        return PromotionDecision("due", f"its soak did not finish at {at}", record)
    return PromotionDecision("passed", f"passed at {at}", record)


def _later_failure(
    later: Sequence[PromotionRecord], requirements: PromotionRequirements
) -> PromotionDecision | None:
    """A newer commit whose checks failed, unless they passed at one that is newer still.

    Commits are compared by their order on trunk, never by when their checks ended: a check of an older commit
    that ends late says nothing about the newer one.
    """
    for other in reversed(later):
        decision = _own_decision(other, requirements, is_own=True)
        if decision.state == "failed":
            return PromotionDecision("superseded", f"{decision.reason}, which is newer", decision.record)
        if decision.is_passed:
            return None
    return None


def _failed_checks(record: PromotionRecord, requirements: PromotionRequirements) -> list[str]:
    """The names of the required checks that failed, in the order of the configuration."""
    results: Mapping[str, str] = {name: check.result for name, check in record.checks.items()}
    return [name for name in requirements.checks if results.get(name) == "failed"]


def _named(noun: str, names: Sequence[str]) -> str:
    """`check smoke`, `checks smoke, front page`."""
    return f"{noun}{'' if len(names) == 1 else 's'} {', '.join(names)}"

"""Decides whether a plan may be applied where no pull requests can be asked about: any CI but GitHub Actions.

Two things approve there: the merge itself, into a trunk that its owner calls protected, and a manifest whose
SHA-256 the CI passes on after an approval. A manifest approves in every environment.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.engine.session import Session
from orchestrator.plan.digest import Digest
from orchestrator.repository.model import Project, Stack
from orchestrator.review.approvals import (
    MeasuredChange,
    TrunkRules,
    Verdict,
    compare_with_approved,
    read_trunk_rules,
)
from orchestrator.review.pending_changes import PendingChange, TrunkHistory
from orchestrator.state.records import LedgerEntry


@dataclass
class TrunkApprovals:
    """The approvals of a trunk alone; safe for concurrent use. Each of its commits is a change of its own."""

    session: Session
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._trunk = TrunkHistory(self.session.context.project, None)

    def compare(
        self,
        stack: Stack,
        digest: Digest,
        entry: LedgerEntry | None,
        approved: Digest | None = None,
        *,
        has_manifest: bool = False,
    ) -> Verdict:
        """Compares a plan with the manifest, or decides by the merge.

        `entry` is the ledger's entry before this run, `approved` the plan in the manifest, None if there is
        none (`has_manifest` is false) or it names another stack. The rules are those of trunk just before
        each pending change, so that a change which lets merges approve does not approve itself.
        """
        project = self.session.context.project
        rules = self._rules(stack, entry)
        if approved is not None:
            return compare_with_approved(project, stack, digest, [approved], rules)
        needing = [rule for rule in rules if rule.needed]
        if not needing:
            return Verdict("apply", reason=f"{stack.environment} needs no approval")
        why = next(filter(None, map(_why_not_by_merge, needing)), "")
        if not why:
            # Not `approved`: where the policy wants a label, the merge alone does not allow a deletion.
            merged = "whoever merged it into the protected trunk approved it"
            return Verdict("apply", reason=merged, unapproved="refuse")
        if has_manifest:
            missing = f"the manifest that was approved has no plan of {stack.id}"
            return Verdict("mismatch", reason=missing, unapproved="refuse")
        return Verdict("refuse", reason=why, unapproved="refuse")

    def projects(self, stack: Stack, entry: LedgerEntry | None) -> tuple[Project, ...]:
        """The projects whose rules a plan must meet, oldest first; trunk's if nothing is pending."""
        projects = {id(rule.project): rule.project for rule in self._rules(stack, entry)}
        return tuple(project for project in projects.values() if project is not None) or (
            self.session.context.project,
        )

    def last_project(self, stack: Stack, entry: LedgerEntry | None) -> Project | None:
        """Trunk with the last pending change; None if nothing is pending, or it cannot be read."""
        with self._lock:
            changes = self._trunk.pending(stack, entry).changes
            return self._trunk.at(changes[-1].commit) if changes else None

    def measured_changes(self, stack: Stack, entry: LedgerEntry | None) -> tuple[MeasuredChange, ...]:
        """The pending changes that are limited, oldest first; nothing is known of their plans."""
        policies = [rule.project.config.policy for rule in self._rules(stack, entry) if rule.project]
        return tuple(MeasuredChange("", policy) for policy in policies if policy.is_limited)

    def pull_requests(self, stack: Stack, entry: LedgerEntry | None) -> tuple[int, ...]:
        """None: nobody can be asked which they were."""
        return ()

    def _rules(self, stack: Stack, entry: LedgerEntry | None) -> Sequence[TrunkRules]:
        """The rules of trunk just before each pending change; trunk's own if nothing is pending."""
        project = self.session.context.project
        with self._lock:
            changes = self._trunk.pending(stack, entry).changes
            return [read_trunk_rules(self._at(change), stack, project) for change in changes] or [
                read_trunk_rules(project, stack, project)
            ]

    def _at(self, change: PendingChange) -> Project | None:
        """Trunk just before a change; for trunk's first commit, which had no rules before it, trunk with it.

        In a shallow clone any commit may look like the first one: then nothing is known.
        """
        if change.base:
            return self._trunk.at(change.base)
        is_shallow = self.session.context.project.repository.is_shallow
        return None if is_shallow else self._trunk.at(change.commit)


def _why_not_by_merge(rules: TrunkRules) -> str:
    """Why the merge does not approve under some rules, as a clause; empty if it does."""
    by = rules.environment.approved_by
    if rules.project is None:
        return "trunk before it cannot be read, and no approved manifest was passed on"
    if by == "manifest":
        return "no approved manifest was passed on (--manifest, --sha256)"
    if by != "merge":
        return f"`approved_by: {by}` was trunk's rule before it, and no approved manifest was passed on"
    if not rules.project.config.ci.trunk_protected:
        return "`approved_by: merge` counts only where trunk had `ci.trunk_protected` before the change"
    return ""

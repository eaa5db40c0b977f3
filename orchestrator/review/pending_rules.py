"""Finds the policy that applies to a pending change: that of trunk just before the change."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from orchestrator.engine.digests import DigestKeys, digest_inspection
from orchestrator.engine.inspection import Inspect, PlanInspection, combine
from orchestrator.engine.policy_inspection import CONFIG, estimate_cost, policy_inspection, read_policy
from orchestrator.engine.session import Session
from orchestrator.errors import ForgeError, StateError
from orchestrator.forge.interface import Forge
from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.plan.policy import check_sizes, size_of, size_of_digest
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.review.approvals import Approvals, MeasuredChange
from orchestrator.review.decisions import list_destroyed
from orchestrator.review.pending_changes import load_newest_trunk
from orchestrator.review.trunk_approvals import TrunkApprovals
from orchestrator.state.records import LedgerEntry


@dataclass
class PendingRules:
    """Finds, for each stack, the commits of trunk whose rules apply; safe for concurrent use.

    `approvals` asks the forge; with a CI other than GitHub Actions it is `TrunkApprovals`, and None where the
    forge is needed and cannot be asked. Each pending change is checked by the rules of trunk just before it,
    so that no change can loosen its own rules.
    """

    session: Session
    forge: Forge | None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _newest: Project | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.approvals: Approvals | TrunkApprovals | None = None
        if self.forge:
            self.approvals = Approvals(self.session, self.forge)
        elif not self.session.context.project.config.ci.has_reviews:
            self.approvals = TrunkApprovals(self.session)

    def build_inspect(self, session: Session) -> Inspect:
        """Builds the inspection of each plan: its digest, and the policy findings.

        Whether deletions are allowed is checked before the apply; see `missing_label`.
        """
        return combine(
            digest_inspection(session, DigestKeys(session.memory.ledgers)), self._policing(session)
        )

    def _policing(self, session: Session) -> Inspect:
        policy_inspections: dict[tuple[str, str], Inspect] = {}

        def inspect(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
            inspections: dict[tuple[str, str], Inspect] = {}
            for project in self._policy_projects(stack):
                policy, rego = read_policy(project)
                key = (repr(policy), repr(sorted(rego.items())))
                with self._lock:
                    if key not in policy_inspections:
                        policy_inspections[key] = policy_inspection(
                            session.context, policy, allow_destroy=True, rego=rego
                        )
                inspections[key] = policy_inspections[key]
            results = [inspection(stack, plan, plan_json) for inspection in inspections.values()]
            findings = [finding for result in results for finding in result.findings]
            return PlanInspection(
                findings=tuple(dict.fromkeys([*findings, *self._over_limits(stack, plan, plan_json)]))
            )

        return inspect

    def _policy_projects(self, stack: Stack) -> tuple[Project, ...]:
        """The projects whose policy a plan must meet: trunk before each pending change, and as it is now.

        A policy that a pending change brings along applies to what is merged later; one that was merged later
        forbids also what was merged before it and is not applied yet.
        """
        projects = self.projects(stack)
        newest = self._newest_trunk()
        last = self._last_project(stack)
        if last is not None and read_policy(last) == read_policy(newest):
            return projects
        return (*projects, newest)

    def _newest_trunk(self) -> Project:
        with self._lock:
            if self._newest is None:
                self._newest = load_newest_trunk(self.session.context)
            return self._newest

    def _last_project(self, stack: Stack) -> Project | None:
        if self.approvals is None:
            return None
        try:
            return self.approvals.last_project(stack, self._entry(stack))
        except (ForgeError, StateError):
            # `projects` has raised it where that matters.
            return None

    def _over_limits(self, stack: Stack, plan: Plan, plan_json: PlanJson) -> list[Finding]:
        """What a pending change is against the limits of trunk just before it.

        A change is as large as its last plans in the environment say; of one without plans, and of one that
        is pending alone, this plan counts, with the cost that its reviewers saw.
        """
        findings = []
        for change in self._measured_changes(stack):
            sizes = {id_: size_of_digest(digest) for id_, digest in change.plans.items()}
            if not sizes or change.is_alone:
                estimated = sizes[stack.id].cost if stack.id in sizes else None
                if estimated is None and change.policy.limits.cost is not None:
                    estimated = estimate_cost(self.session.context, stack, plan, plan_json)
                sizes[stack.id] = size_of(plan.counts, estimated)
            name = change.name or "This change"
            findings += [
                Finding(violation.severity, violation.rule, violation.message, violation.advice, CONFIG)
                for violation in check_sizes(sizes, change.policy, stack.environment, change=name)
            ]
        return findings

    def _measured_changes(self, stack: Stack) -> tuple[MeasuredChange, ...]:
        if self.approvals is not None:
            try:
                return self.approvals.measured_changes(stack, self._entry(stack))
            except (ForgeError, StateError):
                # `projects` has raised it where an approval is needed.
                pass
        policy = self.session.context.project.config.policy
        return (MeasuredChange("", policy),) if policy.is_limited else ()

    def projects(self, stack: Stack) -> tuple[Project, ...]:
        """Trunk just before each pending change of a stack; trunk as it is now if that is unknown."""
        project, approvals = self.session.context.project, self.approvals
        if approvals is None:
            return (project,)
        try:
            return approvals.projects(stack, self._entry(stack))
        except (ForgeError, StateError):
            if project.config.needs_approval(stack.environment, project.order):
                raise
            return (project,)

    def pull_requests(self, stack: Stack) -> tuple[int, ...]:
        """The pull requests that are pending for a stack; empty if they cannot be read."""
        if self.approvals is None:
            return ()
        try:
            return self.approvals.pull_requests(stack, self._entry(stack))
        except ForgeError:
            return ()

    def _entry(self, stack: Stack) -> LedgerEntry | None:
        return self.session.memory.ledgers.of(stack).entry(stack.id)

    def missing_label(self, stack: Stack, numbers: tuple[int, ...], digest: Digest | None) -> str:
        """Why a plan that deletes or replaces must not be applied, as a clause; empty if it may.

        It may if no label is required, or if somebody who may approve set it on pull requests whose plans at
        that time showed every deletion. A label on one pull request does not allow the deletions of another.
        """
        for project in self.projects(stack):
            policy, name = project.config.policy, stack.environment
            protected = project.config.is_protected(name, project.order)
            if policy.destroy_level(name, protected=protected) != "label":
                continue
            labelled = [self._labelled(number, stack, policy.label) for number in numbers]
            destroyed = frozenset(key for keys in labelled if keys is not None for key in keys)
            is_labelled = any(keys is not None for keys in labelled)
            if not is_labelled or digest is None or not list_destroyed(digest) <= destroyed:
                return (
                    f"{stack.id} would delete or replace something, and nobody who may approve has set the "
                    f"label {policy.label} after its plan"
                )
        return ""

    def _labelled(self, number: int, stack: Stack, label: str) -> frozenset[tuple[str, str]] | None:
        """The deletions in a pull request's newest plan before the label; None without the label."""
        if self.forge is None or not isinstance(self.approvals, Approvals):
            return None
        pull_request = self.forge.pull_request(number)
        with self.approvals.lock:
            decisions, locations = self.approvals.decisions, self.approvals.locations(stack)
            return decisions.destroyed_before_label(
                pull_request, stack.id, stack.environment, label, frozenset(), locations
            )

"""By whose policy an apply on trunk is judged: trunk's just before each change that is pending."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from orchestrator.engine.inspection import Inspect, Inspected, both
from orchestrator.engine.session import Session
from orchestrator.errors import HostError, StateError
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.project.model import Project, Stack
from orchestrator.review.approvals import Approvals
from orchestrator.review.decisions import destroyed
from orchestrator.run.digesting import Keys, digests
from orchestrator.run.policing import police, rego_texts
from orchestrator.state.records import Entry


@dataclass
class PendingRules:
    """Finds, for each stack, the commits of trunk whose rules hold; safe from many threads.

    `approvals` are None where there is no host that could be asked. Nobody loosens the rules by which their
    own change is judged: each pending change is judged by trunk just before it.
    """

    session: Session
    host: Host | None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.approvals = Approvals(self.session, self.host) if self.host else None

    def watching(self, session: Session) -> Inspect:
        """What is found out about each plan while its JSON is at hand: its digest, and the policy's findings.

        Whether deletions are allowed is asked when the plan is about to be applied (`missing_label`).
        """
        return both(digests(session, Keys(session.memory.ledgers)), self._policing(session))

    def _policing(self, session: Session) -> Inspect:
        made: dict[tuple[str, str], Inspect] = {}

        def inspect(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
            inspections: dict[tuple[str, str], Inspect] = {}
            for then in self.projects(stack):
                policy = then.config.policy
                rego = rego_texts(then.tree, policy.rego.folder)
                key = (repr(policy), repr(sorted(rego.items())))
                with self._lock:
                    if key not in made:
                        made[key] = police(session.context, policy, allow_destroy=True, rego=rego)
                inspections[key] = made[key]
            results = [one(stack, plan, raw) for one in inspections.values()]
            return Inspected(
                findings=tuple(dict.fromkeys(found for one in results for found in one.findings))
            )

        return inspect

    def projects(self, stack: Stack) -> tuple[Project, ...]:
        """Trunk just before each change that is pending for a stack; as it is now where that is unknown."""
        project, approvals = self.session.context.project, self.approvals
        if approvals is None:
            return (project,)
        try:
            return approvals.projects(stack, self._entry(stack))
        except (HostError, StateError):
            if project.config.needs_approval(stack.environment, project.order):
                raise
            return (project,)

    def pull_requests(self, stack: Stack) -> tuple[int, ...]:
        """Those that are pending for a stack; none where that cannot be found out."""
        if self.approvals is None:
            return ()
        try:
            return self.approvals.pull_requests(stack, self._entry(stack))
        except HostError:
            return ()

    def _entry(self, stack: Stack) -> Entry | None:
        return self.session.memory.ledgers.of(stack).entry(stack.id)

    def missing_label(self, stack: Stack, numbers: tuple[int, ...], now: Digest | None) -> str:
        """Why a plan that deletes or replaces must not be applied, as a clause; empty: it may.

        It may where no label is wanted, or where somebody who may approve set it on pull requests whose plans
        then showed all that goes: the label of one says nothing of what another deletes.
        """
        for then in self.projects(stack):
            policy, name = then.config.policy, stack.environment
            protected = then.config.is_protected(name, then.order)
            if policy.destroy_level(name, protected=protected) != "label":
                continue
            labelled = [self._labelled(number, stack, policy.label) for number in numbers]
            shown = frozenset(key for keys in labelled if keys is not None for key in keys)
            is_labelled = any(keys is not None for keys in labelled)
            if not is_labelled or now is None or not destroyed(now) <= shown:
                return (
                    f"{stack.id} would delete or replace something, and nobody who may approve has set the "
                    f"label {policy.label} after its plan"
                )
        return ""

    def _labelled(self, number: int, stack: Stack, label: str) -> frozenset[tuple[str, str]] | None:
        """What a pull request's newest plan before the label deletes and replaces; None without the label."""
        if self.host is None or self.approvals is None:
            return None
        pull_request = self.host.pull_request(number)
        with self.approvals.lock:
            decisions, locations = self.approvals.decisions, self.approvals.locations(stack)
            return decisions.destroyed_before_label(
                pull_request, stack.id, stack.environment, label, frozenset(), locations
            )

"""By whose policy an apply on trunk is judged: trunk's before the first change that is owed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from orchestrator.errors import HostError
from orchestrator.hosts.port import Host
from orchestrator.plan.model import Plan
from orchestrator.project.model import Project, Stack
from orchestrator.review.approvals import Approvals
from orchestrator.review.decisions import attestations_of
from orchestrator.review.pending import Owed
from orchestrator.run.digesting import Keys, digests
from orchestrator.run.inspecting import Inspect, Inspected, both
from orchestrator.run.policing import police, rego_texts
from orchestrator.run.session import Session


@dataclass
class OwedRules:
    """Finds, for each stack, the project whose rules hold; safe from many threads.

    `approvals` are None where there is no host that could be asked.
    Nobody loosens the rules by which their own change is judged: what loosens them is merged before.
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
        return both(digests(session, Keys(session.ledgers)), self._policing(session))

    def _policing(self, session: Session) -> Inspect:
        made: dict[str | None, Inspect] = {}

        def inspect(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
            then = self.project_of(stack)
            with self._lock:
                if then.commit not in made:
                    policy = then.config.policy
                    rego = rego_texts(then.tree, policy.rego.folder)
                    made[then.commit] = police(session, policy, allow_destroy=True, rego=rego)
            return made[then.commit](stack, plan, raw)

        return inspect

    def project_of(self, stack: Stack) -> Project:
        """Trunk before the first change that a stack is owed; as it is now where that cannot be told."""
        project, approvals = self.session.project, self.approvals
        if approvals is None:
            return project
        needs = project.config.needs_approval(stack.environment, project.order)
        with approvals.lock:
            try:
                base = self._owed(approvals, stack).base
            except HostError:
                if needs:
                    raise
                return project
            return (approvals.trunk.at(base) if base else None) or project

    def pull_requests(self, stack: Stack) -> tuple[int, ...]:
        """Those that a stack is owed to; none where that cannot be found out."""
        if self.approvals is None:
            return ()
        with self.approvals.lock:
            try:
                found = self._owed(self.approvals, stack)
            except HostError:
                return ()
        return tuple(one.number for one in found.pull_requests)

    def _owed(self, approvals: Approvals, stack: Stack) -> Owed:
        return approvals.trunk.owed(stack, self.session.ledgers.of(stack).entry(stack.id))

    def missing_label(self, stack: Stack, numbers: tuple[int, ...]) -> str:
        """Why a plan that deletes or replaces must not be applied, as a clause; empty: it may.

        It may where no label is wanted, or where somebody who may approve set it once the plan was there.
        """
        then = self.project_of(stack)
        policy, name = then.config.policy, stack.environment
        protected = then.config.is_protected(name, then.order)
        if policy.destroy_level(name, protected=protected) != "label":
            return ""
        if any(self._labelled(number, stack, policy.label) for number in numbers):
            return ""
        return (
            f"{stack.id} would delete or replace something, and nobody who may approve has set the label "
            f"{policy.label} after its plan"
        )

    def _labelled(self, number: int, stack: Stack, label: str) -> bool:
        """Whether the label was set once there was a plan; setting it makes another one."""
        if self.host is None or self.approvals is None:
            return False
        found = self.host.pull_request(number)
        with self.approvals.lock:
            attested = attestations_of(found, self.approvals.locations(stack))
            posted = min((one.posted for one in attested), default="")
            return bool(posted) and self.approvals.decisions.allows_destroy(found, posted, label)

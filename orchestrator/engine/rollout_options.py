"""What people allow a rollout to do beside its plans, and the plans that need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.engine.commit_order import superseded_reason
from orchestrator.engine.digests import empty_digest
from orchestrator.engine.repair import Repair, repair_of_lost_state, repair_of_superseded
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.states import States
from orchestrator.repository.model import Stack
from orchestrator.state.records import LedgerEntry, short_commit

# Plans that an apply would carry out.
PLANS = ("changed", "unchanged")


@dataclass(frozen=True)
class ResumeChoices:
    """What somebody decided about objects that are in no state, by address.

    `forget` are left alone: Terraform creates others. `replaces` are imported and replaced.
    """

    forget: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


NO_CHOICES = ResumeChoices()


@dataclass(frozen=True)
class RolloutOptions:
    """The exceptions that somebody requested; the gate has the last word on each.

    `choices` are, by stack id, about objects that an interrupted apply created. `forgotten` are stacks whose
    state is gone for good, with the reason. `over` are commits that are applied and that trunk does not have.
    """

    choices: Mapping[str, ResumeChoices] = field(default_factory=dict)
    forgotten: Mapping[str, str] = field(default_factory=dict)
    over: tuple[str, ...] = ()

    def choices_for(self, stack: str) -> ResumeChoices:
        """The choices about a stack's objects."""
        return self.choices.get(stack, NO_CHOICES)

    def session(self, session: Session) -> Session:
        """The session to which the forgotten stacks have no state that must be there."""
        if not self.forgotten:
            return session
        ledgers = session.memory.ledgers.forgetting(self.forgotten)
        return replace(session, memory=replace(session.memory, ledgers=ledgers))

    def superseded_commit(self, session: Session, entry: LedgerEntry | None) -> str:
        """The applied commit that is gone over, shortened; empty where none is."""
        if not self.over or entry is None or superseded_reason(session.context.project, entry) is None:
            return ""
        is_over = superseded_reason(session.context.project, entry, over=self.over) is None
        return short_commit(entry.commit) if is_over else ""


def has_no_state(states: States, stack: Stack) -> bool:
    """Whether a stack's state is gone; one in which nothing was ever recorded is none either.

    Terraform writes such a state when it plans a new stack against its backend.
    """
    head = states.head(stack)
    return head is None or head.is_empty


def with_exceptions(session: Session, stack: Stack, planned: StackPlan, options: RolloutOptions) -> StackPlan:
    """The plan of a stack, with what it needs of the exceptions."""
    if planned.report.result not in PLANS:
        return planned
    entry = session.memory.ledgers.entry(stack) if options.over else None
    exception = exception_of(session, stack, entry, options)
    return with_repair(session, stack, planned, exception) if exception else planned


def exception_of(
    session: Session, stack: Stack, entry: LedgerEntry | None, options: RolloutOptions
) -> Repair | None:
    """What the exceptions that somebody requested do to a stack; None where none applies."""
    if stack.id in options.forgotten and has_no_state(session.memory.states, stack):
        return repair_of_lost_state(options.forgotten[stack.id])
    commit = options.superseded_commit(session, entry)
    return repair_of_superseded(commit) if commit else None


def with_repair(session: Session, stack: Stack, planned: StackPlan, repair: Repair) -> StackPlan:
    """The plan with a repair, and a digest that covers it.

    Imports that change nothing are in no digest of a repair that takes no yes: what they take back was
    approved as a creation, and is there as approved.
    """
    digest = planned.inspected.digest
    if repair.asks:
        digest = digest or empty_digest(session, stack)
        digest = replace(digest, repairs=repair.approved_steps)
    elif digest is not None:
        digest = digest.without_quiet_imports
    return replace(planned, repair=repair, inspected=replace(planned.inspected, digest=digest))

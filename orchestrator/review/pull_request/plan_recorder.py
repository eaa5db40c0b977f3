"""Saves the digests of the plans that reviewers see, for the apply to compare: one object a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

from orchestrator.engine.digests import (
    SHOWN_HASH,
    DigestKeys,
    digest_inspection,
    empty_digest,
    locate_plan_objects,
)
from orchestrator.engine.inspection import NOTHING, Inspect, PlanInspection, combine, inspect_nothing
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import StateError
from orchestrator.forge.event import Event
from orchestrator.plan.digest import Digest, encode, sha256
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.plan.policy import COST
from orchestrator.report.review import StackReview, hash_of_review
from orchestrator.repository.model import Finding, Stack
from orchestrator.review.pull_request.scope import ChangeScope
from orchestrator.review.volatile_attributes import VolatileAttributes

# Objects that are written at once.
WRITERS = 8


@dataclass
class PlanRecorder:
    """Inspects plans while they are made and saves their digests; what it cannot save becomes a note.

    `saves` is false for a dry run, and where no pull request can be approved: then no object is written and
    no key is created. `police` builds the policy inspection of a session's plans, `check_queued` checks a
    plan in a merge queue. `provisional` is filled while the plans are made. `volatile` are the attributes of
    each stack of which any value is approved.
    """

    event: Event | None
    saves: bool
    base: str = ""
    police: Callable[[Session], Inspect] = lambda session: inspect_nothing
    check_queued: Callable[[Stack, Digest], tuple[Finding, ...]] | None = None
    destroys_deleted: bool = False
    provisional: Mapping[str, Sequence[str]] = field(default_factory=dict)
    volatile: Mapping[str, VolatileAttributes] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)
    _keys: DigestKeys | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be saved, and the attributes of which any value is approved, each once."""
        approved = [
            f"{stack}: {' '.join((address, path)).rstrip()} is new in every plan: any value is approved."
            for stack, attributes in self.volatile.items()
            for address, path in attributes
        ]
        return (*self._notes, *approved)

    @property
    def approves(self) -> bool:
        """Whether the pull request approves pending changes."""
        return self.saves and self.event is not None and bool(self.event.approves)

    def build_inspect(self, session: Session) -> Inspect:
        """Builds the inspection of a session's plans."""
        inspect_policy = self.police(session)
        if not (self.saves or self.check_queued):
            return inspect_policy
        self._keys = self._keys or DigestKeys(session.memory.ledgers)
        make_digest = digest_inspection(session, self._keys, facts=self._facts(session))

        def digest(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
            try:
                return make_digest(stack, plan, plan_json)
            except StateError as error:
                self._note_failure(stack.environment, error)
                return NOTHING

        return combine(inspect_policy, digest)

    def record(
        self,
        session: Session,
        scope: ChangeScope,
        planned: Mapping[str, StackPlan],
        reviews: Sequence[StackReview],
    ) -> tuple[StackReview, ...]:
        """Writes the plan objects; returns the reviews with the name and the hash of each."""
        if not (self.saves or self.check_queued):
            return tuple(reviews)
        stacks = {**scope.project.stacks, **{stack.id: stack for stack in scope.deleted}}

        def write(review: StackReview) -> StackReview:
            return self._write(session, scope, stacks[review.id], planned[review.id], review)

        with ThreadPoolExecutor(WRITERS, thread_name_prefix="object") as pool:
            return tuple(pool.map(write, reviews))

    def _write(
        self, session: Session, scope: ChangeScope, stack: Stack, planned: StackPlan, review: StackReview
    ) -> StackReview:
        try:
            digest = self._digest(session, stack, planned, review)
            if digest is None:
                return review
            if self.check_queued:
                return replace(review, findings=(*review.findings, *self.check_queued(stack, digest)))
            if self.event is None or self.event.pull_request is None:
                return review
            facts = {**digest.facts, SHOWN_HASH: hash_of_review(review)}
            if review.report.cost:
                facts[COST] = asdict(review.report.cost)
            digest = replace(digest, provisional=review.provisional, volatile=self.volatile.get(stack.id, ()))
            data = encode(replace(digest, facts=facts))
            name = locate_plan_objects(session.memory.ledgers, stack).create(
                self.event.pull_request, scope.planned.head, stack.id, self._run(session), data
            )
        except StateError as error:
            self._note_failure(stack.environment, error)
            return review
        return replace(review, object=name, sha256=sha256(data))

    def _digest(
        self, session: Session, stack: Stack, planned: StackPlan, review: StackReview
    ) -> Digest | None:
        """The digest that is approved; for an empty plan that may still change, an empty one."""
        if review.change == "deleted" and not self.destroys_deleted:
            return None
        if planned.report.result == "unchanged" and review.provisional:
            return empty_digest(session, stack, facts=self._facts(session))
        return planned.inspected.digest

    def _facts(self, session: Session) -> dict[str, str]:
        return {"run": self._run(session), "base": self.base}

    def _run(self, session: Session) -> str:
        return (self.event.run if self.event else "") or session.context.info.id

    def _note_failure(self, environment: str, error: StateError) -> None:
        self._notes[
            f"An approval of {environment} cannot count, since its plans could not be kept: "
            f"{error.message} {error.advice}".strip()
        ] = None

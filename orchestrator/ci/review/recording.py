"""What reviewers see of a plan, kept where an apply can compare with it: one object a plan, written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from orchestrator.ci.event import Event
from orchestrator.ci.review.scope import Scope
from orchestrator.engine.inspection import NOTHING, Inspect, Inspected, both, inspect_nothing
from orchestrator.engine.planned import Planned
from orchestrator.engine.session import Session
from orchestrator.errors import StateError
from orchestrator.plan.digest import Digest, encode, sha256
from orchestrator.plan.model import Plan
from orchestrator.project.model import Finding, Stack
from orchestrator.report.review import StackReview, shown_hash
from orchestrator.review.volatile import Attributes
from orchestrator.run.digesting import SHOWN, Keys, digests, empty_digest, plan_objects

# Objects that are written at once.
WRITERS = 8


@dataclass
class Recorder:
    """Watches plans while they are made and keeps their digests; what it cannot keep becomes a note.

    Nothing is kept, and no key is made, unless `keeps`: for a rehearsal, and where no pull request is to be
    approved. `police` gives the policy's inspection of a session's plans, `judge` what is said of a plan in a
    merge queue. `provisional` is filled in while the plans are made; `volatile` are attributes of each stack
    of which any value is approved.
    """

    event: Event | None
    keeps: bool
    base: str = ""
    police: Callable[[Session], Inspect] = lambda session: inspect_nothing
    judge: Callable[[Stack, Digest], tuple[Finding, ...]] | None = None
    destroys_deleted: bool = False
    provisional: Mapping[str, Sequence[str]] = field(default_factory=dict)
    volatile: Mapping[str, Attributes] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)
    _keys: Keys | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept, and of what any value is approved, each once."""
        approved = [
            f"{stack}: {' '.join((address, path)).rstrip()} is new in every plan: any value is approved."
            for stack, attributes in self.volatile.items()
            for address, path in attributes
        ]
        return (*self._notes, *approved)

    @property
    def approves(self) -> bool:
        """Whether the pull request is there to approve what is pending."""
        return self.keeps and self.event is not None and bool(self.event.approves)

    def watching(self, session: Session) -> Inspect:
        """What looks at each plan of a session."""
        police = self.police(session)
        if not (self.keeps or self.judge):
            return police
        self._keys = self._keys or Keys(session.memory.ledgers)
        made = digests(session, self._keys, facts=self._facts(session))

        def digest(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
            try:
                return made(stack, plan, raw)
            except StateError as error:
                self._cannot(stack.environment, error)
                return NOTHING

        return both(police, digest)

    def record(
        self, session: Session, scope: Scope, planned: Mapping[str, Planned], reviews: Sequence[StackReview]
    ) -> tuple[StackReview, ...]:
        """Write the plan objects; gives the reviews with the name and the hash of each."""
        if not (self.keeps or self.judge):
            return tuple(reviews)
        stacks = {**scope.project.stacks, **{one.id: one for one in scope.deleted}}

        def write(review: StackReview) -> StackReview:
            return self._write(session, scope, stacks[review.id], planned[review.id], review)

        with ThreadPoolExecutor(WRITERS, thread_name_prefix="object") as pool:
            return tuple(pool.map(write, reviews))

    def _write(
        self, session: Session, scope: Scope, stack: Stack, planned: Planned, review: StackReview
    ) -> StackReview:
        try:
            digest = self._digest(session, stack, planned, review)
            if digest is None:
                return review
            if self.judge:
                return replace(review, findings=(*review.findings, *self.judge(stack, digest)))
            if self.event is None or self.event.pull_request is None:
                return review
            facts = {**digest.facts, SHOWN: shown_hash(review)}
            digest = replace(digest, provisional=review.provisional, volatile=self.volatile.get(stack.id, ()))
            data = encode(replace(digest, facts=facts))
            name = plan_objects(session.memory.ledgers, stack).create(
                self.event.pull_request, scope.subject.head, stack.id, self._run(session), data
            )
        except StateError as error:
            self._cannot(stack.environment, error)
            return review
        return replace(review, object=name, sha256=sha256(data))

    def _digest(self, session: Session, stack: Stack, planned: Planned, review: StackReview) -> Digest | None:
        """What is approved of a stack: its plan's digest, or that an empty plan may still move."""
        if review.change == "deleted" and not self.destroys_deleted:
            return None
        if planned.report.result == "unchanged" and review.provisional:
            return empty_digest(session, stack, facts=self._facts(session))
        return planned.inspected.digest

    def _facts(self, session: Session) -> dict[str, str]:
        return {"run": self._run(session), "base": self.base}

    def _run(self, session: Session) -> str:
        return (self.event.run if self.event else "") or session.context.info.id

    def _cannot(self, environment: str, error: StateError) -> None:
        self._notes[
            f"An approval of {environment} cannot count, since its plans could not be kept: "
            f"{error.message} {error.advice}".strip()
        ] = None

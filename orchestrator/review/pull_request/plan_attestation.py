"""Reads the plan objects of a run before its reports are shown, and attests them afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.forge.event import Event
from orchestrator.report.review import PlanReview
from orchestrator.review.attestation import (
    AttestationOutcome,
    RunObjects,
    build_attestation,
    create_attestations,
    find_plan_locations,
    read_run_objects,
)
from orchestrator.review.pull_request.scope import ChangeScope
from orchestrator.state.plan_objects import PlanObjects


@dataclass(frozen=True)
class PlanAttestation:
    """The plan objects of a run, and where to attest them.

    `objects` is None if nothing is attested: the plans of a merge group are compared, not approved.
    `locations` are those of each environment's objects; empty if nothing is to be attested.
    """

    objects: RunObjects | None = None
    locations: Mapping[str, Sequence[PlanObjects]] = field(default_factory=dict)

    @classmethod
    def of(cls, scope: ChangeScope, event: Event, environ: Mapping[str, str], *, attests: bool) -> Self:
        """Reads the objects of an event's run. With `attests` false they are read and not attested."""
        if event.pull_request is None or event.kind == "merge_group":
            return cls()
        project = scope.project
        ledgers = Ledgers(project, States(project, environ), environ, rules=scope.rules)
        plan_objectses = {
            name: find_plan_locations(project, ledgers, name, scope.deleted) for name in scope.environments
        }
        objects = read_run_objects(plan_objectses, event.pull_request, scope.planned.head, event.run)
        return cls(objects, plan_objectses if attests else {})

    @property
    def plans(self) -> Mapping[str, str]:
        """A hash of each stack's planned changes."""
        objects = self.objects.objects if self.objects else {}
        return {id_: planned.plan for id_, planned in objects.items()}

    def attest(self, review: PlanReview) -> AttestationOutcome:
        """Attests the plans that a review shows."""
        if self.objects is None:
            return AttestationOutcome()
        return create_attestations(self.locations, review, self.objects, _missing(review))

    def notes(self, review: PlanReview) -> tuple[str, ...]:
        """Notes for readers of a review: where nothing can be approved, and why."""
        if self.objects is None:
            return ()
        missing, reasons = _missing(review), dict(self.objects.problems)
        for name in self.locations:
            problem = build_attestation(name, review, self.objects, missing.get(name, ())).problem
            if problem and name not in missing:
                reasons.setdefault(name, problem)
        return tuple(f"Nothing can be approved in {name}: {why}" for name, why in reasons.items())


def _missing(review: PlanReview) -> dict[str, list[str]]:
    """The stacks that no job planned or reported, by environment."""
    late = [stack.id for stack in review.stacks if stack.report.result == "unchecked"]
    missing: dict[str, list[str]] = {}
    for id_ in (*review.unplanned, *late):
        missing.setdefault(review.environment_of(id_), []).append(id_)
    return missing

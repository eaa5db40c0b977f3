"""A run's plan objects, read before its reports are shown and attested once they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from orchestrator.ci.event import Event
from orchestrator.ci.review.scope import Scope
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.report.pull_request_table import environment_of
from orchestrator.report.review import Review
from orchestrator.review.attesting import Outcome, RunObjects, attest, attestation_of, locations, read_run
from orchestrator.state.approved import PlanObjects


@dataclass(frozen=True)
class Attesting:
    """`objects` are None where nothing is attested: a merge group's plans are compared and not approved.

    `locations` are where the objects of each environment are; empty where nothing is to be attested.
    """

    objects: RunObjects | None = None
    locations: Mapping[str, Sequence[PlanObjects]] = field(default_factory=dict)

    @classmethod
    def of(cls, scope: Scope, event: Event, environ: Mapping[str, str], *, attests: bool) -> Self:
        """For the run of an event. With `attests` false the objects are read and not attested."""
        if event.pull_request is None or event.kind == "merge_group":
            return cls()
        project = scope.project
        ledgers = Ledgers(project, States(project, environ), environ)
        found = {name: locations(project, ledgers, name, scope.deleted) for name in scope.environments}
        objects = read_run(found, event.pull_request, scope.subject.head, event.run)
        return cls(objects, found if attests else {})

    @property
    def plans(self) -> Mapping[str, str]:
        """A hash of what each stack's plan does."""
        objects = self.objects.objects if self.objects else {}
        return {id_: one.plan for id_, one in objects.items()}

    def attest(self, review: Review) -> Outcome:
        """Attest what a review shows."""
        if self.objects is None:
            return Outcome()
        return attest(self.locations, review, self.objects, _missing(review))

    def notes(self, review: Review) -> tuple[str, ...]:
        """What a reader of a review must know: where nothing can be approved, and why."""
        if self.objects is None:
            return ()
        missing, reasons = _missing(review), dict(self.objects.problems)
        for name in self.locations:
            problem = attestation_of(name, review, self.objects, missing.get(name, ())).problem
            if problem and name not in missing:
                reasons.setdefault(name, problem)
        return tuple(f"Nothing can be approved in {name}: {why}" for name, why in reasons.items())


def _missing(review: Review) -> dict[str, list[str]]:
    """The stacks that no job planned or reported, by environment; the comment names them anyway."""
    late = [one.id for one in review.stacks if one.report.result == "unchecked"]
    missing: dict[str, list[str]] = {}
    for id_ in (*review.unplanned, *late):
        missing.setdefault(environment_of(review, id_), []).append(id_)
    return missing

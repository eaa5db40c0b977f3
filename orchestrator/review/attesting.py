"""Attests the plans of a pull request's run: what reviewers are shown is what its plan jobs wrote.

Reports travel through the workflow's artifacts, which any job of the run can write. A plan object can be
written by the account of its environment's plan workflow alone, and holds a hash of what its job reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.engine.ledgers import Ledgers
from orchestrator.errors import StateError
from orchestrator.plan.digest import decode, encode, sha256
from orchestrator.project.model import Project, Stack
from orchestrator.report.review import Review, StackReview, shown_hash
from orchestrator.run.digesting import SHOWN, objects_of
from orchestrator.state.approved import PlanObjects
from orchestrator.state.attestations import Attestation, Attestations

_RUN = re.compile(r"(\d+)-(\d+)", re.ASCII)


@dataclass(frozen=True)
class PlannedObject:
    """A plan object as it is in the bucket: its run, its hash, and the hash of what its job reported.

    `plan` is a hash of what the plan does: equal for equal plans, whenever they were made.
    """

    environment: str
    run: str
    sha256: str
    shown: str
    plan: str


@dataclass(frozen=True)
class RunObjects:
    """What the plan jobs of one run wrote, by stack: of several attempts the newest one's.

    `problems` says, by environment, why its objects could not be read.
    """

    run: str
    objects: Mapping[str, PlannedObject] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def objection(self, stack: StackReview) -> str:
        """Why a report of a stack is rejected, as a clause; empty when it is what the plan job wrote."""
        written = self.objects.get(stack.id)
        if stack.environment in self.problems:
            return ""
        if written is None:
            return "it names a plan that is not in the bucket" if stack.object or stack.sha256 else ""
        if (stack.sha256, shown_hash(stack)) != (written.sha256, written.shown):
            return "it is not what the plan job wrote into the bucket"
        return ""


@dataclass(frozen=True)
class Outcome:
    """What came of attesting: `reasons` says, by environment, why nothing can be approved there.

    `failures` are those of them that are no finding about the plans: the bucket could not be read or written.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


def locations(
    project: Project, ledgers: Ledgers, environment: str, more: Sequence[Stack] = ()
) -> list[PlanObjects]:
    """Where the plan objects of an environment are: as a rule in one bucket. `more` are deleted stacks."""
    stacks = (*project.of(environment), *(stack for stack in more if stack.environment == environment))
    found = (objects_of(ledgers, stack) for stack in stacks)
    return list({(id(each.storage), each.base): each for each in found}.values())


def read_run(
    places: Mapping[str, Sequence[PlanObjects]], pull_request: int, head: str, run: str
) -> RunObjects:
    """What was written for a head in a run, this attempt and earlier ones. Never raises for a bucket."""
    found: dict[str, PlannedObject] = {}
    problems: dict[str, str] = {}
    for environment, locations_ in places.items():
        try:
            for attempt in _attempts(run):
                for place in locations_:
                    data = place.of_run(pull_request, head, attempt)
                    found |= {
                        stack: _planned(environment, attempt, stack, one) for stack, one in data.items()
                    }
        except StateError as error:
            problems[environment] = f"{error.message} {error.advice}".strip()
    return RunObjects(run, found, problems)


def attestation_of(
    environment: str, review: Review, objects: RunObjects, missing: Sequence[str]
) -> Attestation:
    """What is to be attested of an environment; `missing` are the stacks that should have been planned."""
    shown = {stack.id for stack in review.stacks if stack.environment == environment}
    mine = {id_: one for id_, one in objects.objects.items() if one.environment == environment}
    runs = {one.run for one in mine.values()}
    problem = ""
    if missing:
        problem = f"not planned: {', '.join(missing)}"
    elif not shown.issuperset(mine):
        problem = f"planned and not shown: {', '.join(sorted(mine.keys() - shown))}"
    elif len(runs) > 1:
        problem = "its plans are of different attempts: re-run all jobs"
    return Attestation(
        review.pull_request,
        review.head,
        objects.run,
        runs.pop() if len(runs) == 1 else objects.run,
        {} if problem else {id_: one.sha256 for id_, one in mine.items()},
        problem,
    )


def attest(
    places: Mapping[str, Sequence[PlanObjects]],
    review: Review,
    objects: RunObjects,
    missing: Mapping[str, Sequence[str]],
) -> Outcome:
    """Attest each environment. Never raises for a bucket."""
    reasons: dict[str, str] = {}
    failures: dict[str, str] = dict(objects.problems)
    for environment, locations_ in places.items():
        if environment in failures:
            continue
        attestation = attestation_of(environment, review, objects, missing.get(environment, ()))
        if attestation.problem:
            reasons[environment] = attestation.problem
        try:
            for place in locations_:
                Attestations.beside(place).create(attestation)
        except StateError as error:
            failures[environment] = f"{error.message} {error.advice}".strip()
    return Outcome({**reasons, **failures}, tuple(f"{name}: {why}" for name, why in failures.items()))


def _attempts(run: str) -> list[str]:
    """A run's attempts up to this one, oldest first: `7-1`, `7-2` for `7-2`."""
    found = _RUN.fullmatch(run)
    if found is None:
        return [run]
    return [f"{found[1]}-{attempt}" for attempt in range(1, int(found[2]) + 1)]


def _planned(environment: str, run: str, stack: str, data: bytes) -> PlannedObject:
    digest = decode(data, f"The plan object of {stack}")
    plan = sha256(encode(replace(digest, facts={})))
    return PlannedObject(environment, run, sha256(data), str(digest.facts.get(SHOWN, "")), plan)

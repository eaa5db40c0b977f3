"""Attests the plans of a pull request's run: reviewers see exactly what its plan jobs wrote.

Reports travel through the workflow's artifacts, which any job of the run can write. Only the account of an
environment's plan workflow can write its plan objects, and each holds a hash of the job's report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.engine.digests import SHOWN_HASH, locate_plan_objects
from orchestrator.engine.ledgers import Ledgers
from orchestrator.errors import StateError
from orchestrator.plan.digest import decode, encode, sha256
from orchestrator.report.review import PlanReview, StackReview, hash_of_review
from orchestrator.repository.model import Project, Stack
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects

_RUN = re.compile(r"(\d+)-(\d+)", re.ASCII)


@dataclass(frozen=True)
class PlannedObject:
    """A plan object in the bucket: its run, its hash, and the hash of its job's report.

    `plan` is a hash of the plan's changes: equal for equal plans, whenever they were made.
    """

    environment: str
    run: str
    sha256: str
    review_hash: str
    plan: str


@dataclass(frozen=True)
class RunObjects:
    """The plan objects of one run by stack, each from the newest attempt.

    `problems` says, by environment, why its objects could not be read.
    """

    run: str
    objects: Mapping[str, PlannedObject] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def explain_rejection(self, stack: StackReview) -> str:
        """Why a stack's report is rejected, as a clause; empty if it matches what the plan job wrote."""
        written = self.objects.get(stack.id)
        if stack.environment in self.problems:
            return ""
        if written is None:
            return "it names a plan that is not in the bucket" if stack.object or stack.sha256 else ""
        if (stack.sha256, hash_of_review(stack)) != (written.sha256, written.review_hash):
            return "it is not what the plan job wrote into the bucket"
        return ""


@dataclass(frozen=True)
class AttestationOutcome:
    """The outcome of attesting: `reasons` says, by environment, why nothing can be approved there.

    `failures` are those reasons that are storage errors rather than findings about the plans.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


def find_plan_locations(
    project: Project, ledgers: Ledgers, environment: str, more: Sequence[Stack] = ()
) -> list[PlanObjects]:
    """The locations of an environment's plan objects, usually one bucket. `more` are deleted stacks."""
    stacks = (*project.of(environment), *(stack for stack in more if stack.environment == environment))
    plan_objects = (locate_plan_objects(ledgers, stack) for stack in stacks)
    return list({(id(each.storage), each.base): each for each in plan_objects}.values())


def read_run_objects(
    locations: Mapping[str, Sequence[PlanObjects]], pull_request: int, head: str, run: str
) -> RunObjects:
    """Reads the plan objects of a head in a run, of this attempt and earlier ones. Raises no StateError."""
    objects: dict[str, PlannedObject] = {}
    problems: dict[str, str] = {}
    for environment, plan_objects in locations.items():
        try:
            for attempt in _attempts(run):
                for location in plan_objects:
                    plans = location.of_run(pull_request, head, attempt)
                    objects |= {
                        stack: _planned(environment, attempt, stack, plan_data)
                        for stack, plan_data in plans.items()
                    }
        except StateError as error:
            problems[environment] = f"{error.message} {error.advice}".strip()
    return RunObjects(run, objects, problems)


def build_attestation(
    environment: str, review: PlanReview, objects: RunObjects, missing: Sequence[str]
) -> Attestation:
    """The attestation of an environment; `missing` are the expected stacks that were not planned."""
    ids = {stack.id for stack in review.stacks if stack.environment == environment}
    objects_ = {
        id_: planned for id_, planned in objects.objects.items() if planned.environment == environment
    }
    runs = {planned.run for planned in objects_.values()}
    problem = ""
    if missing:
        problem = f"not planned: {', '.join(missing)}"
    elif not ids.issuperset(objects_):
        problem = f"planned and not shown: {', '.join(sorted(objects_.keys() - ids))}"
    elif len(runs) > 1:
        problem = "its plans are of different attempts: re-run all jobs"
    return Attestation(
        review.pull_request,
        review.head,
        objects.run,
        runs.pop() if len(runs) == 1 else objects.run,
        {} if problem else {id_: planned.sha256 for id_, planned in objects_.items()},
        problem,
    )


def create_attestations(
    locations: Mapping[str, Sequence[PlanObjects]],
    review: PlanReview,
    objects: RunObjects,
    missing: Mapping[str, Sequence[str]],
) -> AttestationOutcome:
    """Attests each environment. Raises no StateError."""
    reasons: dict[str, str] = {}
    failures: dict[str, str] = dict(objects.problems)
    for environment, plan_objects in locations.items():
        if environment in failures:
            continue
        attestation = build_attestation(environment, review, objects, missing.get(environment, ()))
        if attestation.problem:
            reasons[environment] = attestation.problem
        try:
            for location in plan_objects:
                Attestations.beside(location).create(attestation)
        except StateError as error:
            failures[environment] = f"{error.message} {error.advice}".strip()
    return AttestationOutcome(
        {**reasons, **failures}, tuple(f"{name}: {why}" for name, why in failures.items())
    )


def _attempts(run: str) -> list[str]:
    """The attempts of a run up to this one, oldest first: `7-1`, `7-2` for `7-2`."""
    match = _RUN.fullmatch(run)
    if match is None:
        return [run]
    return [f"{match[1]}-{attempt}" for attempt in range(1, int(match[2]) + 1)]


def _planned(environment: str, run: str, stack: str, data: bytes) -> PlannedObject:
    digest = decode(data, f"The plan object of {stack}")
    plan = sha256(encode(replace(digest, facts={})))
    return PlannedObject(environment, run, sha256(data), str(digest.facts.get(SHOWN_HASH, "")), plan)

"""Reads the plans of a pull request as its reviewers saw them, masked, from the objects in the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.engine.ledgers import Ledgers
from orchestrator.errors import StateError
from orchestrator.plan.digest import Digest, decode, sha256
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.ledger import Ledger
from orchestrator.state.plan_objects import PlanObjects


@dataclass(frozen=True)
class PullRequestPlans:
    """The newest attested plans of a pull request in one environment.

    `problem` says why there are none although something was attested, or could not be read.
    """

    environment: str
    head: str = ""
    posted: str = ""
    digests: tuple[Digest, ...] = ()
    problem: str = ""

    def document(self) -> dict[str, Any]:
        """The plans for a program; values are masked, and null where anything in them is hidden."""
        return {
            "environment": self.environment,
            "head": self.head,
            "posted": self.posted,
            "problem": self.problem or None,
            "stacks": [_stack_document(digest) for digest in self.digests],
        }


def read_attested_plans(
    ledgers: Ledgers, environments: tuple[str, ...], pull_request: int
) -> tuple[PullRequestPlans, ...]:
    """The plans in each environment that has any, in the order of the environments.

    An environment that cannot be read is there with its problem, so that it is not taken for unchanged.
    """
    plans = []
    for environment in environments:
        try:
            newest = [_read(ledger, pull_request) for ledger in ledgers.of_environment(environment)]
        except StateError as error:
            newest = [PullRequestPlans(environment, problem=error.message)]
        plans += [each for each in newest if each]
    return tuple(plans)


def _read(ledger: Ledger, pull_request: int) -> PullRequestPlans | None:
    objects = PlanObjects(ledger.storage, ledger.environment, ledger.folder)
    attestations = Attestations.beside(objects).of_pull_request(pull_request)
    return _plans(objects, attestations[-1]) if attestations else None


def _plans(objects: PlanObjects, attestation: Attestation) -> PullRequestPlans:
    """The plans that an attestation names; none of them if one is not what was attested."""

    def plans(digests: tuple[Digest, ...] = (), problem: str = "") -> PullRequestPlans:
        return PullRequestPlans(objects.environment, attestation.head, attestation.posted, digests, problem)

    if attestation.problem:
        return plans(problem=attestation.problem)
    data = objects.of_run(attestation.pull_request, attestation.head, attestation.plan_run)
    if any(stack not in data or sha256(data[stack]) != sha for stack, sha in attestation.plans.items()):
        return plans(problem="the plans in the bucket are not those that were attested")
    return plans(tuple(decode(data[stack]) for stack in sorted(attestation.plans)))


def _stack_document(digest: Digest) -> dict[str, Any]:
    return {
        "id": digest.stack,
        "resources": [
            {
                "address": resource.address,
                "previous_address": resource.previous_address,
                "actions": list(resource.actions),
                "import_id": resource.import_id,
                "attributes": [
                    {
                        "path": attribute.path,
                        "before": attribute.shown_before,
                        "after": attribute.shown_after,
                        "unknown": attribute.unknown,
                        "sensitive": attribute.sensitive,
                    }
                    for attribute in resource.attributes
                ],
            }
            for resource in digest.resources
        ],
        "outputs": [
            {
                "name": output.name,
                "actions": list(output.actions),
                "after": output.shown_after,
                "unknown": output.unknown,
                "sensitive": output.sensitive,
            }
            for output in digest.outputs
        ],
    }

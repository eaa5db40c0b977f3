"""What reviewers of an environment approve in its gate: plans of trunk, and the seal that names them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import BlockedError, UsageError
from orchestrator.plan.digest import Digest, decode, encode, sha256
from orchestrator.run.digesting import plan_objects
from orchestrator.run.session import Session
from orchestrator.state.approved import TRUNK, PlanObjects, seal, unseal


def write_gated(session: Session, environment: str, digests: Mapping[str, Digest]) -> str:
    """Write the digests of what a gate would approve (stack id → digest); returns the seal over them.

    Each is created once below `ENV/plans/trunk/COMMIT/`, by the plan account. Raises StateError.
    """
    commit, run, entries = session.info.commit, session.info.id, {}
    for id_, digest in sorted(digests.items()):
        data = encode(digest)
        _place(session, environment, id_).create(TRUNK, commit, id_, run, data)
        entries[id_] = sha256(data)
    return seal(run, entries)


def read_gated(session: Session, environment: str, text: str) -> dict[str, Digest]:
    """The digests that a seal names, by stack; nothing for an empty text.

    UsageError for what is no seal. BlockedError when the objects are not those that the seal was made over:
    whoever may plan can write one, and only the seal came through the gate.
    """
    if not text.strip():
        return {}
    found = unseal(text.strip())
    if found is None:
        raise UsageError(
            "--gate wants the seal that `infra ci compare` gave.", advice="Pass its output `seal`."
        )
    stacks = [stack.id for stack in session.project.of(environment)]
    places = {id(one.storage): one for one in (_place(session, environment, id_) for id_ in stacks)}
    data: dict[str, bytes] = {}
    for place in places.values():
        data |= place.of_run(TRUNK, session.info.commit, found.run)
    if not found.fits({id_: sha256(one) for id_, one in data.items()}):
        raise BlockedError(
            f"The plans of {environment} in the bucket are not those that went through the gate.",
            advice="Somebody wrote there beside infra. Run the workflow again, and look who may write plans.",
        )
    return {id_: decode(one, f"The plan object of {id_}") for id_, one in data.items()}


def _place(session: Session, environment: str, stack: str) -> PlanObjects:
    """Where a stack's plan objects lie; those of a deleted one beside the environment's first."""
    project = session.project
    return plan_objects(session, project.stacks.get(stack) or project.of(environment)[0])

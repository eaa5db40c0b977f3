"""The apply gate of an environment: whether it has reviewers, which plans it showed, and who approved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestrator.engine.context import RunContext
from orchestrator.engine.digests import locate_plan_objects
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.errors import AuthorsUnknownError, BlockedError, ForgeError, UsageError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import WRITERS, PullRequest
from orchestrator.plan.digest import Digest, decode, encode, sha256
from orchestrator.repository import graph
from orchestrator.repository.model import Project
from orchestrator.review.pending_changes import PendingChanges, load_newest_trunk
from orchestrator.state.plan_objects import TRUNK, PlanObjects, hash_of_objects

_TICKET = re.compile(r"infra-gate/1 (\S+) ([0-9a-f]{64}) (-|\d+-\d+) (\S+)")
_NONE = "-"
_MayDecide = Callable[[str, PullRequest], bool]


def gate_name(environment: str) -> str:
    """The environment on the forge in which an apply to `environment` waits for its reviewers."""
    return f"{environment}-approval"


@dataclass(frozen=True)
class Gate:
    """The gate of one environment. The forge is asked once, on first use."""

    forge: Forge | None
    environment: str

    @cached_property
    def problem(self) -> str:
        """Why the gate cannot hold an apply, as a clause without a full stop; empty if it has reviewers.

        Raises ForgeError if the forge cannot be read.
        """
        name = gate_name(self.environment)
        if self.forge is None:
            return f"nobody can be asked whether {name} has reviewers"
        try:
            environment = self.forge.environment(name)
        except ForgeError as error:
            if error.status == 404:
                return f"there is no environment {name} in {self.forge.repository}"
            if error.status == 403:
                return f"the token may not read the environment {name} (it needs `actions: read`)"
            raise
        return "" if environment.reviewers else f"the environment {name} has no required reviewers"


@dataclass(frozen=True)
class GateTicket:
    """The ticket from a compare job to the apply job of the same attempt: the plans that the gate shows.

    `run` is the infra run that wrote the plan objects, `sha256` a hash over all of them. `attempt` is the
    workflow's run and attempt (`8813-1`), empty outside of a workflow. `reviewers` lists earlier approvals of
    this gate, one entry each: the forge does not report in which attempt an approval was given.
    """

    run: str
    sha256: str
    attempt: str = ""
    reviewers: tuple[str, ...] = ()

    def __str__(self) -> str:
        reviewers = ",".join(self.reviewers) or _NONE
        return f"infra-gate/1 {self.run} {self.sha256} {self.attempt or _NONE} {reviewers}"

    @classmethod
    def parse(cls, text: str) -> GateTicket:
        """Parses a ticket. Raises UsageError for another text."""
        match = _TICKET.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                "--gate takes the output `ticket` of `infra ci compare`.", advice="Pass it on as it is."
            )
        run, sha256_, attempt, reviewers = match.groups()
        names = () if reviewers == _NONE else tuple(reviewers.split(","))
        return cls(run, sha256_, "" if attempt == _NONE else attempt, names)


def write_ticket(
    session: Session, environment: str, digests: Mapping[str, Digest], forge: Forge | None
) -> GateTicket:
    """Writes the digests that a gate shows (stack id → digest), and returns the ticket that names them.

    Each is created once below `ENV/plans/trunk/COMMIT/` by the plan account. Raises StateError, ForgeError.
    """
    context = session.context
    commit, run, entries = context.info.commit, context.info.id, {}
    for id_, digest in sorted(digests.items()):
        data = encode(digest)
        _objects(session.memory, environment, id_).create(TRUNK, commit, id_, run, data)
        entries[id_] = sha256(data)
    attempt = origin_of(context.environ).attempt
    reviewers = list_gate_approvals(forge, attempt, environment) if forge and attempt else ()
    return GateTicket(run, hash_of_objects(entries), attempt, reviewers)


def read_gated_digests(session: Session, environment: str, ticket: GateTicket) -> dict[str, Digest]:
    """Reads the digests that a ticket names, by stack.

    Raises BlockedError if the objects do not match the ticket's hash: whoever may plan can write an object,
    but only the ticket passed the gate.
    """
    folders = {
        id(plan_objects.storage): plan_objects
        for plan_objects in _objects_of_environment(session.memory, environment)
    }
    data: dict[str, bytes] = {}
    for folder in folders.values():
        data |= folder.of_run(TRUNK, session.context.info.commit, ticket.run)
    if hash_of_objects({id_: sha256(plan_data) for id_, plan_data in data.items()}) != ticket.sha256:
        raise BlockedError(
            f"The plans of {environment} in the bucket are not those that went through the gate.",
            advice="Somebody wrote there beside infra. Run the workflow again, and look who may write plans.",
        )
    return {id_: decode(plan_data, f"The plan object of {id_}") for id_, plan_data in data.items()}


def _objects(memory: Memory, environment: str, stack_id: str) -> PlanObjects:
    """The location of a stack's plan objects; for a deleted stack the environment's first one."""
    stack = memory.project.stacks.get(stack_id)
    if stack:
        return locate_plan_objects(memory.ledgers, stack)
    return _objects_of_environment(memory, environment)[0]


def _objects_of_environment(memory: Memory, environment: str) -> list[PlanObjects]:
    """The locations of an environment's plan objects, also where all of its stacks were deleted."""
    return [
        PlanObjects(ledger.storage, ledger.environment, ledger.folder)
        for ledger in memory.ledgers.of_environment(environment)
    ]


# Who answered


def list_gate_approvals(forge: Forge, attempt: str, environment: str) -> tuple[str, ...]:
    """The approvals of a workflow run's gate in all attempts, one login for each approval, sorted."""
    name = gate_name(environment)
    reviews = forge.run_reviews(int(attempt.partition("-")[0]))
    return tuple(
        sorted(
            review.user for review in reviews if review.state == "approved" and name in review.environments
        )
    )


def require_approval(
    forge: Forge, environment: str, ticket: GateTicket, attempt: str, reject_reason: Callable[[str], str]
) -> str:
    """Returns who approved a gate in this attempt of the workflow (`8813-1`), if that approval counts.

    `reject_reason` says why a login's approval does not count, as the rest of a sentence; empty if it does.
    Raises BlockedError if there is none (a bypassed gate counts as not approved), and ForgeError.
    """
    name = gate_name(environment)
    again = f"comment `/infra apply {environment}` on the merged pull request"
    if not attempt or attempt != ticket.attempt:
        raise BlockedError(
            f"The gate {name} was asked in {_attempt(ticket.attempt)}, and this is {_attempt(attempt)}.",
            advice="An approval counts for one attempt: re-run all jobs, not only those that failed, "
            f"or {again}.",
        )
    answered = _difference(list_gate_approvals(forge, attempt, environment), ticket.reviewers)
    if not answered:
        raise BlockedError(
            f"Nobody approved {name} in this attempt of the workflow; a gate that was bypassed counts as no.",
            advice=f"Re-run all jobs, or {again}, and let a required reviewer approve it.",
        )
    rejections = {login: reject_reason(login) for login in answered}
    for login, why in rejections.items():
        if not why:
            return login
    raise BlockedError(
        f"No approval of {name} counts: {'; '.join(f'{login} {why}' for login, why in rejections.items())}.",
        advice="It takes somebody with write permission who is author of none of the pending changes: "
        f"re-run all jobs, or {again}.",
    )


def explain_rejection(
    forge: Forge,
    login: str,
    pending: Iterable[PendingChanges],
    may_decide: _MayDecide,
    pushers: Callable[[str], Collection[str]],
) -> str:
    """Why a person may not approve pending changes, as the rest of a sentence; empty if they may.

    `pushers` returns the logins, in lower case, that pushed a commit to trunk without a pull request.
    """
    if forge.words.is_bot(login):
        return "is no person"
    if forge.permission(login) not in WRITERS:
        return "has no write permission"
    for changes_ in pending:
        for pull_request in changes_.pull_requests:
            if not may_decide(login, pull_request):
                return f"is an author of #{pull_request.number}"
        for change in changes_.changes:
            if change.pull_requests:
                continue
            try:
                if login.lower() in pushers(change.commit):
                    return f"pushed {change.commit[:10]} to trunk"
            except AuthorsUnknownError:
                name = forge.words.name
                return f"may have pushed {change.commit[:10]} to trunk, since {name} does not report it"
    return ""


def _difference(after: Iterable[str], before: Iterable[str]) -> list[str]:
    """Logins that occur more often in `after` than in `before`, each once."""
    counter = Counter(after)
    counter.subtract(Counter(before))
    return sorted(login for login, count in counter.items() if count > 0)


def _attempt(text: str) -> str:
    run, _, attempt = text.partition("-")
    return f"attempt {attempt} of run {run}" if attempt else "no workflow run"


# What of it still holds


def find_superseded(context: RunContext, stacks: Iterable[str]) -> dict[str, str]:
    """The stacks of an older commit that newer commits of trunk change, each with the reason.

    Trunk is read from this clone. A stack that depends on a superseded one is superseded too: the newer run
    applies both. Raises ProjectError and GitError for a trunk that cannot be read.
    """
    project = context.project
    newest = load_newest_trunk(context)
    if newest is project:
        return {}
    tip = newest.commit or ""
    ids = set(stacks)
    changed = {id_ for id_ in ids if _fingerprint(project, id_) != _fingerprint(newest, id_)}
    needs = project.prerequisites()
    superseded = dict.fromkeys(sorted(changed), f"superseded by {tip[:10]}, which changes it")
    for id_ in sorted(ids - changed):
        behind = sorted(graph.reachable(needs, [id_]) & changed)
        if behind:
            superseded[id_] = f"superseded by {tip[:10]}, which changes {behind[0]}"
    return superseded


def _fingerprint(project: Project, stack: str) -> str:
    return project.fingerprint(stack) if stack in project.stacks else ""

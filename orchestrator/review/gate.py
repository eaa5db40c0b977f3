"""The gate of an environment: whether it can ask somebody, what it showed, and who answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestrator.engine.context import RunContext
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.errors import AuthorsUnknownError, BlockedError, HostError, UsageError
from orchestrator.hosts.model import WRITERS, PullRequest
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest, decode, encode, sha256
from orchestrator.project import graph, load_commit
from orchestrator.project.model import Project
from orchestrator.review.pending import PendingChanges
from orchestrator.review.reviewers import BOT
from orchestrator.run.digesting import plan_objects
from orchestrator.state.approved import TRUNK, PlanObjects, digest_of

_TICKET = re.compile(r"infra-gate/1 (\S+) ([0-9a-f]{64}) (-|\d+-\d+) (\S+)")
_NONE = "-"
MayDecide = Callable[[str, PullRequest], bool]


def gate_name(environment: str) -> str:
    """The environment on the host in which an apply to `environment` waits for its reviewers."""
    return f"{environment}-approval"


@dataclass(frozen=True)
class Gate:
    """The gate of one environment. The host is asked once, and only when somebody wants to know."""

    host: Host | None
    environment: str

    @cached_property
    def problem(self) -> str:
        """Why it cannot hold an apply back, as a clause without a full stop; empty when it has reviewers.

        Raises HostError when the host gives neither a yes nor a no.
        """
        name = gate_name(self.environment)
        if self.host is None:
            return f"nobody can be asked whether {name} has reviewers"
        try:
            found = self.host.environment(name)
        except HostError as error:
            if error.status == 404:
                return f"there is no environment {name} in {self.host.repository}"
            if error.status == 403:
                return f"the token may not read the environment {name} (it needs `actions: read`)"
            raise
        return "" if found.reviewers else f"the environment {name} has no required reviewers"


@dataclass(frozen=True)
class Ticket:
    """What a compare job hands to the apply job of the same attempt: the plans that the gate shows.

    `run` is infra's run that wrote the plan objects, `sha256` a hash over all of them. `attempt` is the
    workflow's run and attempt (`8813-1`), empty outside of a workflow. `reviewers` had approved in this gate
    before, once for each time: the host tells of no approval in which attempt it was given.
    """

    run: str
    sha256: str
    attempt: str = ""
    reviewers: tuple[str, ...] = ()

    def __str__(self) -> str:
        reviewers = ",".join(self.reviewers) or _NONE
        return f"infra-gate/1 {self.run} {self.sha256} {self.attempt or _NONE} {reviewers}"

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """Read one; UsageError for what is none."""
        found = _TICKET.fullmatch(text.strip())
        if found is None:
            raise UsageError(
                "--gate takes the output `seal` of `infra ci compare`.", advice="Pass it on as it is."
            )
        run, sha256_, attempt, reviewers = found.groups()
        names = () if reviewers == _NONE else tuple(reviewers.split(","))
        return cls(run, sha256_, "" if attempt == _NONE else attempt, names)


def write_ticket(
    session: Session, environment: str, digests: Mapping[str, Digest], host: Host | None
) -> Ticket:
    """Write the digests that a gate shows (stack id → digest); returns what names them.

    Each is created once below `ENV/plans/trunk/COMMIT/`, by the plan account. Raises StateError, HostError.
    """
    context = session.context
    commit, run, entries = context.info.commit, context.info.id, {}
    for id_, digest in sorted(digests.items()):
        data = encode(digest)
        _objects(session.memory, environment, id_).create(TRUNK, commit, id_, run, data)
        entries[id_] = sha256(data)
    attempt = origin_of(context.environ).attempt
    reviewers = approvals_of(host, attempt, environment) if host and attempt else ()
    return Ticket(run, digest_of(entries), attempt, reviewers)


def read_shown(session: Session, environment: str, ticket: Ticket) -> dict[str, Digest]:
    """The digests that a ticket names, by stack.

    BlockedError when the objects are not those that the ticket was made over: whoever may plan can write one,
    and only the ticket came through the gate.
    """
    stacks = [stack.id for stack in session.context.project.of(environment)]
    folders = {id(one.storage): one for one in (_objects(session.memory, environment, id_) for id_ in stacks)}
    data: dict[str, bytes] = {}
    for folder in folders.values():
        data |= folder.of_run(TRUNK, session.context.info.commit, ticket.run)
    if digest_of({id_: sha256(one) for id_, one in data.items()}) != ticket.sha256:
        raise BlockedError(
            f"The plans of {environment} in the bucket are not those that went through the gate.",
            advice="Somebody wrote there beside infra. Run the workflow again, and look who may write plans.",
        )
    return {id_: decode(one, f"The plan object of {id_}") for id_, one in data.items()}


def _objects(memory: Memory, environment: str, stack: str) -> PlanObjects:
    """Where a stack's plan objects lie; those of a deleted one beside the environment's first."""
    project = memory.project
    return plan_objects(memory.ledgers, project.stacks.get(stack) or project.of(environment)[0])


# Who answered


def approvals_of(host: Host, attempt: str, environment: str) -> tuple[str, ...]:
    """Who approved the gate of a workflow run, once for each time, in all attempts; sorted."""
    name = gate_name(environment)
    reviews = host.run_reviews(int(attempt.partition("-")[0]))
    return tuple(sorted(one.user for one in reviews if one.state == "approved" and name in one.environments))


def require_answer(
    host: Host, environment: str, ticket: Ticket, attempt: str, objection: Callable[[str], str]
) -> str:
    """Who approved a gate in this attempt of the workflow (`8813-1`), and whose approval counts.

    `objection` says why a login's approval does not count, as the rest of a sentence; empty when it does.
    Raises BlockedError where there is nobody: a gate that was bypassed counts as not answered. HostError.
    """
    name = gate_name(environment)
    again = f"comment `/infra apply {environment}` on the merged pull request"
    if not attempt or attempt != ticket.attempt:
        raise BlockedError(
            f"The gate {name} was asked in {_attempt(ticket.attempt)}, and this is {_attempt(attempt)}.",
            advice="An approval counts for one attempt: re-run all jobs, not only those that failed, "
            f"or {again}.",
        )
    answered = _difference(approvals_of(host, attempt, environment), ticket.reviewers)
    if not answered:
        raise BlockedError(
            f"Nobody approved {name} in this attempt of the workflow; a gate that was bypassed counts as no.",
            advice=f"Re-run all jobs, or {again}, and let a required reviewer approve it.",
        )
    objections = {login: objection(login) for login in answered}
    for login, why in objections.items():
        if not why:
            return login
    raise BlockedError(
        f"No approval of {name} counts: {'; '.join(f'{login} {why}' for login, why in objections.items())}.",
        advice="It takes somebody with write permission who is author of none of the pending changes: "
        f"re-run all jobs, or {again}.",
    )


def objection_to(
    host: Host,
    login: str,
    pending: Iterable[PendingChanges],
    may_decide: MayDecide,
    pushers: Callable[[str], Collection[str]],
) -> str:
    """Why somebody may not approve pending changes, as the rest of a sentence; empty when they may.

    `pushers` are the logins, in lower case, that brought a commit to trunk without a pull request.
    """
    if login.endswith(BOT):
        return "is no person"
    if host.permission(login) not in WRITERS:
        return "has no write permission"
    for owed in pending:
        for pull_request in owed.pull_requests:
            if not may_decide(login, pull_request):
                return f"is an author of #{pull_request.number}"
        for change in owed.changes:
            if change.pull_requests:
                continue
            try:
                if login.lower() in pushers(change.commit):
                    return f"pushed {change.commit[:10]} to trunk"
            except AuthorsUnknownError:
                return f"may have pushed {change.commit[:10]} to trunk, since GitHub does not tell who did"
    return ""


def _difference(after: Iterable[str], before: Iterable[str]) -> list[str]:
    """Logins that are more often in `after` than in `before`, each once."""
    left = Counter(after)
    left.subtract(Counter(before))
    return sorted(login for login, count in left.items() if count > 0)


def _attempt(text: str) -> str:
    run, _, attempt = text.partition("-")
    return f"attempt {attempt} of run {run}" if attempt else "no workflow run"


# What of it still holds


def superseded_by_trunk(context: RunContext, stacks: Iterable[str]) -> dict[str, str]:
    """The stacks of an older commit that newer commits of trunk change, each with the reason.

    Trunk is where this clone last saw it. A stack that stands on such a one, directly or not, is superseded
    with it: the newer run applies both. Raises ProjectError and GitError for a trunk that cannot be read.
    """
    project = context.project
    tip = project.repository.resolve(project.repository.trunk(project.config.trunk))
    if tip == context.info.commit:
        return {}
    newest = load_commit(project, tip)
    wanted = set(stacks)
    changed = {id_ for id_ in wanted if _fingerprint(project, id_) != _fingerprint(newest, id_)}
    needs = project.prerequisites()
    found = dict.fromkeys(sorted(changed), f"superseded by {tip[:10]}, which changes it")
    for id_ in sorted(wanted - changed):
        behind = sorted(graph.reachable(needs, [id_]) & changed)
        if behind:
            found[id_] = f"superseded by {tip[:10]}, which changes {behind[0]}"
    return found


def _fingerprint(project: Project, stack: str) -> str:
    return project.fingerprint(stack) if stack in project.stacks else ""

"""What trunk owes an environment against what was approved: before the gate, and again at the apply."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.ci.requests import NO_REQUESTS, RolloutRequests
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.planned import Planned
from orchestrator.engine.promotion_lookup import Hold
from orchestrator.engine.session import Session
from orchestrator.errors import (
    BlockedError,
    ConfigError,
    GitError,
    MismatchError,
    ProjectError,
    SupersededError,
)
from orchestrator.hosts.port import Host
from orchestrator.plan.comparing import compare as compare_digests
from orchestrator.plan.digest import Digest
from orchestrator.project import load_commit
from orchestrator.project.affected import followers
from orchestrator.project.model import Project, Stack
from orchestrator.report.landing import WAYS_OUT, WayOut
from orchestrator.report.model import RunReport, StackReport
from orchestrator.review.approvals import Kind, Verdict, new_in_every_plan
from orchestrator.review.gate import Gate, gate_name
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.provisional import provisional
from orchestrator.review.rules import PendingRules
from orchestrator.review.volatile import FindVolatile, find_volatile
from orchestrator.run.deleting import Deleted, owed_deletions, plan_deleted
from orchestrator.run.digesting import empty_digest
from orchestrator.run.pending import pending_stacks
from orchestrator.run.pipeline import LAST_START, Request, plan_all
from orchestrator.run.rollout_options import has_no_state
from orchestrator.run.state_changes import require_no_state
from orchestrator.state.records import Entry, base_commit

# How many differences an error names; the comment has them all.
NAMED = 3
LETTERS = 60
# Why a deleted stack is owed something.
GONE = "its code is gone"
NOTHING_FORGOTTEN: Mapping[str, str] = {}


@dataclass
class TrunkJudge:
    """Lets a plan be applied on trunk only if it is what was approved; safe from many threads.

    `find_volatile` plans mismatches once more.
    `gated` are the digests that reviewers of the environment approved in this very workflow run, by stack;
    `requested` are stacks whose repair somebody with write permission asked for: that is enough where the
    environment needs no approval and its gate has no reviewers.
    `superseded` are stacks that newer commits of trunk change, with the reason: their plans were approved for
    what trunk no longer has. `verdicts` keeps what was said of each plan.
    """

    session: Session
    rules: PendingRules
    gate: Gate
    gated: Mapping[str, Digest] = field(default_factory=dict)
    superseded: Mapping[str, str] = field(default_factory=dict)
    requested: frozenset[str] = frozenset()
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict, repr=False)
    find_volatile: FindVolatile = find_volatile
    _requestable: set[str] = field(default_factory=set, repr=False)
    _mismatches: dict[str, Digest] = field(default_factory=dict, repr=False)
    _known: dict[str, Project | None] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def check(self, stack: Stack, planned: Planned, before: Entry | None) -> None:
        """See `engine.ports.ApplyGate`."""
        if stack.id in self.superseded:
            raise SupersededError(
                self.superseded[stack.id],
                advice="The newer run of the apply workflow asks for what trunk has now: approve that one.",
                stack=stack.id,
            )
        verdict = self.ask(stack, planned, before)
        if verdict.kind == "mismatch":
            message, advice = mismatch_words(verdict), self.advice(stack, verdict)
            raise MismatchError(message, advice=advice, stack=stack.id)
        if verdict.kind in ("gate", "refuse"):
            message, advice = f"Nobody approved this: {verdict.reason}.", self.advice(stack, verdict)
            raise BlockedError(message, advice=advice, stack=stack.id)

    def ask(self, stack: Stack, planned: Planned, before: Entry | None) -> Verdict:
        """What is to be said of a plan; asks the host about the pull requests that it is owed to."""
        verdict = self._allowed(stack, planned, self._ask(stack, planned, before))
        verdict = self._repaired(stack, planned, verdict)
        if verdict.kind == "gate" and self.gate.problem:
            verdict = replace(verdict, kind="refuse", reason=f"{verdict.reason}; {self.gate.problem}")
        with self._lock:
            self.verdicts[stack.id] = verdict
            self.stacks[stack.id] = stack
            self._mismatches.pop(stack.id, None)
            if verdict.kind == "mismatch" and planned.inspected.digest:
                self._mismatches[stack.id] = planned.inspected.digest
        return verdict

    def explain(self, inspect: Inspect) -> None:
        """Plan what is a mismatch once more, and add to its verdict what is new in every plan."""
        for id_, attributes in self.find_volatile(self.session, self._mismatches, inspect).items():
            self.verdicts[id_] = new_in_every_plan(self.verdicts[id_], self.stacks[id_], attributes)

    def explained(self, stacks: Iterable[StackReport]) -> tuple[StackReport, ...]:
        """The reports of an apply, each mismatch with the reason that its verdict has by now."""
        words = {id_: mismatch_words(self.verdicts[id_]) for id_ in self._mismatches}
        return tuple(
            replace(report, reason=self.session.context.mask(words[report.id]))
            if report.result == "mismatch" and report.id in words
            else report
            for report in stacks
        )

    def way_out(self, stack: Stack, verdict: Verdict) -> WayOut:
        """How people can approve a plan that is not applied as it is."""
        if stack.id in self._requestable:
            return "resume"
        if verdict.kind == "mismatch":
            # Neither the change itself nor a later one opens the gate to it.
            now = self.session.context.project.config.environment(stack.environment)
            if not (verdict.unapproved == "gate" and now.unapproved == "gate"):
                return "pull request"
            return "set up gate" if self.gate.problem else "gate"
        if verdict.kind == "gate":
            return "gate"
        return "set up gate" if verdict.unapproved == "gate" and self.gate.problem else "pull request"

    def ways_out(self) -> WayOut:
        """The same for all plans that are not applied: the gate where one of them may go through it."""
        ways = {
            self.way_out(self.stacks[id_], verdict)
            for id_, verdict in self.verdicts.items()
            if not verdict.may_apply
        }
        return next((one for one in WAYS_OUT if one in ways), "pull request")

    def advice(self, stack: Stack, verdict: Verdict) -> str:
        """How to approve what is pending, in one step."""
        return approve_advice(stack.environment, self.way_out(stack, verdict))

    def _ask(self, stack: Stack, planned: Planned, before: Entry | None) -> Verdict:
        now = planned.inspected.digest
        if planned.repair and not planned.repair.asks and (now is None or now.is_empty):
            return Verdict("apply", reason="nothing is left to do but to record what was done")
        if self.rules.approvals is None:
            needs = needs_approval(self.session.context.project, stack.environment)
            if not (needs or self._needed_it(stack, before)):
                return Verdict("apply", reason=f"{stack.environment} needs no approval")
            raise BlockedError(
                f"{stack.environment} is changed only as approved, and nobody can be asked here.",
                advice="Run it where GitHub can be asked: GITHUB_REPOSITORY and GITHUB_TOKEN.",
                stack=stack.id,
            )
        if now is None:
            raise ValueError(f"{stack.id} was planned without a digest")
        return self.rules.approvals.judge(stack, now, before, gated=self.gated.get(stack.id))

    def _allowed(self, stack: Stack, planned: Planned, verdict: Verdict) -> Verdict:
        """The verdict, unless the plan deletes or replaces and that wants a label which is not there.

        Where approvals are asked for, they were judged by that too.
        """
        if verdict.kind != "apply" or not planned.report.is_destructive or stack.id in self.gated:
            return verdict
        why = self.rules.missing_label(stack, verdict.pull_requests, planned.inspected.digest)
        if not why:
            return verdict
        kind: Kind = "gate" if verdict.unapproved == "gate" else "refuse"
        return Verdict(kind, (), verdict.pull_requests, why, verdict.unapproved)

    def _repaired(self, stack: Stack, planned: Planned, verdict: Verdict) -> Verdict:
        """The verdict, unless the plan comes with a repair that takes a yes and has none.

        What was approved by people names its repairs, and was compared with these. Where nothing has to be
        approved, the gate still decides about a repair, and without a gate whoever asked for it.
        """
        repair = planned.repair
        if repair is None or not repair.asks:
            return verdict
        self._requestable.discard(stack.id)
        if not verdict.may_apply:
            kind: Kind = "gate" if verdict.unapproved == "gate" else "refuse"
            return replace(verdict, kind=kind, reason=repair.question)
        if verdict.kind != "apply" or self._is_gated(stack, planned):
            return verdict
        if self.gate.problem:
            if stack.id in self.requested:
                return verdict
            self._requestable.add(stack.id)
        return replace(verdict, kind="gate", reason=repair.question, unapproved="gate")

    def _is_gated(self, stack: Stack, planned: Planned) -> bool:
        """Whether the gate of this very run approved exactly this plan, repairs included."""
        gated, now = self.gated.get(stack.id), planned.inspected.digest
        return gated is not None and now is not None and not compare_digests([gated], now, approval="strict")

    def _needed_it(self, stack: Stack, before: Entry | None) -> bool:
        """Whether approvals were asked for at the commit last applied: no change takes itself out of that."""
        if before is None or not before.is_known:
            return False
        with self._lock:
            commit = base_commit(before.commit)
            if commit not in self._known:
                self._known[commit] = self._at(commit)
            then = self._known[commit]
        return then is not None and needs_approval(then, stack.environment)

    def _at(self, commit: str) -> Project | None:
        try:
            return load_commit(self.session.context.project, commit)
        except (ConfigError, GitError, ProjectError):
            return None


@dataclass(frozen=True)
class Comparison:
    """The plans of what an environment is owed, and what is to be said of each, by stack.

    `hold` is the earlier environment because of which nothing is planned; `checks_due` says why the
    environment's own checks and soak have to run, empty when they need not; `skip_checks` why they are to be
    skipped.
    """

    environment: str
    owed: Mapping[str, str]
    planned: Mapping[str, Planned]
    verdicts: Mapping[str, Verdict]
    report: RunReport
    way_out: WayOut = "pull request"
    hold: Hold | None = None
    checks_due: str = ""
    skip_checks: str = ""

    @property
    def undecided(self) -> tuple[str, ...]:
        """Stacks whose plans nobody approved as they are."""
        return tuple(id_ for id_, verdict in self.verdicts.items() if not verdict.may_apply)

    @property
    def gate(self) -> bool:
        """Whether somebody has to approve in the environment's gate before this can be applied."""
        return bool(self.skip_checks) or (bool(self.undecided) and self.way_out == "gate")


def doomed(memory: Memory, environment: str) -> tuple[Deleted, ...]:
    """Stacks of an environment that trunk no longer has, where the policy says that they go."""
    if memory.project.config.policy.deleted_stacks != "destroy":
        return ()
    return owed_deletions(memory, environment)


def compare(
    session: Session,
    environment: str,
    host: Host | None,
    skip_checks: str = "",
    requests: RolloutRequests = NO_REQUESTS,
) -> Comparison:
    """Plan what trunk owes an environment and judge each plan; writes and applies nothing.

    `skip_checks` is a reason to pass without the checks that are due, which the gate has to approve;
    `requests` are what else somebody asked for.
    """
    requests.require(session.context.project, environment)
    if requests.forget:
        stack = session.context.project.stacks[requests.forget.stack]
        if not has_no_state(session.memory.states, stack):
            require_no_state(session.memory.states, stack)
    rollout = requests.options
    session = rollout.session(session)
    memory = session.memory
    context = session.context
    promotion = EnvironmentPromotion(session, environment)
    hold = promotion.hold()
    if hold:
        owed, _ = owed_request(memory, environment)
        return Comparison(environment, owed, {}, {}, context.report("compare", ()), hold=hold)
    rules = PendingRules(session, host)
    inspect = rules.watching(session)
    owed, request, deleted = pending_work(memory, environment, forgotten=rollout.forgotten)
    checks_due = checks_due_for(promotion, owed)
    gate = Gate(host, environment)
    if skip_checks and checks_due and gate.problem:
        raise BlockedError(
            f"The checks of {environment} are skipped only with an approval in its gate, and {gate.problem}.",
            advice=f"Give {gate_name(environment)} required reviewers, or change the checks on trunk.",
        )
    everything = (*request.stacks, *request.followers)
    request = replace(
        request,
        stacks=everything,
        followers={},
        last_start=LAST_START,
        inspect=inspect,
        rollout=rollout,
    )
    planned = plan_all(session, request)
    moving = provisional(context.project, {id_: one.report for id_, one in planned.items()})
    planned = {id_: _standing_on(session, one, moving.get(id_, ())) for id_, one in planned.items()}
    planned |= plan_deleted(session, deleted, rules.watching, rollout)
    stacks = dict(context.project.stacks) | {one.stack.id: one.stack for one in deleted}
    asked = TrunkJudge(session, rules, gate, requested=requests.stacks)
    for id_, one in planned.items():
        if one.needs_judging:
            asked.ask(stacks[id_], one, memory.ledgers.entry(stacks[id_]))
    asked.explain(inspect)
    return Comparison(
        environment,
        owed,
        planned,
        asked.verdicts,
        context.report("compare", [one.report for one in planned.values()]),
        asked.ways_out(),
        checks_due=checks_due,
        skip_checks=skip_checks if checks_due else "",
    )


def checks_due_for(promotion: EnvironmentPromotion, owed: Mapping[str, str]) -> str:
    """Why an environment's checks and soak have to run; empty when they need not."""
    if promotion.requirements.is_empty:
        return ""
    decision = promotion.decision()
    if decision.is_due:
        return decision.reason
    return "it is about to be applied" if owed else ""


def _standing_on(session: Session, planned: Planned, upstreams: Sequence[str]) -> Planned:
    """The plan with its digest saying which upstreams may still change it, also where it is empty yet."""
    found = planned.inspected
    if not upstreams or planned.report.result not in ("changed", "unchanged"):
        return planned
    if found.digest is None:
        digest = empty_digest(
            session, session.context.project.stacks[planned.report.id], provisional=upstreams
        )
    else:
        digest = replace(found.digest, provisional=tuple(upstreams))
    return replace(planned, inspected=replace(found, digest=digest))


def owed_request(
    memory: Memory,
    environment: str,
    only: Sequence[str] | None = None,
    forgotten: Mapping[str, str] = NOTHING_FORGOTTEN,
) -> tuple[dict[str, str], Request]:
    """What trunk owes an environment, with why, and the request that plans it; `only` are stacks to pick.

    `forgotten` are stacks (id → reason) whose state is gone for good; as long as it is, they are owed too.
    """
    stacks = [stack.id for stack in memory.project.of(environment)]
    lost = {
        id_: f"its state is given up: {forgotten[id_]}"
        for id_ in stacks
        if id_ in forgotten and has_no_state(memory.states, memory.project.stacks[id_])
    }
    owed = pending_stacks(memory, stacks) | lost
    owed = {id_: owed[id_] for id_ in stacks if id_ in owed}
    if only is not None:
        owed = {id_: why for id_, why in owed.items() if id_ in only}
    readers = followers(memory.project, list(owed))
    mine = {id_: of for id_, of in readers.items() if id_ in stacks and (only is None or id_ in only)}
    memory.project.require((*owed, *mine))
    return owed, Request(tuple(owed), followers=mine)


def pending_work(
    memory: Memory, environment: str, *, forgotten: Mapping[str, str] = NOTHING_FORGOTTEN
) -> tuple[dict[str, str], Request, tuple[Deleted, ...]]:
    """All that is pending in an environment with why, the request that plans it, and the deleted stacks."""
    pending, request = owed_request(memory, environment, forgotten=forgotten)
    deleted = doomed(memory, environment)
    return pending | {one.stack.id: GONE for one in deleted}, request, deleted


def needs_approval(project: Project, environment: str) -> bool:
    """Whether an environment is only changed by what was approved."""
    return project.config.needs_approval(environment, project.order)


def mismatch_words(verdict: Verdict) -> str:
    """What differs, in one sentence that names the first few; values are masked already."""
    shown = []
    for one in verdict.differences[:NAMED]:
        where = ".".join(part for part in (one.address, one.path) if part)
        shown.append(f"{where}: {one.why} (approved {_cut(one.approved)}, now {_cut(one.now)})")
    more = len(verdict.differences) - len(shown)
    rest = f"; and {more} more" if more > 0 else ""
    said = "; ".join(shown) or verdict.reason
    return " ".join((f"Its plan is not what was approved: {said}{rest}.", *verdict.causes))


def approve_advice(environment: str, way: WayOut) -> str:
    """How to approve what is pending, in one step."""
    name = gate_name(environment)
    pull_request = f"`infra ci approve {environment}`, and merge the pull request that it opens"
    match way:
        case "gate":
            return f"Run the apply workflow again and approve {name} in it, or {pull_request}."
        case "set up gate":
            return (
                f"Give the environment {name} required reviewers (Settings → Environments), or set "
                f"`unapproved: apply` for {environment} on trunk, or run {pull_request}."
            )
        case "resume":
            return "Comment `/infra resume STACK` to agree to it."
        case "pull request":
            return f"Run {pull_request}."


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"

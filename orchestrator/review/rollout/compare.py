"""Compares what is pending in an environment with its approvals: before the gate, and at the apply."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.engine.deleted_stacks import DeletedStack, pending_deletions, plan_deleted
from orchestrator.engine.digests import empty_digest
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.pending import pending_stacks
from orchestrator.engine.pipeline import LAST_START, RunRequest, plan_all
from orchestrator.engine.promotion_lookup import PromotionHold
from orchestrator.engine.rollout_options import has_no_state
from orchestrator.engine.rollout_requests import NO_REQUESTS, RolloutRequests
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.state_changes import require_no_state
from orchestrator.errors import (
    BlockedError,
    ConfigError,
    GitError,
    MismatchError,
    ProjectError,
    SupersededError,
)
from orchestrator.forge.factory import forge_words
from orchestrator.forge.interface import Forge
from orchestrator.plan.digest import Digest
from orchestrator.plan.digest_comparison import compare as compare_digests
from orchestrator.report.model import RunReport, StackReport
from orchestrator.report.rollout import WAYS_OUT, WayOut
from orchestrator.repository.affected import find_dependents
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project, Stack
from orchestrator.review.approvals import Kind, Verdict, mark_volatile
from orchestrator.review.gate import Gate, gate_name
from orchestrator.review.pending_rules import PendingRules
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.provisional import find_provisional
from orchestrator.review.trunk_approvals import TrunkApprovals
from orchestrator.review.volatile_attributes import FindVolatile, find_volatile
from orchestrator.state.records import LedgerEntry, base_commit

# How many differences an error names; the comment has them all.
_MAX_NAMED = 3
_LETTERS = 60
# Why a deleted stack is owed something.
CODE_DELETED = "its code is gone"
_NOTHING_FORGOTTEN: Mapping[str, str] = {}


@dataclass
class TrunkGate:
    """Lets a plan be applied on trunk only if it matches its approval; safe for concurrent use.

    `find_volatile` plans mismatches once more. `gated` are the digests that reviewers approved in the gate of
    this workflow run, or that an approved manifest names (`has_manifest`), by stack. `requested` are stacks
    whose repair somebody with write permission requested, which is enough if the environment needs no
    approval and its gate has no reviewers. `superseded` are
    stacks that newer commits of trunk change, with the reason. `verdicts` stores the verdict of each plan.
    """

    session: Session
    rules: PendingRules
    gate: Gate
    gated: Mapping[str, Digest] = field(default_factory=dict)
    has_manifest: bool = False
    superseded: Mapping[str, str] = field(default_factory=dict)
    requested: frozenset[str] = frozenset()
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict, repr=False)
    find_volatile: FindVolatile = find_volatile
    _requestable: set[str] = field(default_factory=set, repr=False)
    _mismatches: dict[str, Digest] = field(default_factory=dict, repr=False)
    _projects: dict[str, Project | None] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
        """See `engine.ports.ApplyGate`."""
        if stack.id in self.superseded:
            raise SupersededError(
                self.superseded[stack.id],
                advice="The newer run of the apply workflow asks for what trunk has now: approve that one.",
                stack=stack.id,
            )
        verdict = self.decide(stack, planned, before)
        if verdict.kind == "mismatch":
            message, advice = describe_mismatch(verdict), self.advice(stack, verdict)
            raise MismatchError(message, advice=advice, stack=stack.id)
        if verdict.kind in ("gate", "refuse"):
            message, advice = f"Nobody approved this: {verdict.reason}.", self.advice(stack, verdict)
            raise BlockedError(message, advice=advice, stack=stack.id)

    def decide(self, stack: Stack, planned: StackPlan, entry: LedgerEntry | None) -> Verdict:
        """Decides on a plan; reads the pending pull requests from the forge."""
        verdict = self._require_label(stack, planned, self._compare(stack, planned, entry))
        verdict = self._require_repair_consent(stack, planned, verdict)
        if verdict.kind == "gate" and self.gate.problem:
            verdict = replace(verdict, kind="refuse", reason=f"{verdict.reason}; {self.gate.problem}")
        with self._lock:
            self.verdicts[stack.id] = verdict
            self.stacks[stack.id] = stack
            self._mismatches.pop(stack.id, None)
            if verdict.kind == "mismatch" and planned.inspected.digest:
                self._mismatches[stack.id] = planned.inspected.digest
        return verdict

    def explain_mismatches(self, inspect: Inspect) -> None:
        """Plans mismatches once more, and marks in their verdicts what is new in every plan."""
        for id_, attributes in self.find_volatile(self.session, self._mismatches, inspect).items():
            self.verdicts[id_] = mark_volatile(
                self.verdicts[id_],
                self.stacks[id_],
                attributes,
                has_reviews=self.session.context.project.config.ci.has_reviews,
            )

    def with_explanations(self, stacks: Iterable[StackReport]) -> tuple[StackReport, ...]:
        """The reports of an apply, each mismatch with the reason of its final verdict."""
        words = {id_: describe_mismatch(self.verdicts[id_]) for id_ in self._mismatches}
        return tuple(
            replace(report, reason=self.session.context.mask(words[report.id]))
            if report.result == "mismatch" and report.id in words
            else report
            for report in stacks
        )

    def way_out(self, stack: Stack, verdict: Verdict) -> WayOut:
        """How people can approve a plan that is not applied."""
        if not self.session.context.project.config.ci.has_reviews:
            return "manifest"
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
        """How all unapplied plans can be approved: by the gate if one of them may pass it."""
        ways = {
            self.way_out(self.stacks[id_], verdict)
            for id_, verdict in self.verdicts.items()
            if not verdict.may_apply
        }
        return next((way for way in WAYS_OUT if way in ways), "pull request")

    def advice(self, stack: Stack, verdict: Verdict) -> str:
        """How to approve what is pending, in one step."""
        return render_approve_advice(stack.environment, self.way_out(stack, verdict))

    def _compare(self, stack: Stack, planned: StackPlan, entry: LedgerEntry | None) -> Verdict:
        digest = planned.inspected.digest
        if planned.repair and not planned.repair.asks and (digest is None or digest.is_empty):
            return Verdict("apply", reason="nothing is left to do but to record what was done")
        if self.rules.approvals is None:
            needs = needs_approval(self.session.context.project, stack.environment)
            if not (needs or self._needed_approval_before(stack, entry)):
                return Verdict("apply", reason=f"{stack.environment} needs no approval")
            raise BlockedError(
                f"{stack.environment} is changed only as approved, and nobody can be asked here.",
                advice=f"Run it where {forge_words().name} can be asked: {forge_words().variables}.",
                stack=stack.id,
            )
        if digest is None:
            raise ValueError(f"{stack.id} was planned without a digest")
        gated = self.gated.get(stack.id)
        if isinstance(self.rules.approvals, TrunkApprovals):
            return self.rules.approvals.compare(stack, digest, entry, gated, has_manifest=self.has_manifest)
        return self.rules.approvals.compare(stack, digest, entry, gated=gated)

    def _require_label(self, stack: Stack, planned: StackPlan, verdict: Verdict) -> Verdict:
        """The verdict, unless the plan deletes or replaces without a required label.

        Where approvals are required, they already cover the label.
        """
        if verdict.kind != "apply" or not planned.report.is_destructive or stack.id in self.gated:
            return verdict
        why = self.rules.missing_label(stack, verdict.pull_requests, planned.inspected.digest)
        if not why:
            return verdict
        kind: Kind = "gate" if verdict.unapproved == "gate" else "refuse"
        return Verdict(kind, (), verdict.pull_requests, why, verdict.unapproved)

    def _require_repair_consent(self, stack: Stack, planned: StackPlan, verdict: Verdict) -> Verdict:
        """The verdict, unless the plan comes with a repair that needs consent and has none.

        An approval names its repairs, and was compared with these. Where no approval is needed, the gate
        decides about a repair, and without a gate whoever requested it.
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

    def _is_gated(self, stack: Stack, planned: StackPlan) -> bool:
        """Whether the gate of this run approved exactly this plan, repairs included."""
        gated, digest = self.gated.get(stack.id), planned.inspected.digest
        return (
            gated is not None
            and digest is not None
            and not compare_digests([gated], digest, approval="strict")
        )

    def _needed_approval_before(self, stack: Stack, entry: LedgerEntry | None) -> bool:
        """Whether the commit last applied required approvals: no change can remove that for itself."""
        if entry is None or not entry.is_known:
            return False
        with self._lock:
            commit = base_commit(entry.commit)
            if commit not in self._projects:
                self._projects[commit] = self._at(commit)
            applied_project = self._projects[commit]
        return applied_project is not None and needs_approval(applied_project, stack.environment)

    def _at(self, commit: str) -> Project | None:
        try:
            return load_commit(self.session.context.project, commit)
        except (ConfigError, GitError, ProjectError):
            return None


@dataclass(frozen=True)
class EnvironmentComparison:
    """The plans of an environment's pending stacks, and the verdict on each, by stack.

    `hold` is the earlier environment that blocks this one. `checks_due` says why the environment's checks and
    soak have to run, empty if they need not; `skip_checks` is the reason for skipping them.
    """

    environment: str
    pending: Mapping[str, str]
    planned: Mapping[str, StackPlan]
    verdicts: Mapping[str, Verdict]
    report: RunReport
    way_out: WayOut = "pull request"
    hold: PromotionHold | None = None
    checks_due: str = ""
    skip_checks: str = ""

    @property
    def undecided(self) -> tuple[str, ...]:
        """Stacks whose plans are not approved as they are."""
        return tuple(id_ for id_, verdict in self.verdicts.items() if not verdict.may_apply)

    @property
    def gate(self) -> bool:
        """Whether somebody has to approve in the environment's gate before this can be applied."""
        return bool(self.skip_checks) or (bool(self.undecided) and self.way_out == "gate")


def find_pending_deletions(memory: Memory, environment: str) -> tuple[DeletedStack, ...]:
    """Deleted stacks of an environment that the policy destroys."""
    if memory.project.config.policy.deleted_stacks != "destroy":
        return ()
    return pending_deletions(memory, environment)


def compare_environment(
    session: Session,
    environment: str,
    forge: Forge | None,
    skip_checks: str = "",
    requests: RolloutRequests = NO_REQUESTS,
) -> EnvironmentComparison:
    """Plans what is pending in an environment and decides on each plan; writes and applies nothing.

    `skip_checks` is a reason for skipping checks that are due, which the gate has to approve; `requests` are
    other requests.
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
        pending, _ = find_pending(memory, environment)
        return EnvironmentComparison(environment, pending, {}, {}, context.report("compare", ()), hold=hold)
    rules = PendingRules(session, forge)
    inspect = rules.build_inspect(session)
    pending, request, deleted = find_pending_work(memory, environment, forgotten=rollout.forgotten)
    checks_due = explain_due_checks(promotion, pending)
    gate = Gate(forge, environment)
    if skip_checks and checks_due and gate.problem:
        raise BlockedError(
            f"The checks of {environment} are skipped only with an approval in its gate, and {gate.problem}.",
            advice=f"Give {gate_name(environment)} required reviewers, or change the checks on trunk."
            if context.project.config.ci.has_reviews
            else "Change the checks on trunk.",
        )
    ids = (*request.stacks, *request.dependents)
    request = replace(
        request,
        stacks=ids,
        dependents={},
        last_start=LAST_START,
        inspect=inspect,
        rollout=rollout,
    )
    planned = plan_all(session, request)
    provisional = find_provisional(context.project, {id_: plan.report for id_, plan in planned.items()})
    planned = {
        id_: _with_provisional(session, plan, provisional.get(id_, ())) for id_, plan in planned.items()
    }
    planned |= plan_deleted(session, deleted, rules.build_inspect, rollout)
    stacks = dict(context.project.stacks) | {
        deleted_stack.stack.id: deleted_stack.stack for deleted_stack in deleted
    }
    trunk_gate = TrunkGate(session, rules, gate, requested=requests.stacks)
    for id_, plan in planned.items():
        if plan.needs_judging:
            trunk_gate.decide(stacks[id_], plan, memory.ledgers.entry(stacks[id_]))
    trunk_gate.explain_mismatches(inspect)
    return EnvironmentComparison(
        environment,
        pending,
        planned,
        trunk_gate.verdicts,
        context.report("compare", [plan.report for plan in planned.values()]),
        trunk_gate.ways_out(),
        checks_due=checks_due,
        skip_checks=skip_checks if checks_due else "",
    )


def explain_due_checks(promotion: EnvironmentPromotion, pending: Mapping[str, str]) -> str:
    """Why an environment's checks and soak have to run; empty when they need not."""
    if promotion.requirements.is_empty:
        return ""
    decision = promotion.decision()
    if decision.is_due:
        return decision.reason
    return "it is about to be applied" if pending else ""


def _with_provisional(session: Session, planned: StackPlan, upstreams: Sequence[str]) -> StackPlan:
    """The plan with its digest naming the upstreams that may still change it, also if it is empty."""
    inspected = planned.inspected
    if not upstreams or planned.report.result not in ("changed", "unchanged"):
        return planned
    if inspected.digest is None:
        digest = empty_digest(
            session, session.context.project.stacks[planned.report.id], provisional=upstreams
        )
    else:
        digest = replace(inspected.digest, provisional=tuple(upstreams))
    return replace(planned, inspected=replace(inspected, digest=digest))


def find_pending(
    memory: Memory,
    environment: str,
    only: Sequence[str] | None = None,
    forgotten: Mapping[str, str] = _NOTHING_FORGOTTEN,
) -> tuple[dict[str, str], RunRequest]:
    """The pending stacks of an environment with the reason, and the request that plans them.

    `only` limits to some stacks. `forgotten` are stacks (id → reason) whose lost state was given up: as long
    as they have no state, they are pending too.
    """
    stacks = [stack.id for stack in memory.project.of(environment)]
    stateless = {
        id_: f"its state is given up: {forgotten[id_]}"
        for id_ in stacks
        if id_ in forgotten and has_no_state(memory.states, memory.project.stacks[id_])
    }
    pending = pending_stacks(memory, stacks) | stateless
    pending = {id_: pending[id_] for id_ in stacks if id_ in pending}
    if only is not None:
        pending = {id_: why for id_, why in pending.items() if id_ in only}
    all_dependents = find_dependents(memory.project, list(pending))
    dependents = {
        id_: of for id_, of in all_dependents.items() if id_ in stacks and (only is None or id_ in only)
    }
    memory.project.require_some((*pending, *dependents))
    return pending, RunRequest(tuple(pending), dependents=dependents)


def find_pending_work(
    memory: Memory, environment: str, *, forgotten: Mapping[str, str] = _NOTHING_FORGOTTEN
) -> tuple[dict[str, str], RunRequest, tuple[DeletedStack, ...]]:
    """The pending stacks with the reason, the request that plans them, and the deleted stacks."""
    pending, request = find_pending(memory, environment, forgotten=forgotten)
    deleted = find_pending_deletions(memory, environment)
    return pending | {deleted_stack.stack.id: CODE_DELETED for deleted_stack in deleted}, request, deleted


def needs_approval(project: Project, environment: str) -> bool:
    """Whether changes of an environment need an approval."""
    return project.config.needs_approval(environment, project.order)


def describe_mismatch(verdict: Verdict) -> str:
    """Describes the first differences in one sentence; values are already masked."""
    differences = []
    for difference in verdict.differences[:_MAX_NAMED]:
        location = ".".join(part for part in (difference.address, difference.path) if part)
        differences.append(
            f"{location}: {difference.why} (approved {_cut(difference.approved)}, now {_cut(difference.now)})"
        )
    more = len(verdict.differences) - len(differences)
    rest = f"; and {more} more" if more > 0 else ""
    reason = "; ".join(differences) or verdict.reason
    return " ".join((f"Its plan is not what was approved: {reason}{rest}.", *verdict.causes))


def render_approve_advice(environment: str, way: WayOut) -> str:
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
        case "manifest":
            return (
                f"Run `infra ci compare {environment} --manifest FILE` on trunk, have its SHA-256 approved "
                f"in the CI, and run `infra ci apply {environment} --manifest FILE --sha256 HEX`."
            )
        case "pull request":
            return f"Run {pull_request}."


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"

"""`infra ci apply`: one environment after the other becomes what trunk says, as it was approved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestrator.ci.landing.comparing import GONE, TrunkJudge, doomed, owed_request
from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.sharding import Others, announce
from orchestrator.ci.requests import NO_REQUESTS, RolloutRequests
from orchestrator.ci.shards import Shard
from orchestrator.engine.checks import CheckOutcome
from orchestrator.engine.context import RunContext
from orchestrator.engine.executor import DONE, STOPS
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import BlockedError, InfraError, InterruptedRunError, StateError, UsageError
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest
from orchestrator.project.model import Project, Stack
from orchestrator.report.model import RunReport, StackReport
from orchestrator.review.gate import (
    Gate,
    Ticket,
    objection_to,
    read_shown,
    require_answer,
    superseded_by_trunk,
)
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.review.rules import PendingRules
from orchestrator.run.deleting import Deleted
from orchestrator.run.forward import is_known, is_on_trunk
from orchestrator.run.heartbeat import stale
from orchestrator.run.pipeline import Request, apply
from orchestrator.run.recording import Terms
from orchestrator.state.records import Entry, base_commit
from orchestrator.terraform.client import PlanOptions


class Agreed:
    """Consent in a job: what may be applied was decided on the pull request, and the judge compares."""

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        """Yes."""

    def to_repair(self, stack: str, found: Sequence[str], steps: Sequence[str]) -> None:
        """Nobody is there who could look at what was found."""
        raise BlockedError(
            f"{stack} was cut off, and is put right by a person.", advice=f"`infra resume {stack}`."
        )

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        """Yes."""


@dataclass(frozen=True)
class Asked:
    """What a job was asked for: environments in promotion order, and how to deal with others at work.

    `ticket` names the plans that the gate of this workflow attempt showed; `only` picks stacks of a shard,
    `part` says which shard of one environment that is.
    `parallelism` is how many stacks run at once, unless infra.yaml says. `skip_checks` is the reason for
    which the environment passes without its checks, once the gate approved that; `requests` are what else
    somebody asked for. `begun` is told of each
    environment that is owed something before it is touched.
    """

    environments: tuple[str, ...]
    terms: Terms = field(default_factory=Terms)
    ticket: Ticket | None = None
    only: tuple[str, ...] | None = None
    part: Shard | None = None
    parallelism: int | None = None
    skip_checks: str = ""
    requests: RolloutRequests = NO_REQUESTS
    begun: Callable[[Landed], None] = lambda landed: None


def land(session: Session, asked: Asked, host: Host | None) -> tuple[Landed, ...]:
    """Apply what trunk owes the environments, one after the other; what stops one holds back the rest."""
    landed: list[Landed] = []
    for name in asked.environments:
        stopped = next((one for one in landed if one.stops), None)
        if stopped:
            landed.append(_waiting(session, name, stopped.environment, host))
        else:
            landed.append(_landed(Step(session, name, asked, host)))
    return tuple(landed)


def _waiting(session: Session, environment: str, behind: str, host: Host | None) -> Landed:
    """An environment that was not begun, with what is pending there as far as it can be found out."""
    return with_pending(Landed(environment, behind=behind), session.memory, PendingRules(session, host))


def _landed(step: Step) -> Landed:
    """What came of an environment; that its ledger cannot be read, say, is told as the rest is."""
    try:
        return step.land()
    except InfraError as error:
        message = step.session.context.mask(error.message)
        return replace(step.found, error=message, error_code=int(error.exit_code), notes=(error.advice,))


class Step:
    """One environment on its way."""

    def __init__(self, session: Session, environment: str, asked: Asked, host: Host | None) -> None:
        workers = asked.parallelism or session.context.workers_in(environment)
        self.rollout = asked.requests.options
        session = replace(session, context=replace(session.context, workers=workers))
        session = self.session = self.rollout.session(session)
        self.environment = environment
        self.asked = asked
        self.rules = PendingRules(session, host)
        self.judge = TrunkJudge(session, self.rules, Gate(host, environment), requested=asked.requests.stacks)
        self.done_elsewhere: tuple[StackReport, ...] = ()
        self.approved_by = ""
        self.found = Landed(environment)
        self.promotion = EnvironmentPromotion(session, environment)
        self.inspect = self.rules.watching(session)

    def land(self) -> Landed:
        """The steps: may it follow, what is pending, was the gate answered, apply it, run its checks."""
        memory = self.session.memory
        context = self.session.context
        self.asked.requests.require(context.project, self.environment)
        if self.asked.part:
            announce(self.session, self.asked.part)
        hold = self.promotion.hold()
        if hold:
            held = replace(self.found, behind=hold.environment, held=hold.reason)
            return with_pending(held, memory, self.rules)
        before = self.promotion.decision()
        only = self.asked.only
        owed, _ = self._owed(only)
        deleted = self._deleted() if self._leads else ()
        owed |= {one.stack.id: GONE for one in deleted}
        owners = owners_of(context.project, self.rules, owed)
        found = self.found = replace(self.found, owed=owed, owners=owners, heartbeat=self._heartbeat())
        if found.owed:
            self.asked.begun(found)
        if self.asked.ticket:
            self._pass_gate(self.asked.ticket, owed, deleted)
        elif self.asked.skip_checks and not self.promotion.requirements.is_empty:
            raise BlockedError(
                f"Nobody approved that the checks of {self.environment} are skipped.",
                advice=f"Comment `/infra apply {self.environment} --skip-checks REASON`, and approve it in "
                "the gate.",
            )
        whole = set(owed if only is None else self._owed()[0])
        starts = self._leads and bool(whole - self.judge.superseded.keys())
        if starts and not self.promotion.requirements.is_empty:
            self.promotion.begin()
        reports = self._whole() if only is None else self._in_part(only)
        if deleted and not any(one.exit_code for one in reports):
            reports += self._destroy(deleted)
        report = _joined(context, [*reports, context.report("apply", self.done_elsewhere)])
        self.judge.explain(self.inspect)
        report = replace(report, stacks=self.judge.explained(report.stacks))
        found = replace(
            found,
            report=report,
            verdicts=dict(self.judge.verdicts),
            overtaken=self._overtaken(report.stacks),
            elsewhere=tuple(one.id for one in self.done_elsewhere),
            superseded=tuple(sorted(self.judge.superseded)),
            way_out=self.judge.ways_out(),
        )
        if found.stops or not self._leads or found.overtaken or not (starts or before.is_due):
            return found
        if self.asked.skip_checks:
            return self._skipped(found)
        # What an earlier run applied without checking it is looked at as well.
        stacks = [stack.id for stack in context.project.of(self.environment)]
        return self._verified(found, found.applied if before.is_passed else stacks)

    def _pass_gate(self, ticket: Ticket, owed: Collection[str], deleted: Sequence[Deleted]) -> None:
        """Make sure that somebody answered the gate, and see which of the plans that it showed still count.

        What another run has applied meanwhile is reported as superseded, and so is what newer commits of
        trunk change. Raises BlockedError where nobody's approval counts.
        """
        session, approvals = self.session, self.rules.approvals
        if approvals is None:
            raise UsageError(
                "Nobody can be asked who approved the gate.",
                advice="Run it where GitHub can be asked: GITHUB_REPOSITORY and GITHUB_TOKEN.",
            )
        shown = read_shown(session, self.environment, ticket)
        stacks = dict(session.context.project.stacks) | {one.stack.id: one.stack for one in deleted}
        with approvals.lock:
            pending = [
                approvals.trunk.pending(stacks[id_], self._entry_on_trunk(stacks[id_]))
                for id_, digest in sorted(shown.items())
                if id_ in stacks and not digest.is_empty
            ]
            self.approved_by = require_answer(
                approvals.host,
                self.environment,
                ticket,
                origin_of(session.context.environ).attempt,
                lambda login: objection_to(
                    approvals.host, login, pending, approvals.decisions.may_decide, approvals.pushers
                ),
            )
        self.judge = replace(
            self.judge, gated=shown, superseded=superseded_by_trunk(session.context, [*shown, *owed])
        )
        if self.asked.only is None or self._leads:
            self.done_elsewhere = self._done_elsewhere(shown, owed)

    def _entry_on_trunk(self, stack: Stack) -> Entry | None:
        """What is known of a stack, as of the last commit of trunk where the applied one is gone over.

        What trunk had before that was decided on then, whoever wrote it.
        """
        entry = self.session.memory.ledgers.entry(stack)
        if entry is None or not self.rollout.superseded_commit(self.session, entry):
            return entry
        project = self.session.context.project
        for run in self.session.memory.ledgers.of(stack).runs(stack.id):
            commit = base_commit(run.commit)
            if run.stacks[stack.id].result in DONE and is_on_trunk(project, commit):
                return replace(entry, commit=commit)
        return entry

    def _done_elsewhere(self, shown: Mapping[str, Digest], owed: Collection[str]) -> tuple[StackReport, ...]:
        """The stacks that the gate showed and that are no longer pending: another run was faster."""
        reports = []
        everything, _ = self._owed()
        for id_, digest in sorted(shown.items()):
            entry = None if digest.is_empty or id_ in {*owed, *everything} else self._entry(id_)
            if entry and is_known(self.session.context.project, base_commit(entry.commit)):
                why = f"superseded: {entry.commit[:10]} is applied there already"
                reports.append(StackReport(id_, self.environment, "skipped", reason=why))
        return tuple(reports)

    @property
    def _leads(self) -> bool:
        """Whether we see to what is done once: of several parts the first one does."""
        first = self.session.context.project.of(self.environment)[:1]
        return self.asked.only is None or any(stack.id in self.asked.only for stack in first)

    def _heartbeat(self) -> str:
        """That nobody has looked for drift for too long; empty when that cannot be told."""
        session = self.session
        try:
            found = stale(
                session.context.project, session.memory.ledgers, [self.environment], datetime.now(UTC)
            )
        except StateError:
            return ""
        return found.get(self.environment, "")

    def _whole(self) -> list[RunReport]:
        """Apply what is owed, and then what that made owed: stacks that read outputs which have moved."""
        reports: list[RunReport] = []
        tried: set[str] = set()
        while not any(one.exit_code for one in reports):
            owed, request = self._owed()
            if not owed.keys() - tried:
                break
            reports.append(self._apply(request))
            tried |= {one.id for one in reports[-1].stacks}
        return reports

    def _owed(self, only: Sequence[str] | None = None) -> tuple[dict[str, str], Request]:
        return owed_request(self.session.memory, self.environment, only, self.rollout.forgotten)

    @property
    def _terms(self) -> Terms:
        return replace(self.asked.terms, over=self.rollout.over)

    def _apply(self, request: Request) -> RunReport:
        request = replace(request, terms=self._terms, inspect=self.inspect, rollout=self.rollout)
        return apply(self.session, request, Agreed(), self.judge)

    def _in_part(self, mine: Sequence[str]) -> list[RunReport]:
        """Apply our part of what is owed, in the order that the other parts leave us."""
        owed, whole = self._owed()
        names = {*owed, *whole.followers}
        others, reports = Others(self.session, self.asked.part), []
        bad: dict[str, str] = {}
        for layer in others.layers(mine, names):
            bad |= others.wait(others.prerequisites(layer, mine, names) - bad.keys())
            behind = {id_: why for id_ in layer if (why := self._behind(id_, bad))}
            _, request = self._owed([id_ for id_ in layer if id_ not in behind])
            if request.stacks:
                reports.append(self._apply(request))
                bad |= {one.id: one.result for one in reports[-1].stacks if one.result in STOPS}
            bad |= dict.fromkeys(behind, "aborted")
            reports.append(self._aborted(behind))
        if self._leads and not bad:
            late = others.wait(names - set(mine))
            reports.append(self._aborted({id_: f"another part: {how}" for id_, how in late.items()}))
        return reports

    def _overtaken(self, stacks: Sequence[StackReport]) -> tuple[str, ...]:
        """Skipped stacks to which a newer commit of ours was applied: what is owed is done by that."""
        context = self.session.context
        repository, commit = context.project.repository, context.info.commit
        found = []
        for one in stacks:
            entry = self._entry(one.id) if one.result == "skipped" else None
            if entry and is_known(context.project, base_commit(entry.commit)):
                found += [one.id] if repository.is_ancestor(commit, base_commit(entry.commit)) else []
        return tuple(found)

    def _entry(self, id_: str) -> Entry | None:
        stack = self.session.context.project.stacks.get(id_)
        return self.session.memory.ledgers.entry(stack) if stack else None

    def _behind(self, stack: str, bad: Mapping[str, str]) -> str:
        """Why a stack must not be applied: what it stands on went wrong."""
        needs = self.session.context.project.prerequisites().get(stack, set())
        return next((f"{need} was not applied ({bad[need]})" for need in sorted(needs & bad.keys())), "")

    def _aborted(self, stacks: Mapping[str, str]) -> RunReport:
        made = [StackReport(id_, self.environment, "aborted", reason=why) for id_, why in stacks.items()]
        return self.session.context.report("apply", made)

    def _deleted(self) -> tuple[Deleted, ...]:
        """The deleted stacks."""
        return doomed(self.session.memory, self.environment)

    def _destroy(self, deleted: Sequence[Deleted]) -> list[RunReport]:
        """Destroy each with the code that it was made from."""
        by_commit: dict[str, list[str]] = {}
        for one in deleted:
            by_commit.setdefault(one.commit, []).append(one.stack.id)
        reports = []
        for commit, stacks in by_commit.items():
            with at_commit(self.session, commit) as inner:
                request = Request(
                    tuple(stacks),
                    PlanOptions(destroy=True),
                    terms=self._terms,
                    inspect=self.rules.watching(inner),
                    rollout=self.rollout,
                )
                reports.append(apply(inner, request, Agreed(), self.judge))
        return reports

    def _skipped(self, found: Landed) -> Landed:
        """Record that the environment passes without its checks, by whom and why."""
        if self.promotion.requirements.is_empty:
            return found
        self.promotion.skip(self.approved_by, self.asked.skip_checks)
        note = f"Checks of {self.environment} skipped by {self.approved_by}: {self.asked.skip_checks}."
        return replace(found, notes=(*found.notes, self.session.context.mask(note)))

    def _verified(self, found: Landed, stacks: Sequence[str]) -> Landed:
        """Run the environment's checks and let it soak; what cannot be checked has not passed."""
        if self.promotion.requirements.is_empty:
            return found
        try:
            outcome = self.promotion.verify(stacks)
        except InterruptedRunError as error:
            report = replace(found.report, interrupted=True) if found.report else None
            return replace(found, report=report, checks=(CheckOutcome("checks", False, error.message),))
        except InfraError as error:
            message = self.session.context.mask(error.message)
            return replace(
                found,
                checks=(CheckOutcome("checks", False, message),),
                notes=(*found.notes, *filter(None, (error.advice,))),
            )
        return replace(found, checks=outcome.checks, soaked=outcome.soaked)


def with_pending(landed: Landed, memory: Memory, rules: PendingRules) -> Landed:
    """An environment that is not touched, with what is pending there and whose changes that is."""
    try:
        owed, _ = owed_request(memory, landed.environment)
    except InfraError:
        return replace(landed, owed_unknown=True)
    return replace(landed, owed=owed, owners=owners_of(memory.project, rules, owed))


def owners_of(project: Project, rules: PendingRules, owed: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """The pull requests whose changes are pending, by stack."""
    stacks = project.stacks
    return {id_: rules.pull_requests(stacks[id_]) for id_ in owed if id_ in stacks}


def _joined(context: RunContext, reports: Sequence[RunReport]) -> RunReport:
    """Several parts of one run as one report."""
    stacks = {one.id: one for report in reports for one in report.stacks}
    notes = tuple(note for report in reports for note in report.notes)
    return context.report("apply", stacks.values(), notes=notes)


__all__ = ["Agreed", "Asked", "Step", "land"]

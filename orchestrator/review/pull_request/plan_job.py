"""`infra ci plan` as named steps: what to plan, the guard, the plans, one review."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.drift.heartbeat import find_stale
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.pending import pending_stacks
from orchestrator.engine.policy_inspection import policy_inspection, rego_texts
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, StateError, UsageError, exit_code_of
from orchestrator.forge.event import Event
from orchestrator.report.model import StackReport
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.repository.affected import find_dependents
from orchestrator.repository.model import Finding, Project
from orchestrator.review.plan_reports import PlanReport
from orchestrator.review.pull_request.assemble import build_review
from orchestrator.review.pull_request.guard_check import OpenReviewForge, check_guard
from orchestrator.review.pull_request.merge_queue import build_queue_check
from orchestrator.review.pull_request.plan_part import plan_part
from orchestrator.review.pull_request.plan_recorder import PlanRecorder
from orchestrator.review.pull_request.scope import ChangeScope, PlanPart

ONE_STACK = "INFRA_STACK"
LISTED = "INFRA_STACKS"

OpenSession = Callable[[Project], AbstractContextManager[Session]]


@dataclass(frozen=True)
class PlanJob:
    """What a job is to plan: environments (all when none), `I/N` of them, one stack alone.

    `saves` is false for a rehearsal: then nothing is written anywhere.
    """

    environments: tuple[str, ...] = ()
    shard: str = ""
    listed: str = ""
    stack: str = ""
    saves: bool = True


def build_job(
    environ: Mapping[str, str], environments: Sequence[str], shard: str | None, *, dry: bool
) -> PlanJob:
    """The job that the command line and the environment ask for."""
    return PlanJob(
        environments=tuple(environments),
        shard=shard or "",
        listed=environ.get(LISTED, ""),
        stack=environ.get(ONE_STACK, ""),
        saves=not dry,
    )


def run_plan_job(
    scope: ChangeScope,
    event: Event | None,
    job: PlanJob,
    open_session: OpenSession,
    open_host: OpenReviewForge | None = None,
) -> PlanReport:
    """Plan a job's part; what goes wrong with a stack is in its review. Terraform runs only if it must.

    `open_host` gives the forge, which is asked in a merge queue what was approved, and where an owner's
    approval decides about a lock file; None: it cannot be asked.
    """
    started = time.monotonic()
    names = scope.chosen(job.environments)
    part = _select_part(scope, names, job)
    approves = event.approves if event and event.approves in names and not job.stack else ""
    pending_ids = [stack.id for stack in scope.project.of(approves)] if approves else []
    findings = (
        check_guard(scope, event, open_host, (*part.names, *pending_ids)) if part.names or approves else ()
    )
    stacks: tuple[StackReview, ...] = ()
    notes: tuple[str, ...] = ()
    heartbeat = ""
    run_id = event.run if event else ""
    if any(finding.severity == "error" for finding in findings):
        stacks = _block_stacks(scope, part)
    elif part.names or approves:
        with open_session(scope.project) as session:
            part = _with_pending(session, part, approves)
            recorder = _recorder(session, scope, event, job, open_host)
            stacks = plan_part(session, scope, part, recorder)
            notes = recorder.notes
            heartbeat = _read_heartbeat(session.memory, names)
            run_id = run_id or session.context.info.id
    seconds = time.monotonic() - started
    review = build_review(
        scope,
        event,
        stacks,
        findings=findings,
        notes=notes,
        heartbeat=heartbeat,
        run=run_id,
        seconds=seconds,
    )
    return PlanReport(names, job.shard, job.stack, part.expected, review)


def _recorder(
    session: Session, scope: ChangeScope, event: Event | None, job: PlanJob, open_host: OpenReviewForge | None
) -> PlanRecorder:
    """What watches the plans: a pull request's are kept, a merge group's compared with what was approved."""
    reviewed = event if event and event.is_reviewed else None
    queued = reviewed is not None and reviewed.kind == "merge_group"
    return PlanRecorder(
        reviewed,
        saves=job.saves and reviewed is not None and not queued,
        base=scope.planned.base or "",
        police=_build_policy_inspection(scope, event),
        check_queued=build_queue_check(session, reviewed, open_host())
        if reviewed and queued and open_host
        else None,
        destroys_deleted=scope.rules.policy.deleted_stacks == "destroy",
    )


def _read_heartbeat(memory: Memory, environments: Sequence[str]) -> str:
    """What to know when nobody has looked for drift for too long; empty when that cannot be told."""
    existing = [name for name in environments if name in memory.project.environments]
    try:
        return " ".join(find_stale(memory.project, memory.ledgers, existing, datetime.now(UTC)).values())
    except StateError:
        return ""


def _select_part(scope: ChangeScope, environments: Sequence[str], job: PlanJob) -> PlanPart:
    """The stacks of a job."""
    if job.stack:
        return _select_stack(scope, environments, job.stack)
    if job.shard:
        return scope.part(environments, scope.shard(environments, job.shard, job.listed))
    return scope.part(environments)


def _select_stack(scope: ChangeScope, environments: Sequence[str], stack: str) -> PlanPart:
    """One stack that somebody named, affected or not; nothing where it is another environment's."""
    named_stack = scope.project.stacks.get(stack)
    if named_stack is None and stack not in {stack.id for stack in scope.deleted}:
        raise UsageError(f"There is no stack {stack} here.", advice="`infra list` shows them.")
    if named_stack is None or named_stack.environment not in environments:
        return scope.part(environments, (stack,))
    return PlanPart(tuple(environments), stacks=(stack,))


def _with_pending(session: Session, part: PlanPart, environment: str) -> PlanPart:
    """For a pull request that approves what is pending in an environment: that, and what reads it."""
    context = session.context
    if not environment:
        return part
    pending = pending_stacks(session.memory, [stack.id for stack in context.project.of(environment)])
    stacks = dict.fromkeys((*part.stacks, *pending))
    project = context.project
    readers = {
        id_: of
        for id_, of in find_dependents(project, list(stacks)).items()
        if project.stacks[id_].environment == environment
    }
    late = {id_: of for id_, of in (readers | dict(part.dependents)).items() if id_ not in stacks}
    return replace(part, stacks=tuple(context.in_order(stacks)), dependents=late)


def _block_stacks(scope: ChangeScope, part: PlanPart) -> tuple[StackReview, ...]:
    """What is said of stacks whose code Terraform must not see."""
    ids = {stack.id for stack in part.deleted}
    environments = {stack.id: stack.environment for stack in (*scope.project.stacks.values(), *scope.deleted)}
    reasons = {stack.id: stack.reasons for stack in scope.affected.stacks}
    return tuple(
        StackReview(
            StackReport(id_, environments[id_], "blocked", reason="the guard refuses its code"),
            "deleted" if id_ in ids else "changed",
            reasons.get(id_, ()),
        )
        for id_ in part.expected
    )


def exit_code(review: PlanReview) -> int:
    """The job's exit code: the most serious of its stacks'; a rule that forbids something is 4."""
    codes = [stack.report.exit_code(applying=False, detailed=False) for stack in review.stacks]
    if any(
        map(_forbids, (*review.findings, *(finding for stack in review.stacks for finding in stack.findings)))
    ):
        codes.append(int(Exit.BLOCKED))
    if review.unplanned or any(stack.report.result == "aborted" for stack in review.stacks):
        codes.append(int(Exit.ERROR))
    return exit_code_of(codes)


def _forbids(finding: Finding) -> bool:
    return finding.severity == "error"


def _build_policy_inspection(scope: ChangeScope, event: Event | None) -> Callable[[Session], Inspect]:
    """Makes, for a session, the inspection of its plans by the policy of trunk.

    The label that lets a plan delete or replace counts here as it stands; who set it is looked at before the
    apply.
    """
    policy = scope.rules.policy
    rego = rego_texts(scope.before.tree, policy.rego.folder) if scope.before else {}
    allowed = event is not None and policy.label in event.labels
    return lambda session: policy_inspection(
        session.context,
        policy,
        allow_destroy=allowed,
        rego=rego,
        estimates_cost=scope.rules.cost is not None,
    )

"""`infra ci plan` as named steps: what to plan, the guard, the plans, one review."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.ci.event import Event
from orchestrator.ci.reports import PlanReport
from orchestrator.ci.review.guarding import OpenHost, guarded
from orchestrator.ci.review.planning import plan_part
from orchestrator.ci.review.policing import policed
from orchestrator.ci.review.queueing import judge_of
from orchestrator.ci.review.recording import Recorder
from orchestrator.ci.review.reviewing import review_of
from orchestrator.ci.review.scope import Part, Scope
from orchestrator.engine.memory import Memory
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, StateError, UsageError, exit_code_of
from orchestrator.project.affected import followers
from orchestrator.project.model import Finding, Project
from orchestrator.report.model import StackReport
from orchestrator.report.review import Review, StackReview
from orchestrator.run.heartbeat import stale
from orchestrator.run.pending import pending_stacks

ONE_STACK = "INFRA_STACK"
LISTED = "INFRA_STACKS"

OpenSession = Callable[[Project], AbstractContextManager[Session]]


@dataclass(frozen=True)
class PlanJob:
    """What a job was asked for: environments (all when none), `I/N` of them, one stack alone.

    `keeps` is false for a rehearsal: then nothing is written anywhere.
    """

    environments: tuple[str, ...] = ()
    shard: str = ""
    listed: str = ""
    stack: str = ""
    keeps: bool = True


def job_of(
    environ: Mapping[str, str], environments: Sequence[str], shard: str | None, *, dry: bool
) -> PlanJob:
    """The job that the command line and the environment ask for."""
    return PlanJob(
        environments=tuple(environments),
        shard=shard or "",
        listed=environ.get(LISTED, ""),
        stack=environ.get(ONE_STACK, ""),
        keeps=not dry,
    )


def run(
    scope: Scope,
    event: Event | None,
    job: PlanJob,
    open_session: OpenSession,
    open_host: OpenHost | None = None,
) -> PlanReport:
    """Plan a job's part; what goes wrong with a stack is in its review. Terraform runs only if it must.

    `open_host` gives the host, which is asked in a merge queue what was approved, and where an owner's
    approval decides about a lock file; None: it cannot be asked.
    """
    began = time.monotonic()
    names = scope.chosen(job.environments)
    part = part_of(scope, names, job)
    approves = event.approves if event and event.approves in names and not job.stack else ""
    owed = [stack.id for stack in scope.project.of(approves)] if approves else []
    findings = guarded(scope, event, open_host, (*part.names, *owed)) if part.names or approves else ()
    stacks: tuple[StackReview, ...] = ()
    notes: tuple[str, ...] = ()
    heartbeat = ""
    run_id = event.run if event else ""
    if any(one.severity == "error" for one in findings):
        stacks = refused(scope, part)
    elif part.names or approves:
        with open_session(scope.project) as session:
            part = _with_pending(session, part, approves)
            recorder = _recorder(session, scope, event, job, open_host)
            stacks = plan_part(session, scope, part, recorder)
            notes = recorder.notes
            heartbeat = _silent(session.memory, names)
            run_id = run_id or session.context.info.id
    seconds = time.monotonic() - began
    review = review_of(
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
    session: Session, scope: Scope, event: Event | None, job: PlanJob, open_host: OpenHost | None
) -> Recorder:
    """What watches the plans: a pull request's are kept, a merge group's compared with what was approved."""
    reviewed = event if event and event.is_reviewed else None
    queued = reviewed is not None and reviewed.kind == "merge_group"
    return Recorder(
        reviewed,
        keeps=job.keeps and reviewed is not None and not queued,
        base=scope.subject.base or "",
        police=policed(scope, event),
        judge=judge_of(session, reviewed, open_host()) if reviewed and queued and open_host else None,
        destroys_deleted=scope.rules.policy.deleted_stacks == "destroy",
    )


def _silent(memory: Memory, environments: Sequence[str]) -> str:
    """What to know when nobody has looked for drift for too long; empty when that cannot be told."""
    here = [name for name in environments if name in memory.project.environments]
    try:
        return " ".join(stale(memory.project, memory.ledgers, here, datetime.now(UTC)).values())
    except StateError:
        return ""


def part_of(scope: Scope, environments: Sequence[str], job: PlanJob) -> Part:
    """The stacks of a job."""
    if job.stack:
        return _one(scope, environments, job.stack)
    if job.shard:
        return scope.part(environments, scope.shard(environments, job.shard, job.listed))
    return scope.part(environments)


def _one(scope: Scope, environments: Sequence[str], stack: str) -> Part:
    """One stack that somebody named, affected or not; nothing where it is another environment's."""
    found = scope.project.stacks.get(stack)
    if found is None and stack not in {one.id for one in scope.deleted}:
        raise UsageError(f"There is no stack {stack} here.", advice="`infra list` shows them.")
    if found is None or found.environment not in environments:
        return scope.part(environments, (stack,))
    return Part(tuple(environments), stacks=(stack,))


def _with_pending(session: Session, part: Part, environment: str) -> Part:
    """For a pull request that approves what is pending in an environment: that, and what reads it."""
    context = session.context
    if not environment:
        return part
    owed = pending_stacks(session.memory, [one.id for one in context.project.of(environment)])
    stacks = dict.fromkeys((*part.stacks, *owed))
    project = context.project
    readers = {
        id_: of
        for id_, of in followers(project, list(stacks)).items()
        if project.stacks[id_].environment == environment
    }
    late = {id_: of for id_, of in (readers | dict(part.followers)).items() if id_ not in stacks}
    return replace(part, stacks=tuple(context.in_order(stacks)), followers=late)


def refused(scope: Scope, part: Part) -> tuple[StackReview, ...]:
    """What is said of stacks whose code Terraform must not see."""
    gone = {one.id for one in part.deleted}
    environments = {one.id: one.environment for one in (*scope.project.stacks.values(), *scope.deleted)}
    reasons = {one.id: one.reasons for one in scope.found.stacks}
    return tuple(
        StackReview(
            StackReport(id_, environments[id_], "blocked", reason="the guard refuses its code"),
            "deleted" if id_ in gone else "changed",
            reasons.get(id_, ()),
        )
        for id_ in part.expected
    )


def exit_code(review: Review) -> int:
    """The job's exit code: the most serious of its stacks'; a rule that forbids something is 4."""
    codes = [one.report.exit_code(applying=False, detailed=False) for one in review.stacks]
    if any(map(_forbids, (*review.findings, *(found for one in review.stacks for found in one.findings)))):
        codes.append(int(Exit.BLOCKED))
    if review.unplanned or any(one.report.result == "aborted" for one in review.stacks):
        codes.append(int(Exit.ERROR))
    return exit_code_of(codes)


def _forbids(finding: Finding) -> bool:
    return finding.severity == "error"

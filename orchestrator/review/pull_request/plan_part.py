"""Plans one job's part of a pull request: affected stacks, dependents that may change, deleted stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.drift.classify import find_drift_in_diff
from orchestrator.engine.deleted_stacks import DeletedStack, plan_deleted
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.pipeline import LAST_START, RunRequest, plan_all
from orchestrator.engine.rollout_options import RolloutOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import ProjectError
from orchestrator.plan.model import Plan
from orchestrator.report.model import StackReport
from orchestrator.report.review import Change, StackReview
from orchestrator.repository.affected import Chain
from orchestrator.review.provisional import find_provisional
from orchestrator.review.pull_request.plan_recorder import PlanRecorder
from orchestrator.review.pull_request.scope import ChangeScope, PlanPart
from orchestrator.review.volatile_attributes import find_volatile


def plan_part(
    session: Session, scope: ChangeScope, part: PlanPart, recorder: PlanRecorder
) -> tuple[StackReview, ...]:
    """Plans a part and records what reviewers will see of it. Errors of a stack are its result."""
    context = session.context
    elsewhere = {stack.id for stack in scope.affected.stacks if stack.id not in part.stacks}
    inspect = recorder.build_inspect(session)
    # What a pull request approves is what the rollout will do: interrupted applies are finished.
    rollout = RolloutOptions() if recorder.approves else None
    planned = plan_valid_stacks(session, (*part.stacks, *part.always), inspect, rollout)
    recorder.provisional = find_provisional(scope.project, _reports(planned), elsewhere)
    late = [id_ for id_ in part.dependents if id_ in recorder.provisional]
    if late and not context.supervisor.interrupted:
        planned |= plan_valid_stacks(session, late, inspect, rollout)
    if recorder.approves:
        digests = {id_: plan.inspected.digest for id_, plan in planned.items() if plan.inspected.digest}
        recorder.volatile = find_volatile(session, digests, inspect)
    plans: dict[str, StackPlan] = {}
    if part.deleted and scope.planned.base and not context.supervisor.interrupted:
        # What is only reported is not carried out, so there is nothing to forbid or to approve.
        build_inspect = recorder.build_inspect if recorder.destroys_deleted else lambda _: inspect_nothing
        plans = plan_deleted(
            session, [DeletedStack(stack, scope.planned.base) for stack in part.deleted], build_inspect
        )
    changes, reasons = _changes(scope, part)
    ordered = {id_: planned[id_] for id_ in context.in_order(planned)} | plans
    reviews = tuple(
        _review(plan, changes.get(id_, "changed"), reasons.get(id_, ()), recorder.provisional.get(id_, ()))
        for id_, plan in ordered.items()
    )
    return recorder.record(session, scope, ordered, reviews)


def plan_valid_stacks(
    session: Session,
    stacks: Sequence[str],
    inspect: Inspect = inspect_nothing,
    rollout: RolloutOptions | None = None,
) -> dict[str, StackPlan]:
    """Plans stacks; one whose code cannot be planned, such as a cycle, does not hide the others.

    With `rollout` interrupted applies are planned as a rollout finishes them.
    """
    broken = _broken(session, stacks)
    sound = tuple(id_ for id_ in stacks if id_ not in broken)
    return broken | plan_all(
        session, RunRequest(sound, last_start=LAST_START, inspect=inspect, rollout=rollout)
    )


def _broken(session: Session, stacks: Sequence[str]) -> dict[str, StackPlan]:
    context = session.context
    plans: dict[str, StackPlan] = {}
    try:
        context.project.require(stacks)
    except ProjectError:
        for id_ in stacks:
            try:
                context.project.require([id_])
            except ProjectError as error:
                plans[id_] = StackPlan(failure(session, context.project.stacks[id_], error))
                context.progress.done(plans[id_].report)
    return plans


def _reports(planned: Mapping[str, StackPlan]) -> dict[str, StackReport]:
    return {id_: plan.report for id_, plan in planned.items()}


def _changes(scope: ChangeScope, part: PlanPart) -> tuple[dict[str, Change], dict[str, tuple[Chain, ...]]]:
    """How the change touches each stack, and by which files."""
    changes: dict[str, Change] = {stack.id: stack.change for stack in scope.affected.stacks}
    changes |= dict.fromkeys((*part.dependents, *part.always), "dependent")
    changes |= {stack.id: "deleted" for stack in part.deleted}
    return changes, {stack.id: stack.reasons for stack in scope.affected.stacks}


def _review(
    planned: StackPlan, change: Change, reasons: tuple[Chain, ...], upstreams: tuple[str, ...]
) -> StackReview:
    plan = planned.plan
    return StackReview(
        planned.report,
        change,
        reasons,
        upstreams,
        drift=tuple(change.document() for change in find_drift_in_diff(plan)) if plan else (),
        imported=tuple(change.address for change in plan.changes if change.is_import) if plan else (),
        checks=_checks(plan) if plan else (),
        findings=planned.inspected.findings,
    )


def _checks(plan: Plan) -> tuple[str, ...]:
    """Terraform's failed checks, masked; those that only the apply can evaluate are left out."""
    return tuple(
        plan.mask(": ".join((check.address, *check.problems)))
        for check in plan.checks
        if check.status in ("fail", "error")
    )

"""One job's part of a pull request planned: affected stacks, followers that may move, deleted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.ci.review.recording import Recorder
from orchestrator.ci.review.scope import Part, Scope
from orchestrator.engine.failures import failure
from orchestrator.engine.inspection import Inspect, inspect_nothing
from orchestrator.engine.planned import Planned
from orchestrator.engine.session import Session
from orchestrator.errors import ProjectError
from orchestrator.plan.drift import drift_in_diff
from orchestrator.plan.model import Plan
from orchestrator.project.affected import Chain
from orchestrator.report.model import StackReport
from orchestrator.report.review import Change, StackReview
from orchestrator.review.provisional import provisional
from orchestrator.review.volatile import find_volatile
from orchestrator.run.deleting import Deleted, plan_deleted
from orchestrator.run.pipeline import LAST_START, Request, plan_all
from orchestrator.run.rollout_options import RolloutOptions


def plan_part(session: Session, scope: Scope, part: Part, recorder: Recorder) -> tuple[StackReview, ...]:
    """Plan a part and record what reviewers will see of it. What goes wrong with a stack is its result."""
    context = session.context
    elsewhere = {one.id for one in scope.found.stacks if one.id not in part.stacks}
    inspect = recorder.watching(session)
    # What a pull request approves is what the rollout will do: interrupted applies are finished.
    rollout = RolloutOptions() if recorder.approves else None
    planned = plan_sound(session, (*part.stacks, *part.always), inspect, rollout)
    recorder.provisional = provisional(scope.project, _reports(planned), elsewhere)
    late = [id_ for id_ in part.followers if id_ in recorder.provisional]
    if late and not context.supervisor.interrupted:
        planned |= plan_sound(session, late, inspect, rollout)
    if recorder.approves:
        digests = {id_: one.inspected.digest for id_, one in planned.items() if one.inspected.digest}
        recorder.volatile = find_volatile(session, digests, inspect)
    gone: dict[str, Planned] = {}
    if part.deleted and scope.subject.base and not context.supervisor.interrupted:
        # What is only reported is not carried out, so there is nothing to forbid or to approve.
        watching = recorder.watching if recorder.destroys_deleted else lambda _: inspect_nothing
        gone = plan_deleted(session, [Deleted(one, scope.subject.base) for one in part.deleted], watching)
    changes, reasons = _changes(scope, part)
    ordered = {id_: planned[id_] for id_ in context.in_order(planned)} | gone
    reviews = tuple(
        _review(one, changes.get(id_, "changed"), reasons.get(id_, ()), recorder.provisional.get(id_, ()))
        for id_, one in ordered.items()
    )
    return recorder.record(session, scope, ordered, reviews)


def plan_sound(
    session: Session,
    stacks: Sequence[str],
    inspect: Inspect = inspect_nothing,
    rollout: RolloutOptions | None = None,
) -> dict[str, Planned]:
    """Plan stacks; one whose code cannot be planned at all, such as a circle, does not hide the others.

    With `rollout` interrupted applies are planned as a rollout finishes them.
    """
    broken = _broken(session, stacks)
    sound = tuple(id_ for id_ in stacks if id_ not in broken)
    return broken | plan_all(session, Request(sound, last_start=LAST_START, inspect=inspect, rollout=rollout))


def _broken(session: Session, stacks: Sequence[str]) -> dict[str, Planned]:
    context = session.context
    found: dict[str, Planned] = {}
    try:
        context.project.require(stacks)
    except ProjectError:
        for id_ in stacks:
            try:
                context.project.require([id_])
            except ProjectError as error:
                found[id_] = Planned(failure(session, context.project.stacks[id_], error))
                context.progress.done(found[id_].report)
    return found


def _reports(planned: Mapping[str, Planned]) -> dict[str, StackReport]:
    return {id_: one.report for id_, one in planned.items()}


def _changes(scope: Scope, part: Part) -> tuple[dict[str, Change], dict[str, tuple[Chain, ...]]]:
    """How the change touches each stack, and by which files."""
    changes: dict[str, Change] = {one.id: one.change for one in scope.found.stacks}
    changes |= dict.fromkeys((*part.followers, *part.always), "follower")
    changes |= {one.id: "deleted" for one in part.deleted}
    return changes, {one.id: one.reasons for one in scope.found.stacks}


def _review(
    planned: Planned, change: Change, reasons: tuple[Chain, ...], upstreams: tuple[str, ...]
) -> StackReview:
    plan = planned.plan
    return StackReview(
        planned.report,
        change,
        reasons,
        upstreams,
        drift=tuple(one.document() for one in drift_in_diff(plan)) if plan else (),
        imported=tuple(one.address for one in plan.changes if one.is_import) if plan else (),
        checks=_checks(plan) if plan else (),
        findings=planned.inspected.findings,
    )


def _checks(plan: Plan) -> tuple[str, ...]:
    """Terraform's own checks that do not hold, masked; what only the apply can tell is left out."""
    return tuple(
        plan.mask(": ".join((one.address, *one.problems)))
        for one in plan.checks
        if one.status in ("fail", "error")
    )

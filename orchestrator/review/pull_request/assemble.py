"""Joins the reports of all plan jobs into one review, and adds what only all of them together show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from orchestrator.engine.policy_inspection import check_limits
from orchestrator.forge.event import Event
from orchestrator.forge.owners import read_owners
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.repository.model import Finding
from orchestrator.review.provisional import find_provisional
from orchestrator.review.pull_request.guard_check import OpenReviewForge, check_guard
from orchestrator.review.pull_request.report_validation import ValidatedReports
from orchestrator.review.pull_request.scope import ChangeScope


def build_review(
    scope: ChangeScope,
    event: Event | None,
    stacks: Sequence[StackReview],
    *,
    findings: Sequence[Finding] = (),
    notes: Sequence[str] = (),
    heartbeat: str = "",
    run: str = "",
    seconds: float = 0.0,
) -> PlanReview:
    """Builds the review of a change from its planned stacks."""
    return PlanReview(
        repository=event.repository if event else "",
        pull_request=(event.pull_request if event else None) or 0,
        title=event.title if event else "",
        author=event.author if event else "",
        head=scope.planned.head,
        commit=scope.planned.commit,
        base=scope.planned.base or "",
        trunk=(event.base_ref if event else "") or scope.trunk,
        environments=scope.describe_environments(),
        stacks=tuple(stacks),
        findings=tuple(findings),
        notes=(*scope.notes, *notes),
        heartbeat=heartbeat,
        owners=_find_owners(scope, [stack.id for stack in stacks]),
        destroys_deleted=scope.rules.policy.deleted_stacks == "destroy",
        run=run,
        url=event.url if event else "",
        seconds=seconds,
    )


def _find_owners(scope: ChangeScope, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The owners of stacks by CODEOWNERS as trunk has it: its owners review the change."""
    owners = read_owners(scope.before or scope.project)
    if owners.rules.file is None:
        return {}
    folders = {stack.id: stack.path for stack in (*scope.deleted, *scope.project.stacks.values())}
    return {id_: owners.of_folder(folders[id_]) for id_ in ids if id_ in folders}


def join_reports(
    scope: ChangeScope,
    event: Event | None,
    validated_reports: ValidatedReports,
    expected: Collection[str] = (),
    only: str = "",
    open_host: OpenReviewForge | None = None,
) -> PlanReview:
    """Joins the parts of all jobs into one review of this head.

    `expected` are stacks that a job had to plan besides those that the change affects; expected stacks in no
    report are `unplanned`. `only` is the one stack that was requested. `open_host` opens the forge if there
    is one.
    """
    reports, stacks = validated_reports.reports, dict(validated_reports.stacks)
    expected_ids = {
        *(() if only else (*scope.part(scope.environments).expected, *expected)),
        *(id_ for report in reports for id_ in report.expected),
    }
    review = build_review(
        scope,
        event,
        _refined(scope, stacks),
        findings=tuple(
            dict.fromkeys(
                (
                    *(finding for report in reports for finding in report.review.findings),
                    # Changed rules are reported also where no job had anything to plan.
                    *check_guard(scope, event, open_host),
                    *_limits(scope, stacks.values()),
                )
            )
        ),
        notes=tuple(note for report in reports for note in report.review.notes),
        heartbeat=" ".join(
            dict.fromkeys(report.review.heartbeat for report in reports if report.review.heartbeat)
        ),
        run=next((report.review.run for report in reports), ""),
        seconds=max((report.review.seconds for report in reports), default=0.0),
    )
    return replace(
        review,
        notes=tuple(dict.fromkeys((*review.notes, *validated_reports.notes))),
        unplanned=tuple(_in_order(scope, expected_ids - stacks.keys())),
    )


def _limits(scope: ChangeScope, stacks: Iterable[StackReview]) -> tuple[Finding, ...]:
    """Checks the policy's limits over all stacks: no job sees more than its part."""
    policy = scope.rules.policy
    counted = [
        stack.report for stack in stacks if stack.change != "deleted" or policy.deleted_stacks == "destroy"
    ]
    return check_limits(counted, scope.environments, policy)


def _refined(scope: ChangeScope, stacks: dict[str, StackReview]) -> list[StackReview]:
    """Orders the stacks, and keeps only those provisional that still are, now that all plans are known."""
    reports = {id_: stack.report for id_, stack in stacks.items() if stack.change != "deleted"}
    moving = find_provisional(scope.project, reports)
    return [
        replace(
            stack_review,
            provisional=tuple(name for name in stack_review.provisional if name in moving.get(id_, ())),
        )
        for id_, stack_review in ((id_, stacks[id_]) for id_ in _in_order(scope, stacks))
    ]


def _in_order(scope: ChangeScope, stacks: Iterable[str]) -> list[str]:
    """Sorts stacks by environment in promotion order, then by id; deleted ones come last."""
    positions = {name: position for position, name in enumerate(scope.environments)}
    stacks_ = scope.project.stacks
    deleted = {stack.id: stack for stack in scope.deleted}

    def key(id_: str) -> tuple[bool, int, str]:
        stack = stacks_.get(id_) or deleted.get(id_)
        return id_ not in stacks_, positions.get(stack.environment if stack else "", len(positions)), id_

    return sorted(stacks, key=key)

"""Validates reports that plan jobs uploaded: of their own environment, of this head, in this run.

The job that wrote a report ran a pull request's code, so all of it may be forged. A report that does not fit
is rejected as a whole, and its stacks count as not planned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from orchestrator.forge.event import Event
from orchestrator.json_values import from_json
from orchestrator.report.model import COUNT_KEYS, StackReport
from orchestrator.report.review import StackReview
from orchestrator.review.attestation import RunObjects
from orchestrator.review.plan_reports import CollectedReports, PlanReport, may_report_on
from orchestrator.review.pull_request.scope import ChangeScope

_HASH = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"(\d+)-(\d+)", re.ASCII)


@dataclass(frozen=True)
class ValidatedReports:
    """The accepted reports, a note for each rejected one, and the stacks, each from one report."""

    reports: tuple[PlanReport, ...]
    notes: tuple[str, ...]
    stacks: Mapping[str, StackReview]


def validate_reports(
    scope: ChangeScope,
    event: Event | None,
    gathered: CollectedReports,
    only: str = "",
    objects: RunObjects | None = None,
) -> ValidatedReports:
    """Validates reports. `only` is the one stack that was requested, usually empty.

    `objects` are the plan objects in the bucket, None if nothing is attested.
    """
    reports: list[PlanReport] = []
    notes = list(gathered.notes)
    for report in gathered.reports:
        why = explain_rejection(scope, event, report, only)
        if why:
            notes.append(f"A report{_from(report)} was left out: {why}.")
        else:
            genuine, rejected = _genuine(_of_its_own(scope, report), objects)
            reports.append(genuine)
            notes += rejected
    stacks, disputed = _united(reports)
    notes += [f"What was told of {id_} was left out: two jobs tell of it." for id_ in disputed]
    return ValidatedReports(tuple(reports), tuple(notes), stacks)


def _genuine(report: PlanReport, objects: RunObjects | None) -> tuple[PlanReport, list[str]]:
    """Removes the stacks that do not match their plan object from a report; returns a note for each."""
    if objects is None:
        return report, []
    reasons = {stack.id: objects.explain_rejection(stack) for stack in report.review.stacks}
    stacks = tuple(stack for stack in report.review.stacks if not reasons[stack.id])
    notes = [
        f"What was told of {id_}{_from(report)} was left out: {why}." for id_, why in reasons.items() if why
    ]
    return replace(report, review=replace(report.review, stacks=stacks)), notes


def explain_rejection(scope: ChangeScope, event: Event | None, report: PlanReport, only: str) -> str:
    """Why a report is rejected, as a clause; empty if it is accepted."""
    review, environments = report.review, _environments_by_stack(scope)
    if (review.head, review.commit) != (scope.planned.head, scope.planned.commit):
        return "it is of another commit"
    if event and (review.pull_request != (event.pull_request or 0) or not _is_of_run(review.run, event.run)):
        return "it is of another pull request or run"
    if not all(
        name in scope.environments and may_report_on(report.artifact, name) for name in report.environments
    ):
        return "it speaks for another environment than its job's"
    if any(environments.get(stack.id, "") not in report.environments for stack in review.stacks):
        return "it tells of stacks of another environment, or of none"
    if any(environments[stack.id] != stack.environment for stack in review.stacks):
        return "it tells of stacks in another environment than theirs"
    if report.only != only:
        return "it is about one stack alone, and not that was asked for"
    if not all(_is_named(report, stack) for stack in review.stacks):
        return "it names no plan objects of its own run"
    return "" if all(map(_fits, review.stacks)) else "what it tells has not the form that it should have"


def _from(report: PlanReport) -> str:
    return f" in {report.artifact}" if report.artifact else f" about {', '.join(report.environments)}"


def _environments_by_stack(scope: ChangeScope) -> dict[str, str]:
    """Every stack, deleted ones included, with its environment."""
    return {stack.id: stack.environment for stack in (*scope.deleted, *scope.project.stacks.values())}


def _of_its_own(scope: ChangeScope, report: PlanReport) -> PlanReport:
    """A report with its expected stacks limited to its own environments."""
    environments = _environments_by_stack(scope)
    return replace(
        report,
        expected=tuple(id_ for id_ in report.expected if environments.get(id_, "") in report.environments),
    )


def _is_of_run(reported: str, run: str) -> bool:
    """Whether a run is this one: the same number, and this or an earlier attempt."""
    match, current = _RUN.fullmatch(reported), _RUN.fullmatch(run)
    if current is None:
        return True
    return match is not None and match[1] == current[1] and _attempt(reported) <= _attempt(run)


def _attempt(run: str) -> int:
    match = _RUN.fullmatch(run)
    # A number of a thousand digits is nobody's attempt, and Python would not read it.
    return int(match[2][:9]) if match else 0


def _is_named(report: PlanReport, stack: StackReview) -> bool:
    """Whether a stack's plan object is none at all, or one of this head, this pull request and this run."""
    if not (stack.object or stack.sha256):
        return True
    parts = PurePosixPath(stack.object).parts[-5:]
    expected = ("plans", str(report.review.pull_request), report.review.head, f"{report.review.run}.json")
    return (*parts[:3], *parts[4:]) == expected and _HASH.fullmatch(stack.sha256) is not None


def _united(reports: Sequence[PlanReport]) -> tuple[dict[str, StackReview], list[str]]:
    """Each stack from its newest attempt; and the stacks that one attempt reports in two ways."""
    stack_reviews: dict[str, dict[int, list[StackReview]]] = {}
    for report in reports:
        for stack in report.review.stacks:
            reviews = stack_reviews.setdefault(stack.id, {}).setdefault(_attempt(report.review.run), [])
            if stack not in reviews:
                reviews.append(stack)
    newest = {id_: attempts[max(attempts)] for id_, attempts in stack_reviews.items()}
    disputed = [id_ for id_, stack_reviews in newest.items() if len(stack_reviews) > 1]
    return {
        id_: stack_reviews[0] for id_, stack_reviews in newest.items() if len(stack_reviews) == 1
    }, disputed


# The dictionaries in a report, which are in the shape of `--json`


@dataclass(frozen=True)
class _Attribute:
    path: str
    before: Any
    after: Any
    sensitive: bool
    unknown: bool


@dataclass(frozen=True)
class _ReportedChange:
    address: str
    previous_address: str | None
    actions: tuple[str, ...]
    attributes: tuple[_Attribute, ...]


@dataclass(frozen=True)
class _Diagnostic:
    severity: str
    summary: str
    detail: str
    address: str | None
    file: str | None
    line: int | None


def _fits(stack: StackReview) -> bool:
    report = stack.report
    try:
        for diagnostic in (*report.changes, *stack.drift):
            from_json(_ReportedChange, diagnostic)
        for diagnostic in report.diagnostics:
            from_json(_Diagnostic, diagnostic)
    except ValueError:
        return False
    is_cost = report.cost is None or report.cost.is_valid
    return is_cost and _counts(report) and 0 <= report.seconds < math.inf


def _counts(report: StackReport) -> bool:
    return set(report.counts) == set(COUNT_KEYS) and all(number >= 0 for number in report.counts.values())

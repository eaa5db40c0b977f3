"""What is believed of a report: what its job can say of its own environment, of this head, in this run.

The job that wrote it ran a pull request's code, so all of it may be forged. What does not fit is left out
whole, and its stacks are then not planned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from orchestrator.ci.event import Event
from orchestrator.ci.reports import Gathered, PlanReport, speaks_for
from orchestrator.ci.review.scope import Scope
from orchestrator.ci.values import from_json
from orchestrator.report.model import COUNT_KEYS, StackReport
from orchestrator.report.review import StackReview
from orchestrator.review.attesting import RunObjects

_HASH = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"(\d+)-(\d+)", re.ASCII)


@dataclass(frozen=True)
class Believed:
    """The reports that count, a note for each that does not, and the stacks, each from one report."""

    reports: tuple[PlanReport, ...]
    notes: tuple[str, ...]
    stacks: Mapping[str, StackReview]


def believed(
    scope: Scope, event: Event | None, gathered: Gathered, only: str = "", objects: RunObjects | None = None
) -> Believed:
    """Sort out what is to be shown. `only` is the one stack that somebody asked for, empty as a rule.

    `objects` are what the plan jobs wrote into the bucket, None where nothing is attested.
    """
    kept: list[PlanReport] = []
    notes = list(gathered.notes)
    for one in gathered.reports:
        why = objection(scope, event, one, only)
        if why:
            notes.append(f"A report{_from(one)} was left out: {why}.")
        else:
            genuine, rejected = _genuine(_of_its_own(scope, one), objects)
            kept.append(genuine)
            notes += rejected
    stacks, disputed = _united(kept)
    notes += [f"What was told of {id_} was left out: two jobs tell of it." for id_ in disputed]
    return Believed(tuple(kept), tuple(notes), stacks)


def _genuine(one: PlanReport, objects: RunObjects | None) -> tuple[PlanReport, list[str]]:
    """A report without the stacks whose plan object says otherwise; and a note for each of them."""
    if objects is None:
        return one, []
    reasons = {stack.id: objects.objection(stack) for stack in one.review.stacks}
    stacks = tuple(stack for stack in one.review.stacks if not reasons[stack.id])
    notes = [
        f"What was told of {id_}{_from(one)} was left out: {why}." for id_, why in reasons.items() if why
    ]
    return replace(one, review=replace(one.review, stacks=stacks)), notes


def objection(scope: Scope, event: Event | None, one: PlanReport, only: str) -> str:
    """Why a report does not count, as a clause; empty when it does."""
    review, places = one.review, _places(scope)
    if (review.head, review.commit) != (scope.subject.head, scope.subject.commit):
        return "it is of another commit"
    if event and (review.pull_request != (event.pull_request or 0) or not _is_of_run(review.run, event.run)):
        return "it is of another pull request or run"
    if not all(name in scope.environments and speaks_for(one.artifact, name) for name in one.environments):
        return "it speaks for another environment than its job's"
    if any(places.get(stack.id, "") not in one.environments for stack in review.stacks):
        return "it tells of stacks of another environment, or of none"
    if any(places[stack.id] != stack.environment for stack in review.stacks):
        return "it tells of stacks in another environment than theirs"
    if one.only != only:
        return "it is about one stack alone, and not that was asked for"
    if not all(_is_named(one, stack) for stack in review.stacks):
        return "it names no plan objects of its own run"
    return "" if all(map(_fits, review.stacks)) else "what it tells has not the form that it should have"


def _from(one: PlanReport) -> str:
    return f" in {one.artifact}" if one.artifact else f" about {', '.join(one.environments)}"


def _places(scope: Scope) -> dict[str, str]:
    """Every stack that there is or was, with its environment."""
    return {one.id: one.environment for one in (*scope.deleted, *scope.project.stacks.values())}


def _of_its_own(scope: Scope, one: PlanReport) -> PlanReport:
    """A report with what a job was to plan, as far as that can be its."""
    places = _places(scope)
    return replace(
        one,
        expected=tuple(id_ for id_ in one.expected if places.get(id_, "") in one.environments),
    )


def _is_of_run(text: str, now: str) -> bool:
    """Whether a run is this one: the same number, and this or an earlier attempt."""
    told, here = _RUN.fullmatch(text), _RUN.fullmatch(now)
    if here is None:
        return True
    return told is not None and told[1] == here[1] and _attempt(text) <= _attempt(now)


def _attempt(run: str) -> int:
    found = _RUN.fullmatch(run)
    # A number of a thousand digits is nobody's attempt, and Python would not read it.
    return int(found[2][:9]) if found else 0


def _is_named(one: PlanReport, stack: StackReview) -> bool:
    """Whether a stack's plan object is none at all, or one of this head, this pull request and this run."""
    if not (stack.object or stack.sha256):
        return True
    parts = PurePosixPath(stack.object).parts[-5:]
    wanted = ("plans", str(one.review.pull_request), one.review.head, f"{one.review.run}.json")
    return (*parts[:3], *parts[4:]) == wanted and _HASH.fullmatch(stack.sha256) is not None


def _united(reports: Sequence[PlanReport]) -> tuple[dict[str, StackReview], list[str]]:
    """Each stack as its newest attempt tells of it; and those of which one attempt tells two things."""
    told: dict[str, dict[int, list[StackReview]]] = {}
    for one in reports:
        for stack in one.review.stacks:
            said = told.setdefault(stack.id, {}).setdefault(_attempt(one.review.run), [])
            if stack not in said:
                said.append(stack)
    newest = {id_: attempts[max(attempts)] for id_, attempts in told.items()}
    disputed = [id_ for id_, said in newest.items() if len(said) > 1]
    return {id_: said[0] for id_, said in newest.items() if len(said) == 1}, disputed


# The dictionaries in a report, which are in the shape of `--json`


@dataclass(frozen=True)
class _Attribute:
    path: str
    before: Any
    after: Any
    sensitive: bool
    unknown: bool


@dataclass(frozen=True)
class _Change:
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
        for one in (*report.changes, *stack.drift):
            from_json(_Change, one)
        for one in report.diagnostics:
            from_json(_Diagnostic, one)
    except ValueError:
        return False
    return _counts(report) and 0 <= report.seconds < math.inf


def _counts(report: StackReport) -> bool:
    return set(report.counts) == set(COUNT_KEYS) and all(number >= 0 for number in report.counts.values())

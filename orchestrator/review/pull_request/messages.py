"""Renders the review of a pull request: the comment, a check for each environment, the step summary."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.forge.model import Annotation, Level, NewCheck
from orchestrator.report import escape, markers, plan_comment
from orchestrator.report.comment import LIMIT
from orchestrator.report.escape import printable
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.repository.model import Finding, Severity

NOT_ATTESTED = "Nothing can be approved here"
SINGLE_STACK_MARKER = "<!-- infra:plan-one -->"
LEVELS: dict[Severity, Level] = {"error": "failure", "warning": "warning", "info": "notice"}
# A reader of a thousand remarks reads none; a message may have 64 KB, and nobody reads so much beside code.
MOST_ANNOTATIONS, LONGEST_ANNOTATION = 200, 4_000
# The forge takes no line beyond this.
LAST_LINE = 2**31 - 1


@dataclass(frozen=True)
class ReviewMessages:
    """`comment` is None for a pull request that affects nothing: `nothing` replaces one that is there.

    `summary` is for the job's own page, `marker` is the line that the comment is found by.
    """

    comment: str | None
    nothing: str
    checks: tuple[NewCheck, ...]
    summary: str
    marker: str = markers.PLAN


def check_name(environment: str) -> str:
    """The name of an environment's check, as branch protection requires it."""
    return f"infra/{environment}"


def render_messages(
    review: PlanReview,
    folder: str = "",
    *,
    again: Collection[str] = (),
    remembered: str = "",
    alone: bool = False,
) -> ReviewMessages:
    """The texts of a review; checks are on its head.

    `folder` is where the project lies in the repository. `again` are environments whose plan is another than
    the one that was approved. `remembered` is a hidden line for the comment's end. What was planned `alone`,
    since somebody requested one stack, gets a comment of its own and sets no check.
    """
    if alone:
        text = plan_comment.render_comment(review).replace(markers.PLAN, SINGLE_STACK_MARKER, 1)
        return ReviewMessages(text, text, (), plan_comment.render_step_summary(review), SINGLE_STACK_MARKER)
    names = [environment.name for environment in review.environments]
    checks = tuple(_check(review, name, folder, again=name in again) for name in names)
    return ReviewMessages(
        comment=_comment(review, remembered) if _has_content(review) else None,
        nothing=plan_comment.render_empty_comment(review),
        checks=checks,
        summary=plan_comment.render_step_summary(review),
    )


def _comment(review: PlanReview, remembered: str) -> str:
    limit = LIMIT - len(remembered.encode())
    return plan_comment.render_comment(review, limit=limit) + remembered


def _has_content(review: PlanReview) -> bool:
    """Whether there is anything that is worth a comment."""
    return bool(review.stacks or review.unplanned or review.findings)


def _check(review: PlanReview, environment: str, folder: str, *, again: bool) -> NewCheck:
    output = plan_comment.render_check(review, environment, review_again=again)
    return NewCheck(
        name=check_name(environment),
        head=review.head,
        # One that wants action would stay red when that was done: nothing posts it again after a review.
        conclusion="neutral" if output.conclusion == "action_required" else output.conclusion,
        title=output.title,
        summary=output.summary,
        text=output.text,
        url=review.url,
        annotations=_build_annotations(review, environment, folder),
    )


def mark_unapprovable(messages: ReviewMessages, reasons: Mapping[str, str]) -> ReviewMessages:
    """The messages with a red check for each environment whose plans nobody can approve, and why."""
    names = {check_name(environment): why for environment, why in reasons.items()}
    checks = tuple(
        replace(
            check,
            conclusion="failure",
            title=f"{NOT_ATTESTED}. {check.title}",
            summary=f"{NOT_ATTESTED}: {escape.text(names[check.name])}\n\n{check.summary}",
        )
        if check.name in names
        else check
        for check in messages.checks
    )
    return replace(messages, checks=checks)


def _build_annotations(review: PlanReview, environment: str, folder: str = "") -> tuple[Annotation, ...]:
    """An environment's remarks, each once; what is about the whole stands with the first environment only.

    `folder` is where the project lies in the repository.
    """
    part = plan_comment.select_environment(review, environment)
    first = review.environments[:1] == part.environments
    annotations = dict.fromkeys(
        [
            *(
                annotation
                for finding in (part.findings if first else ())
                for annotation in _of_finding(finding)
            ),
            *(annotation for stack in part.stacks for annotation in _of_stack(stack)),
        ]
    )
    placed = (
        replace(annotation, path=posixpath.normpath(posixpath.join(folder, annotation.path)))
        for annotation in annotations
    )
    # A path out of the repository is no file's, and the forge would refuse the check with it.
    return tuple(annotation for annotation in placed if not annotation.path.startswith(("..", "/")))[
        :MOST_ANNOTATIONS
    ]


def _of_stack(stack: StackReview) -> Iterator[Annotation]:
    for finding in stack.findings:
        yield from _of_finding(finding)
    for diagnostic in stack.report.diagnostics:
        if diagnostic.get("file"):
            level: Level = "warning" if diagnostic.get("severity") == "warning" else "failure"
            words = f"{diagnostic.get('summary') or ''}\n{diagnostic.get('detail') or ''}"
            yield _annotation(str(diagnostic["file"]), diagnostic.get("line"), level, words, stack.id)


def _of_finding(finding: Finding) -> Iterator[Annotation]:
    if finding.file:
        words = f"{finding.message}\n{finding.advice}"
        yield _annotation(finding.file, finding.line, LEVELS[finding.severity], words, finding.code)


def _annotation(path: str, line: int | None, level: Level, words: str, title: str) -> Annotation:
    text = printable(words.strip() or title, keep="\n\t")
    cut = text if len(text) <= LONGEST_ANNOTATION else text[: LONGEST_ANNOTATION - 1] + "…"
    at = line if line and 0 < line <= LAST_LINE else 1
    return Annotation(printable(path), at, level, cut, printable(title))

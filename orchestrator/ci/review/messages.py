"""What a pull request is told of its plans: the comment, a check for each environment, the step summary."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from orchestrator.ci.review.annotations import annotations_of
from orchestrator.hosts.model import NewCheck
from orchestrator.report import escape, markers, pull_request, summary
from orchestrator.report.review import Review

NOT_ATTESTED = "Nothing can be approved here"
ALONE = "<!-- infra:plan-one -->"


@dataclass(frozen=True)
class Messages:
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


def messages_of(
    review: Review,
    folder: str = "",
    *,
    again: Collection[str] = (),
    remembered: str = "",
    alone: bool = False,
) -> Messages:
    """The texts of a review; checks are on its head.

    `folder` is where the project lies in the repository. `again` are environments whose plan is another than
    the one that was approved. `remembered` is a hidden line for the comment's end. What was planned `alone`,
    since somebody asked for one stack, is told in a comment of its own and stands for no check.
    """
    if alone:
        text = pull_request.comment(review).replace(markers.PLAN, ALONE, 1)
        return Messages(text, text, (), summary.plan_summary(review), ALONE)
    names = [one.name for one in review.environments]
    checks = tuple(_check(review, name, folder, again=name in again) for name in names)
    return Messages(
        comment=_comment(review, remembered) if is_telling(review) else None,
        nothing=pull_request.nothing(review),
        checks=checks,
        summary=summary.plan_summary(review),
    )


def _comment(review: Review, remembered: str) -> str:
    limit = pull_request.LIMIT - len(remembered.encode())
    return pull_request.comment(review, limit=limit) + remembered


def is_telling(review: Review) -> bool:
    """Whether there is anything that is worth a comment."""
    return bool(review.stacks or review.unplanned or review.findings)


def _check(review: Review, environment: str, folder: str, *, again: bool) -> NewCheck:
    output = summary.check_output(review, environment, review_again=again)
    return NewCheck(
        name=check_name(environment),
        head=review.head,
        # One that wants action would stay red when that was done: nothing posts it anew after a review.
        conclusion="neutral" if output.conclusion == "action_required" else output.conclusion,
        title=output.title,
        summary=output.summary,
        text=output.text,
        url=review.url,
        annotations=annotations_of(review, environment, folder),
    )


def refused(messages: Messages, reasons: Mapping[str, str]) -> Messages:
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

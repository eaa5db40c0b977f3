"""A pull request's plans elsewhere than in its comment: step summary and checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from orchestrator.report.escape import folded, shortened, text
from orchestrator.report.pull_request import body
from orchestrator.report.pull_request_head import FAILURES, is_refused, verdict
from orchestrator.report.pull_request_table import environment_of
from orchestrator.report.review import Review

Conclusion = Literal["success", "failure", "action_required"]

SUMMARY_LIMIT = 1_048_576
CHECK_LIMIT = 65_535


class CheckOutput(NamedTuple):
    """What a check shows. `title` is plain text, the rest Markdown of at most 65,535 bytes each."""

    conclusion: Conclusion
    title: str
    summary: str
    text: str


def plan_summary(review: Review, limit: int = SUMMARY_LIMIT) -> str:
    """The whole text for the step summary, at most `limit` bytes: what the comment had to cut is here."""
    head = f"## Plan of pull request {review.pull_request}: {text(review.title)}"
    if not review.pull_request:
        head = "## Plan"
    return f"{head}\n\n{body(review, limit - len(head.encode()) - 2)}"


def of_environment(review: Review, environment: str) -> Review:
    """The part of a review that is about one environment."""
    return replace(
        review,
        environments=tuple(one for one in review.environments if one.name == environment),
        stacks=tuple(one for one in review.stacks if one.environment == environment),
        unplanned=tuple(one for one in review.unplanned if environment_of(review, one) == environment),
    )


def check_output(review: Review, environment: str, *, review_again: bool = False) -> CheckOutput:
    """The check of one environment.

    It fails when a stack there has no plan, or when a rule forbids something. `review_again` says that an
    approval is void, since the plan is another than the one that was approved.
    """
    part = of_environment(review, environment)
    again = "Review again: the plan is not the one that was approved. " if review_again else ""
    failed = part.unplanned or any(one.report.result in FAILURES or is_refused(one) for one in part.stacks)
    refused = any(one.severity == "error" for one in part.findings)
    conclusion: Conclusion = "success"
    if failed or refused:
        conclusion = "failure"
    elif review_again:
        conclusion = "action_required"
    title = shortened(folded(again + verdict(part)), 200)
    whole = body(part, CHECK_LIMIT)
    return CheckOutput(conclusion, title, f"**{again}{verdict(part)}**", whole)

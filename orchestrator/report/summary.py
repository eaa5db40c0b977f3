"""A pull request's plans elsewhere than in its comment: step summary, checks, statuses and annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from orchestrator.project.model import Finding
from orchestrator.report.escape import folded, shortened, text
from orchestrator.report.pull_request import body
from orchestrator.report.pull_request_head import FAILURES, changing, is_refused, verdict
from orchestrator.report.pull_request_table import environment_of
from orchestrator.report.review import Review

Level = Literal["notice", "warning", "failure"]
Conclusion = Literal["success", "failure", "action_required"]
LEVELS: Mapping[str, Level] = {"error": "failure", "warning": "warning", "info": "notice"}

SUMMARY_LIMIT = 1_048_576
CHECK_LIMIT = 65_535
STATUS_LENGTH = 140
# GitHub's limits for one annotation; its message may have 64 KB, and nobody reads so much beside code.
ANNOTATION_TITLE, ANNOTATION_MESSAGE = 255, 4_000


class CheckOutput(NamedTuple):
    """What a check shows. `title` is plain text, the rest Markdown of at most 65,535 bytes each."""

    conclusion: Conclusion
    title: str
    summary: str
    text: str


@dataclass(frozen=True)
class Remark:
    """A note beside a line of code; plain text. `path` is from the repository's root, `line` 1-based."""

    path: str
    line: int
    level: Level
    message: str
    title: str = ""


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


def status_text(review: Review, environment: str) -> tuple[Literal["success", "failure"], str]:
    """A commit status for one environment: its state, and at most 140 characters of plain text."""
    output = check_output(review, environment)
    state: Literal["success", "failure"] = "failure" if output.conclusion == "failure" else "success"
    return state, shortened(output.title, STATUS_LENGTH)


def remarks(review: Review) -> tuple[Remark, ...]:
    """Terraform's diagnostics and the findings of guard and policy that have a place, each once."""
    found: list[Remark] = []
    for stack in review.stacks:
        found += _of_diagnostics(stack.id, stack.report.diagnostics)
        found += _of_findings(stack.findings)
    found += _of_findings(review.findings)
    return tuple(dict.fromkeys(found))


def nothing_changes(review: Review, environment: str) -> bool:
    """True when a merge leaves an environment as it is, and all of it could be planned."""
    part = of_environment(review, environment)
    return not (changing(part) or part.unplanned or any(one.report.result in FAILURES for one in part.stacks))


def _of_diagnostics(stack: str, diagnostics: Iterable[Mapping[str, Any]]) -> Iterator[Remark]:
    for one in diagnostics:
        if one.get("file"):
            level: Level = "warning" if one.get("severity") == "warning" else "failure"
            told = (str(one.get("summary", "")), str(one.get("detail") or ""))
            yield _remark(str(one["file"]), one.get("line"), level, told, stack)


def _of_findings(findings: Sequence[Finding]) -> Iterator[Remark]:
    for one in findings:
        if one.file:
            yield _remark(one.file, one.line, LEVELS[one.severity], (one.message, one.advice), one.code)


def _remark(path: str, line: int | None, level: Level, told: Sequence[str], title: str) -> Remark:
    message = "\n".join(part.strip() for part in told if part.strip())
    return Remark(
        path, line or 1, level, message[:ANNOTATION_MESSAGE], shortened(folded(title), ANNOTATION_TITLE)
    )

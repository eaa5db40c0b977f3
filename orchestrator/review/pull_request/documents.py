"""Renders a review for programs: in the shape of `--json`, and its findings as SARIF."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from orchestrator.forge.model import NewCheck
from orchestrator.report.documents import finding_document
from orchestrator.report.findings import LintReport
from orchestrator.report.model import cost_documents, error_of, sum_by_environment
from orchestrator.report.review import PlanReview, StackReview
from orchestrator.review.pull_request.messages import ReviewMessages


def build_document(
    review: PlanReview,
    *,
    comment: str | None = None,
    messages: ReviewMessages | None = None,
    unpublished: Sequence[str] = (),
    report: str | None = None,
) -> dict[str, Any]:
    """The `--json` document of a review.

    `comment` is what happened to the comment, `messages` are the texts that are, or would be, posted.
    """
    return {
        "run": None,
        "pull_request": review.pull_request or None,
        "head": review.head,
        "commit": review.commit,
        "base": review.base or None,
        "stacks": [_stack(stack) for stack in review.stacks],
        "costs": cost_documents(sum_by_environment(stack.report for stack in review.stacks)),
        "unplanned": list(review.unplanned),
        "findings": [finding_document(finding) for finding in review.findings],
        "notes": [*review.notes, *([review.heartbeat] if review.heartbeat else [])],
        "reports": [asdict(report) for report in review.reports],
        "comment": comment,
        "body": messages.comment if messages else None,
        "checks": [_check(check) for check in messages.checks] if messages else [],
        "unpublished": list(unpublished),
        "report": report,
        "errors": [error_of(stack.report) for stack in review.stacks if stack.report.error_class],
    }


def render_sarif(review: PlanReview, folder: str = "") -> str:
    """The findings of guard and policy as SARIF; `folder` is the project's path in the repository."""
    from orchestrator.report.sarif import render

    every = dict.fromkeys(
        (*review.findings, *(finding for stack in review.stacks for finding in stack.findings))
    )
    placed = (
        replace(finding, file=posixpath.normpath(posixpath.join(folder, finding.file)))
        if finding.file
        else finding
        for finding in every
    )
    return render(LintReport(tuple(placed)))


def _stack(stack_review: StackReview) -> dict[str, Any]:
    return {
        **stack_review.report.document(),
        "findings": [finding_document(each) for each in stack_review.findings],
        "relation": stack_review.change,
        "reasons": [list(chain) for chain in stack_review.reasons],
        "provisional": list(stack_review.provisional),
        "drift": [dict(each) for each in stack_review.drift],
        "sha256": stack_review.sha256 or None,
    }


def _check(new_check: NewCheck) -> dict[str, Any]:
    return {
        "name": new_check.name,
        "head": new_check.head,
        "conclusion": new_check.conclusion,
        "title": new_check.title,
        "annotations": [asdict(each) for each in new_check.annotations],
    }

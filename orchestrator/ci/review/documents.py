"""A pull request's plans for programs: in the shape of `--json`, and its findings as SARIF."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from orchestrator.ci.review.messages import Messages
from orchestrator.hosts.model import NewCheck
from orchestrator.project.documents import finding_document
from orchestrator.report.findings import LintReport
from orchestrator.report.model import error_of
from orchestrator.report.review import Review, StackReview


def document(
    review: Review,
    *,
    comment: str | None = None,
    messages: Messages | None = None,
    not_told: Sequence[str] = (),
    report: str | None = None,
) -> dict[str, Any]:
    """A review as it stands in `--json`.

    `comment` says what became of the comment, `messages` are what is, or would be, posted.
    """
    return {
        "run": None,
        "pull_request": review.pull_request or None,
        "head": review.head,
        "commit": review.commit,
        "base": review.base or None,
        "stacks": [_stack(one) for one in review.stacks],
        "unplanned": list(review.unplanned),
        "findings": [finding_document(one) for one in review.findings],
        "notes": [*review.notes, *([review.heartbeat] if review.heartbeat else [])],
        "comment": comment,
        "body": messages.comment if messages else None,
        "checks": [_check(one) for one in messages.checks] if messages else [],
        "not_told": list(not_told),
        "report": report,
        "errors": [error_of(one.report) for one in review.stacks if one.report.error_class],
    }


def sarif(review: Review, folder: str = "") -> str:
    """What guard and policy found, as SARIF; `folder` is where the project lies in the repository."""
    from orchestrator.report.sarif import render

    every = dict.fromkeys((*review.findings, *(found for one in review.stacks for found in one.findings)))
    placed = (
        replace(one, file=posixpath.normpath(posixpath.join(folder, one.file))) if one.file else one
        for one in every
    )
    return render(LintReport(tuple(placed)))


def _stack(one: StackReview) -> dict[str, Any]:
    return {
        **one.report.document(),
        "findings": [finding_document(each) for each in one.findings],
        "change": one.change,
        "reasons": [list(chain) for chain in one.reasons],
        "provisional": list(one.provisional),
        "drift": [dict(each) for each in one.drift],
        "sha256": one.sha256 or None,
    }


def _check(one: NewCheck) -> dict[str, Any]:
    return {
        "name": one.name,
        "head": one.head,
        "conclusion": one.conclusion,
        "title": one.title,
        "annotations": [asdict(each) for each in one.annotations],
    }

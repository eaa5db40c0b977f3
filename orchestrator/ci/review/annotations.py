"""Remarks of a check on lines of files: findings of guard and policy, and what Terraform said."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.hosts.model import Annotation, Level
from orchestrator.project.model import Finding, Severity
from orchestrator.report import summary
from orchestrator.report.escape import printable
from orchestrator.report.review import Review, StackReview

LEVELS: dict[Severity, Level] = {"error": "failure", "warning": "warning", "info": "notice"}
# A reader of a thousand remarks reads none; a message may have 64 KB, and nobody reads so much beside code.
MOST, LONGEST = 200, 4_000
# The host takes no line beyond this.
LAST_LINE = 2**31 - 1


def annotations_of(review: Review, environment: str, folder: str = "") -> tuple[Annotation, ...]:
    """An environment's remarks, each once; what is about the whole stands with the first environment only.

    `folder` is where the project lies in the repository.
    """
    part = summary.of_environment(review, environment)
    first = review.environments[:1] == part.environments
    found = dict.fromkeys(
        [
            *(one for finding in (part.findings if first else ()) for one in _of_finding(finding)),
            *(one for stack in part.stacks for one in _of_stack(stack)),
        ]
    )
    placed = (replace(one, path=posixpath.normpath(posixpath.join(folder, one.path))) for one in found)
    # A path out of the repository is no file's, and the host would refuse the check with it.
    return tuple(one for one in placed if not one.path.startswith(("..", "/")))[:MOST]


def _of_stack(stack: StackReview) -> Iterator[Annotation]:
    for finding in stack.findings:
        yield from _of_finding(finding)
    for told in stack.report.diagnostics:
        if told.get("file"):
            level: Level = "warning" if told.get("severity") == "warning" else "failure"
            words = f"{told.get('summary') or ''}\n{told.get('detail') or ''}"
            yield _annotation(str(told["file"]), told.get("line"), level, words, stack.id)


def _of_finding(finding: Finding) -> Iterator[Annotation]:
    if finding.file:
        words = f"{finding.message}\n{finding.advice}"
        yield _annotation(finding.file, finding.line, LEVELS[finding.severity], words, finding.code)


def _annotation(path: str, line: int | None, level: Level, words: str, title: str) -> Annotation:
    text = printable(words.strip() or title, keep="\n\t")
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    at = line if line and 0 < line <= LAST_LINE else 1
    return Annotation(printable(path), at, level, cut, printable(title))

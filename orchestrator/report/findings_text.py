"""Findings of the linter as text."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.project.model import Finding
from orchestrator.report.findings import LintReport
from orchestrator.report.tables import markdown_row


def lines(report: LintReport) -> Iterator[str]:
    """Each finding with its place, its rule and what to do; then how many there are."""
    for one in report.findings:
        place = place_of(one)
        yield f"{one.severity} {place + ': ' if place else ''}{one.message}  [{one.code}]"
        for line in one.advice.strip().splitlines():
            yield f"  {line}"
    yield verdict(report)


def verdict(report: LintReport) -> str:
    """The last line."""
    words = (("error", "error"), ("warning", "warning"), ("info", "note"))
    told = ", ".join(
        f"{report.count(kind)} {word}{'' if report.count(kind) == 1 else 's'}" for kind, word in words
    )
    accepted = f"; {len(report.accepted)} accepted in infra.yaml" if report.accepted else ""
    others = f"; with {', '.join(report.tools)}" if report.tools else ""
    return f"{told}{accepted}{others}."


def markdown(report: LintReport) -> str:
    """The same for GitHub's step summary."""
    parts = ["## Lint", "", verdict(report)]
    if report.findings:
        parts += ["", markdown_row(("", "where", "what", "rule")), "|---|---|---|---|"]
        parts += [
            markdown_row((one.severity, place_of(one), one.message, f"`{one.code}`"))
            for one in report.findings
        ]
    return "\n".join(parts) + "\n"


def place_of(one: Finding) -> str:
    """`file:line` as far as it is known."""
    return ":".join(str(part) for part in (one.file, one.line) if part)

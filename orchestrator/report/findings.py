"""The result of linting: its model, and its text for a terminal and for a step summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Exit
from orchestrator.report.documents import finding_document, findings_fields
from orchestrator.report.tables import render_markdown_row
from orchestrator.repository.model import Finding


@dataclass(frozen=True)
class LintReport:
    """All findings in order. `accepted` are those that infra.yaml accepts, each with its reason.

    `tools` are the other linters that took part.
    """

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, str], ...] = ()
    tools: tuple[str, ...] = ()
    simulated: bool = False

    def exit_code(self, *, strict: bool) -> int:
        """1 when something is wrong; with `strict` warnings count too."""
        bad = {"error", "warning"} if strict else {"error"}
        return int(Exit.ERROR if any(finding.severity in bad for finding in self.findings) else Exit.OK)

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """The `--json` document except its version, which the writer adds."""
        return {
            "run": None,
            "stacks": [],
            "simulated": self.simulated,
            "tools": list(self.tools),
            "accepted": [{**finding_document(finding), "reason": why} for finding, why in self.accepted],
            **findings_fields(self.findings),
        }


def render_lines(report: LintReport) -> Iterator[str]:
    """Each finding with its place, its rule and what to do; then how many there are."""
    for finding in report.findings:
        location = format_location(finding)
        yield f"{finding.severity} {location + ': ' if location else ''}{finding.message}  [{finding.code}]"
        for line in finding.advice.strip().splitlines():
            yield f"  {line}"
    yield render_verdict(report)


def render_verdict(report: LintReport) -> str:
    """The last line."""
    words = (("error", "error"), ("warning", "warning"), ("info", "note"))
    counts = ", ".join(
        f"{report.count(kind)} {word}{'' if report.count(kind) == 1 else 's'}" for kind, word in words
    )
    accepted = f"; {len(report.accepted)} accepted in infra.yaml" if report.accepted else ""
    tools = f"; with {', '.join(report.tools)}" if report.tools else ""
    return f"{counts}{accepted}{tools}."


def render_markdown(report: LintReport) -> str:
    """The same for GitHub's step summary."""
    parts = ["## Lint", "", render_verdict(report)]
    if report.findings:
        parts += ["", render_markdown_row(("", "where", "what", "rule")), "|---|---|---|---|"]
        parts += [
            render_markdown_row(
                (finding.severity, format_location(finding), finding.message, f"`{finding.code}`")
            )
            for finding in report.findings
        ]
    return "\n".join(parts) + "\n"


def format_location(finding: Finding) -> str:
    """`file:line` as far as it is known."""
    return ":".join(str(part) for part in (finding.file, finding.line) if part)

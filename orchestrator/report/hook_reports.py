"""Renders what report hooks wrote: each in a part of its own that says who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.report.escape import code, html_code, text
from orchestrator.report.fitting import DocumentPart
from orchestrator.report.markdown import details
from orchestrator.report.review import HookReport
from orchestrator.report.untrusted_markdown import render_untrusted

AUTHORS = {
    "base": "Written by a program of trunk; infra has not checked it.",
    "head": "Written by code of this pull request; infra has not checked it.",
}


def render_reports(reports: Iterable[HookReport]) -> Iterator[DocumentPart]:
    """Each report as a part that opens on a click, or in one line what went wrong with it."""
    for report in reports:
        owner = report.stack or report.environment
        if report.problem:
            line = f"✗ Report {code(report.name)} of {code(owner)}: {text(report.problem)}."
            yield DocumentPart(line, line)
            continue
        body = render_untrusted(report.markdown) or "It is empty."
        whole = details(
            f"Report {html_code(report.name)} of {html_code(owner)}",
            f"<sub>{AUTHORS[report.code]}</sub>\n\n{body}",
        )
        short = f"The report {code(report.name)} of {code(owner)} does not fit in here."
        yield DocumentPart(whole, short, body.count("\n") + 1)

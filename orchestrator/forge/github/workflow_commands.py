"""Renders GitHub Actions annotations: `::error file=…,line=…::message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.report.modules import ModulesReport
from orchestrator.repository.model import Finding

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render_modules(report: ModulesReport) -> Iterator[str]:
    """An annotation for each problem, and for each module without a test."""
    for module in report.by_attention():
        problems = module.all_problems
        for problem in problems:
            message = f"{problem.summary}\n{problem.detail}".strip()
            yield render_annotation("error", message, problem.file or module.id, problem.line, module.id)
        if module.result not in ("passed", "interrupted") and not problems:
            level = "error" if report.is_wrong(module) else "warning"
            yield render_annotation(level, module.reason or module.result, module.id, None, module.id)


def render_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """An annotation for each finding."""
    for finding in findings:
        message = f"{finding.message}\n{finding.advice}".strip()
        yield render_annotation(LEVELS[finding.severity], message, finding.file, finding.line, finding.code)


def render_annotation(level: str, message: str, file: str | None, line: int | None, title: str) -> str:
    """One workflow command, escaped as GitHub requires."""
    properties = {"file": file, "line": str(line) if line else None, "title": title}
    values = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level} {values}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

"""Lines that GitHub Actions shows beside the code: `::error file=…,line=…::message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.project.model import Finding
from orchestrator.report.modules import ModulesReport

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def of_modules(report: ModulesReport) -> Iterator[str]:
    """One for each problem, and for each module that was not tested or tests nothing."""
    for module in report.by_attention():
        problems = module.all_problems
        for problem in problems:
            told = f"{problem.summary}\n{problem.detail}".strip()
            yield annotation("error", told, problem.file or module.id, problem.line, module.id)
        if module.result not in ("passed", "interrupted") and not problems:
            yield annotation("error", module.reason or module.result, module.id, None, module.id)


def of_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """One for each finding."""
    for one in findings:
        told = f"{one.message}\n{one.advice}".strip()
        yield annotation(LEVELS[one.severity], told, one.file, one.line, one.code)


def annotation(level: str, message: str, file: str | None, line: int | None, title: str) -> str:
    """One workflow command; what would end a value is escaped as GitHub wants it."""
    given = {"file": file, "line": str(line) if line else None, "title": title}
    values = ",".join(f"{name}={_property(value)}" for name, value in given.items() if value)
    return f"::{level} {values}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

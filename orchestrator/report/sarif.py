"""Findings as SARIF 2.1.0, which GitHub's code scanning and editors show."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from orchestrator import __version__
from orchestrator.project.model import Finding
from orchestrator.report.findings import LintReport

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: LintReport) -> str:
    """The document; what infra.yaml accepts is in it as suppressed, with the reason."""
    every = [*report.findings, *(finding for finding, _ in report.accepted)]
    rules = sorted({one.code for one in every})
    results = [_result(one, rules) for one in report.findings]
    for finding, reason in report.accepted:
        suppression = {"kind": "external", "status": "accepted", "justification": reason}
        results.append({**_result(finding, rules), "suppressions": [suppression]})
    driver = {"name": "infra", "version": __version__, "rules": [{"id": rule} for rule in rules]}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(one: Finding, rules: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rules.index(one.code),
        "level": LEVELS[one.severity],
        "message": {"text": f"{one.message} {one.advice}".strip()},
    }
    if one.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(one.file), "uriBaseId": "%SRCROOT%"}}
        place["region"] = {"startLine": one.line or 1}
        result["locations"] = [{"physicalLocation": place}]
    return result

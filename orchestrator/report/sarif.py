"""Findings as SARIF 2.1.0, which GitHub's code scanning and editors show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from orchestrator import __version__
from orchestrator.config import FILE_NAME
from orchestrator.report.findings import LintReport
from orchestrator.repository.model import Finding

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
# The longest text of a rule that code scanning takes, in characters.
LONGEST = 1_000
# The longest name of a rule, in characters.
LONGEST_NAME = 255
# The most results of one run that code scanning takes; it shows the first 5,000 by severity.
MOST_RESULTS = 25_000
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: LintReport) -> str:
    """The document. Findings that infra.yaml accepts are suppressed in it, with the reason.

    Of more than MOST_RESULTS findings the least severe are left out, accepted ones first, and a notification
    says how many: code scanning would refuse the whole document.
    """
    every = [*report.findings, *(finding for finding, _ in report.accepted)]
    first_of = {finding.code: finding for finding in reversed(every)}
    rules = {rule: index for index, rule in enumerate(sorted(first_of))}
    findings = report.findings
    if len(findings) > MOST_RESULTS:
        findings = tuple(
            sorted(findings, key=lambda finding: list(LEVELS).index(finding.severity))[:MOST_RESULTS]
        )
    accepted = report.accepted[: MOST_RESULTS - len(findings)]
    results = [_result(finding, rules) for finding in findings]
    for finding, reason in accepted:
        suppression = {"kind": "external", "status": "accepted", "justification": reason}
        results.append({**_result(finding, rules), "suppressions": [suppression]})
    driver = {"name": "infra", "version": __version__, "rules": [_rule(first_of[rule]) for rule in rules]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    if omitted := len(every) - len(results):
        text = f"{omitted} findings are left out: code scanning takes {MOST_RESULTS} at most."
        notification = {"level": "warning", "message": {"text": text}}
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [notification]}]
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(example: Finding) -> dict[str, Any]:
    """A rule with the texts that code scanning shows beside its alerts; it refuses rules without them."""
    words = example.code.replace(":", ": ").replace("-", " ")
    title = f"{words[:1].upper()}{words[1:LONGEST_NAME]}"
    return {
        "id": example.code,
        "name": example.code[:LONGEST_NAME],
        "shortDescription": {"text": title},
        "fullDescription": {"text": f"{title}: a rule of infra for Terraform code and plans."},
        "help": {
            "text": example.advice.strip()[:LONGEST] or "`infra lint` and `infra guard` explain each finding."
        },
        "defaultConfiguration": {"level": LEVELS[example.severity]},
        "properties": {"tags": ["infrastructure", "terraform"]},
    }


def _result(finding: Finding, rules: Mapping[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rules[finding.code],
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {finding.advice}".strip()},
    }
    # Code scanning refuses a result without a location: what is about no file is shown at infra.yaml.
    location: dict[str, Any] = {
        "artifactLocation": {"uri": quote(finding.file or FILE_NAME), "uriBaseId": "%SRCROOT%"}
    }
    location["region"] = {"startLine": finding.line or 1}
    return {**result, "locations": [{"physicalLocation": location}]}

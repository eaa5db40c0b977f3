"""Drift as JUnit XML: a suite for each environment, a case for each stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.drift import text as words
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.report.junit import add_element, new_document, render_document

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def render(report: DriftReport) -> str:
    """The document. Drift is a failure, a check that failed is an error, a stack not reached is skipped."""
    suites: dict[str, list[StackDrift]] = {}
    for stack in report.stacks:
        suites.setdefault(stack.environment, []).append(stack)
    counts = {name: count for name, count in _counts(report.stacks).items() if name != "skipped"}
    root = new_document(name="infra drift", **counts, time=f"{report.run.seconds:.3f}")
    for name, stacks in suites.items():
        suite = add_element(root, "testsuite", name=name, **_counts(stacks))
        for stack in stacks:
            _add_case(suite, stack)
    return render_document(root)


def _counts(stacks: Sequence[StackDrift]) -> dict[str, int]:
    return {
        "tests": len(stacks),
        "failures": sum(stack.result == "drifted" for stack in stacks),
        "errors": sum(stack.failed for stack in stacks),
        "skipped": sum(stack.result not in ("clean", "drifted") and not stack.failed for stack in stacks),
    }


def _add_case(suite: Element, stack: StackDrift) -> None:
    case = add_element(
        suite, "testcase", classname=stack.environment, name=stack.id, time=f"{stack.seconds:.3f}"
    )
    if stack.result == "clean":
        return
    if stack.result == "drifted":
        lines = [f"{resource.address} {words.describe_change(resource)}" for resource in stack.loud]
        lines += [
            f"  {attribute.category}: {words.format_attribute(attribute)}"
            for resource in stack.loud
            for attribute in resource.loud
        ]
        message = f"{stack.severity}: {words.format_counts(stack)}"
        add_element(case, "failure", "\n".join(lines), message=message)
    elif stack.failed:
        add_element(case, "error", stack.advice, message=stack.reason)
    else:
        add_element(case, "skipped", message=stack.reason)

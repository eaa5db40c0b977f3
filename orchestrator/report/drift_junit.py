"""Drift as JUnit XML, which CI systems show: a suite for each environment, a case for each stack."""

from __future__ import annotations

from orchestrator.report import drift_words as words
from orchestrator.report.drift import DriftReport, StackDrift
from orchestrator.report.junit import attributes, content


def render(report: DriftReport) -> str:
    """The document. Drift is a failure, a check that failed an error, one whose time had not come skipped."""
    suites: dict[str, list[StackDrift]] = {}
    for stack in report.stacks:
        suites.setdefault(stack.environment, []).append(stack)
    head = attributes(name="infra drift", **_counts(report.stacks), time=f"{report.run.seconds:.3f}")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{head}>"]
    for name, stacks in suites.items():
        lines.append(f"  <testsuite{attributes(name=name, **_counts(stacks))}>")
        lines += [_case(stack) for stack in stacks]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _counts(stacks: tuple[StackDrift, ...] | list[StackDrift]) -> dict[str, int]:
    return {
        "tests": len(stacks),
        "failures": sum(one.result == "drifted" for one in stacks),
        "errors": sum(one.failed for one in stacks),
        "skipped": sum(one.result not in ("clean", "drifted") and not one.failed for one in stacks),
    }


def _case(stack: StackDrift) -> str:
    head = attributes(classname=stack.environment, name=stack.id, time=f"{stack.seconds:.3f}")
    if stack.result == "clean":
        return f"    <testcase{head}/>"
    if stack.result == "drifted":
        told = [f"{one.address} {words.happened(one)}" for one in stack.loud]
        told += [
            f"  {part.category}: {words.attribute_words(part)}" for one in stack.loud for part in one.loud
        ]
        message = f"{stack.severity}: {words.counts_words(stack)}"
        inner = f"<failure{attributes(message=message)}>{content(chr(10).join(told))}</failure>"
    elif stack.failed:
        inner = f"<error{attributes(message=stack.reason)}>{content(stack.advice)}</error>"
    else:
        inner = f"<skipped{attributes(message=stack.reason)}/>"
    return f"    <testcase{head}>{inner}</testcase>"

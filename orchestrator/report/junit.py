"""Tested modules as JUnit XML, which CI systems show: a suite for each module, a case for each run."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from orchestrator.report.modules import CheckedModule, CheckedRun, ModulesReport, Problem

# XML 1.0 has no way to write these.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def render(report: ModulesReport) -> str:
    """The document."""
    suites = [_suite(module) for module in report.modules]
    head = attributes(
        name="infra test",
        tests=sum(cases for cases, _, _ in map(_counts, report.modules)),
        failures=sum(failed for _, failed, _ in map(_counts, report.modules)),
        time=f"{report.run.seconds:.3f}",
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{head}>", *suites, "</testsuites>"]
    return "\n".join(lines) + "\n"


def _counts(module: CheckedModule) -> tuple[int, int, int]:
    """Cases, failures and skipped of a module; what is wrong with the module itself is a case of its own."""
    own = int(_is_own_case(module))
    return len(module.runs) + own, module.count("fail", "error") + own, module.count("skip")


def _is_own_case(module: CheckedModule) -> bool:
    return module.result != "passed" and (bool(module.problems) or not module.count("fail", "error"))


def _suite(module: CheckedModule) -> str:
    cases, failures, skipped = _counts(module)
    head = attributes(
        name=module.id, tests=cases, failures=failures, skipped=skipped, time=f"{module.seconds:.3f}"
    )
    parts = [f"  <testsuite{head}>"]
    parts += [_case(module, run) for run in module.runs]
    if _is_own_case(module):
        told = "\n".join([module.reason, *map(_told, module.problems)]).strip()
        failure = f"<failure{attributes(message=module.reason or module.result)}>{content(told)}</failure>"
        head = attributes(classname=module.id, name=module.result, time="0.000")
        parts.append(f"    <testcase{head}>{failure}</testcase>")
    return "\n".join([*parts, "  </testsuite>"])


def _case(module: CheckedModule, run: CheckedRun) -> str:
    where = {"file": run.file, **({"line": run.line} if run.line else {})}
    head = attributes(
        classname=f"{module.id}/{run.file.removeprefix(module.id + '/')}",
        name=run.name,
        time=f"{run.seconds:.3f}",
        **where,
    )
    if run.status == "pass":
        return f"    <testcase{head}/>"
    if run.status == "skip":
        return f"    <testcase{head}><skipped/></testcase>"
    message = run.problems[0].summary if run.problems else run.status
    told = "\n\n".join(map(_told, run.problems))
    return f"    <testcase{head}><failure{attributes(message=message)}>{content(told)}</failure></testcase>"


def _told(problem: Problem) -> str:
    head = f"{problem.place}: {problem.summary}" if problem.place else problem.summary
    return f"{head}\n{problem.detail}".strip()


def attributes(**values: object) -> str:
    """Attributes of an element, each with a space before it."""
    return "".join(f" {name}={quoteattr(_clean(str(value)))}" for name, value in values.items())


def content(text: str) -> str:
    """Text inside an element."""
    return escape(_clean(text))


def _clean(text: str) -> str:
    return UNWRITABLE.sub("?", text)

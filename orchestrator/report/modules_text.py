"""Tested modules as text: for a terminal, as Markdown for a step summary, and as JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchestrator.report.junit import add_element, new_document, render_document
from orchestrator.report.modules import CheckedModule, CheckedRun, ModuleProblem, ModulesReport
from orchestrator.report.tables import render_markdown_row, render_plain_table

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

HEAD = ("module", "result", "runs", "time", "")


def render_lines(report: ModulesReport) -> Iterator[str]:
    """The whole report: a table, what went wrong, a verdict."""
    if report.modules:
        yield from render_plain_table([HEAD, *(_row(module) for module in report.by_attention())], right=(3,))
    for details in _sections(report):
        yield ""
        yield from details
    if report.modules:
        yield ""
    yield from report.notes
    yield render_verdict(report)


def render_verdict(report: ModulesReport) -> str:
    """The last line: how many modules ended in which way."""
    if not report.modules:
        return "Nothing to test: no module differs from trunk. `infra test --all` tests every one."
    counts: dict[str, int] = {}
    for module in report.by_attention():
        counts[module.result] = counts.get(module.result, 0) + 1
    results = ", ".join(f"{count} {result}" for result, count in counts.items())
    runs = sum(len(module.runs) for module in report.modules)
    total = f"{len(report.modules)} module{'' if len(report.modules) == 1 else 's'}"
    return f"{total}, {runs} runs: {results} in {report.run.seconds:.1f} s"


def render_markdown(report: ModulesReport) -> str:
    """The same for GitHub's step summary."""
    parts = ["## Module tests", "", render_verdict(report), ""]
    if report.modules:
        parts += [render_markdown_row(HEAD), "|---|---|---|---:|---|"]
        parts += [render_markdown_row(_row(module)) for module in report.by_attention()]
    for details in _sections(report):
        parts += ["", "```text", *details, "```"]
    parts += ["", *report.notes]
    return "\n".join(parts).rstrip("\n") + "\n"


def render_junit(report: ModulesReport) -> str:
    """JUnit XML: a suite for each module, a case for each run.

    What is wrong with a module itself is a case of its own.
    """
    counts = [_junit_counts(module, is_wrong=report.is_wrong(module)) for module in report.modules]
    root = new_document(
        name="infra test",
        tests=sum(count["tests"] for count in counts),
        failures=sum(count["failures"] for count in counts),
        time=f"{report.run.seconds:.3f}",
    )
    for module, count in zip(report.modules, counts, strict=True):
        suite = add_element(root, "testsuite", name=module.id, **count, time=f"{module.seconds:.3f}")
        for run in module.runs:
            _add_junit_case(suite, module, run)
        if _has_own_case(module):
            case = add_element(suite, "testcase", classname=module.id, name=module.result, time="0.000")
            text = "\n".join([module.reason, *map(_junit_text, module.problems)]).strip()
            kind = "failure" if report.is_wrong(module) or module.result == "interrupted" else "skipped"
            add_element(case, kind, text, message=module.reason or module.result)
    return render_document(root)


def _junit_counts(module: CheckedModule, *, is_wrong: bool) -> dict[str, int]:
    own = int(_has_own_case(module))
    fails = own if is_wrong or module.result == "interrupted" else 0
    return {
        "tests": len(module.runs) + own,
        "failures": module.count("fail", "error") + fails,
        "skipped": module.count("skip") + own - fails,
    }


def _has_own_case(module: CheckedModule) -> bool:
    return module.result != "passed" and (bool(module.problems) or not module.count("fail", "error"))


def _add_junit_case(suite: Element, module: CheckedModule, run: CheckedRun) -> None:
    location = {"file": run.file, **({"line": run.line} if run.line else {})}
    case = add_element(
        suite,
        "testcase",
        classname=f"{module.id}/{run.file.removeprefix(module.id + '/')}",
        name=run.name,
        time=f"{run.seconds:.3f}",
        **location,
    )
    if run.status == "skip":
        add_element(case, "skipped")
    elif run.status != "pass":
        message = run.problems[0].summary if run.problems else run.status
        add_element(case, "failure", "\n\n".join(map(_junit_text, run.problems)), message=message)


def _junit_text(problem: ModuleProblem) -> str:
    head = f"{problem.location}: {problem.summary}" if problem.location else problem.summary
    return f"{head}\n{problem.detail}".strip()


def _row(module: CheckedModule) -> Sequence[str]:
    failed = module.count("fail", "error")
    skipped = module.count("skip")
    runs = f"{module.count('pass')} of {len(module.runs)} passed" if module.runs else ""
    if skipped:
        runs += f", {skipped} skipped" if not failed else f", {failed} failed, {skipped} skipped"
    time = "cached" if module.cached else f"{module.seconds:.1f} s" if module.seconds else ""
    return (module.id, module.result, runs, time, module.reason.partition("\n")[0])


def _sections(report: ModulesReport) -> Iterator[Sequence[str]]:
    """What went wrong in the modules; one section for those in which the same went wrong."""
    sections: dict[tuple[str, ...], list[str]] = {}
    for module in report.by_attention():
        if module.result != "passed":
            key = (module.result, *_details(module))
            sections.setdefault(key, []).append(module.id)
    for (result, *details), ids in sections.items():
        yield [f"── {', '.join(ids)}: {result}", *details]


def _details(module: CheckedModule) -> Iterator[str]:
    """What went wrong in one module, each problem with its location and once."""
    for problem in dict.fromkeys(module.problems):
        yield from _problem(problem.location, problem.summary, problem.detail)
    failed = [run for run in module.runs if run.status in ("fail", "error")]
    for problems in dict.fromkeys(run.problems for run in failed):
        yield from (_run(run) for run in failed if run.problems == problems)
        for problem in dict.fromkeys(problems):
            for line in _problem(problem.location, problem.summary, problem.detail):
                yield f"  {line}"
    if module.advice:
        yield f"→ {module.advice}"


def _run(run: CheckedRun) -> str:
    location = f"{run.file}:{run.line}" if run.line else run.file
    return f"{location}: run {run.name!r}: {run.status}"


def _problem(location: str, summary: str, detail: str) -> Iterator[str]:
    yield f"{location}: {summary}" if location else summary
    for line in detail.strip("\n").splitlines():
        yield f"  {line}".rstrip()

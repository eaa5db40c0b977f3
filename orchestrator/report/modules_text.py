"""Tested modules as text: for a terminal, and as Markdown for a step summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.report.modules import CheckedModule, CheckedRun, ModulesReport
from orchestrator.report.tables import markdown_row, plain_table

HEAD = ("module", "result", "runs", "time", "")


def lines(report: ModulesReport) -> Iterator[str]:
    """The whole report: a table, what went wrong, a verdict."""
    if report.modules:
        yield from plain_table([HEAD, *(_row(one) for one in report.by_attention())], right=(3,))
    for module in report.by_attention():
        yield from _details(module)
    if report.modules:
        yield ""
    yield from report.notes
    yield verdict(report)


def verdict(report: ModulesReport) -> str:
    """The last line: how many modules ended in which way."""
    if not report.modules:
        return "Nothing to test: no module differs from trunk. `infra test --all` tests every one."
    counts: dict[str, int] = {}
    for module in report.by_attention():
        counts[module.result] = counts.get(module.result, 0) + 1
    told = ", ".join(f"{count} {result}" for result, count in counts.items())
    runs = sum(len(module.runs) for module in report.modules)
    total = f"{len(report.modules)} module{'' if len(report.modules) == 1 else 's'}"
    return f"{total}, {runs} runs: {told} in {report.run.seconds:.1f} s"


def markdown(report: ModulesReport) -> str:
    """The same for GitHub's step summary."""
    parts = ["## Module tests", "", verdict(report), ""]
    if report.modules:
        parts += [markdown_row(HEAD), "|---|---|---|---:|---|"]
        parts += [markdown_row(_row(one)) for one in report.by_attention()]
    for module in report.by_attention():
        details = list(_details(module))[1:]
        if details:
            parts += ["", "```text", *details, "```"]
    parts += ["", *report.notes]
    return "\n".join(parts).rstrip("\n") + "\n"


def _row(module: CheckedModule) -> Sequence[str]:
    failed = module.count("fail", "error")
    skipped = module.count("skip")
    runs = f"{module.count('pass')} of {len(module.runs)} passed" if module.runs else ""
    if skipped:
        runs += f", {skipped} skipped" if not failed else f", {failed} failed, {skipped} skipped"
    time = "kept" if module.kept else f"{module.seconds:.1f} s" if module.seconds else ""
    return (module.id, module.result, runs, time, module.reason.partition("\n")[0])


def _details(module: CheckedModule) -> Iterator[str]:
    """What went wrong in one module, each with its place."""
    if module.result == "passed":
        return
    yield ""
    yield f"── {module.id}: {module.result}"
    for problem in module.problems:
        yield from _problem(problem.place, problem.summary, problem.detail)
    for run in module.runs:
        yield from _run(run)
    if module.advice:
        yield f"→ {module.advice}"


def _run(run: CheckedRun) -> Iterator[str]:
    if run.status not in ("fail", "error"):
        return
    place = f"{run.file}:{run.line}" if run.line else run.file
    yield f"{place}: run {run.name!r}: {run.status}"
    for problem in run.problems:
        for line in _problem(problem.place, problem.summary, problem.detail):
            yield f"  {line}"


def _problem(place: str, summary: str, detail: str) -> Iterator[str]:
    yield f"{place}: {summary}" if place else summary
    for line in detail.strip("\n").splitlines():
        yield f"  {line}".rstrip()

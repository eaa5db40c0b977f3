"""Drift as people read it in a terminal: a table, then each stack by its attributes, then the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.plan.drift_model import DriftedResource
from orchestrator.report import drift_words as words
from orchestrator.report.console import diagnostic_text
from orchestrator.report.drift import DriftReport, DriftResult, Severity, StackDrift
from orchestrator.report.words import first_line

STYLES: dict[DriftResult, str] = {
    "drifted": "bold red",
    "blocked": "bold red",
    "unchecked": "bold yellow",
    "skipped": "dim",
    "destroyed": "dim",
    "clean": "green",
}
SEVERITY_STYLES: dict[Severity, str] = {"high": "bold red", "medium": "yellow", "low": "", "": "dim"}


def render(report: DriftReport, *, show_ignored: bool = False) -> Iterator[RenderableType]:
    """The whole report, piece by piece."""
    if not report.stacks:
        yield Text("Nothing to check: there is no stack.")
        return
    yield table(report)
    for stack in report.by_attention():
        yield from details(stack, show_ignored=show_ignored)
    yield Text("")
    for line in words.findings(report):
        yield Text(line)
    yield Text(f"{words.verdict(report)} in {report.run.seconds:.1f} s", style="bold")


def table(report: DriftReport) -> Table:
    """One line a stack: result, severity, classes, since when, why it could not be checked."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("stack", "result", "severity"):
        grid.add_column(name, no_wrap=True)
    for name in ("attributes", "since", ""):
        grid.add_column(name, overflow="fold")
    for stack in report.by_attention():
        why = first_line(stack.reason) or (f"pending: {stack.pending}" if stack.pending else "")
        grid.add_row(
            Text(stack.id),
            Text(stack.result, style=STYLES[stack.result]),
            Text(stack.severity or "", style=SEVERITY_STYLES[stack.severity]),
            Text(words.counts_words(stack)),
            Text(words.since_words(stack)),
            Text(why, style="dim"),
        )
    return grid


def details(stack: StackDrift, *, show_ignored: bool) -> Iterator[RenderableType]:
    """What differs in one stack, with what was and what is."""
    shown = stack.resources if show_ignored else stack.loud
    waiting = [one for one in stack.resources if one.is_waiting and one not in shown]
    if not (shown or waiting or stack.failed or stack.ended or stack.outputs or stack.notes):
        return
    yield Text("")
    yield Text(f"── {stack.id}: {stack.result} ", style=STYLES[stack.result])
    if stack.failed:
        yield Text(stack.reason)
        for diagnostic in stack.diagnostics:
            yield diagnostic_text(diagnostic)
    for resource in (*shown, *waiting):
        yield resource_text(resource, show_ignored=show_ignored)
    yield from (Text(line, style="dim") for line in notes(stack, show_ignored=show_ignored))
    if stack.advice and stack.failed:
        yield Text(f"→ {stack.advice}")


def notes(stack: StackDrift, *, show_ignored: bool) -> Iterator[str]:
    """What is said below the resources of a stack."""
    yield from stack.notes
    if stack.outputs:
        yield f"Outputs that an apply would change: {', '.join(stack.outputs)}."
    if stack.ended:
        yield f"It drifted until now: {stack.ended}."
    left_out = "" if show_ignored else words.hidden_words(stack)
    if left_out:
        yield left_out


def resource_text(resource: DriftedResource, *, show_ignored: bool) -> Text:
    """One resource: what happened to it, then each attribute with its class."""
    text = Text("~ " if resource.kind == "changed" else "- " if resource.kind == "deleted" else "! ")
    text.append(resource.address, style="bold")
    text.append(f"  {words.happened(resource)}")
    told = words.told_by(resource)
    if told:
        text.append(f", {told}", style="dim")
    if resource.rule:
        text.append(f"  (covered: {resource.rule.reason})", style="dim")
    for one in resource.attributes if show_ignored else resource.loud:
        text.append(f"\n    {words.attribute_words(one)}")
        meaning = f"covered: {one.rule.reason}" if one.rule else words.MEANING[one.category]
        text.append(f"  [{one.category}: {meaning}]", style="dim")
    return text

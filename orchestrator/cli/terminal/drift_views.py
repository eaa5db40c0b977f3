"""Renders drift for a terminal: the report of a check, the last checks, and the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.terminal.tables import make_table
from orchestrator.drift import text as words
from orchestrator.drift.heartbeat import describe_heartbeat
from orchestrator.drift.history import (
    DriftFigures,
    StackHistory,
    compute_figures,
    duration_of,
    format_duration,
)
from orchestrator.drift.model import DriftedResource
from orchestrator.drift.report import DriftReport, DriftResult, Severity, StackDrift
from orchestrator.report.console import render_diagnostic
from orchestrator.report.words import first_line, plural
from orchestrator.state.drift_store import Heartbeat

STYLES: dict[DriftResult, str] = {
    "drifted": "bold red",
    "blocked": "bold red",
    "unchecked": "bold yellow",
    "skipped": "dim",
    "destroyed": "dim",
    "clean": "green",
}
SEVERITY_STYLES: dict[Severity, str] = {"high": "bold red", "medium": "yellow", "low": "", "": "dim"}


def drift_view(report: DriftReport, *, show_ignored: bool = False) -> Iterator[RenderableType]:
    """Renders the report of one check: a table, the attributes that differ, and the verdict."""
    if not report.stacks:
        yield Text("Nothing to check: there is no stack.")
        return
    yield _summary_table(report)
    for stack in report.by_attention():
        yield from _details(stack, show_ignored=show_ignored)
    yield Text("")
    for line in words.list_findings(report):
        yield Text(line)
    yield Text(f"{words.render_verdict(report)} in {report.run.seconds:.1f} s", style="bold")


def _summary_table(report: DriftReport) -> Table:
    """One row for each stack: result, severity, classes, start, and why it could not be checked."""
    columns = ("stack", "result", "severity", "attributes", "since", "")
    table = make_table(*columns, whole=columns[:3])
    for stack in report.by_attention():
        why = first_line(stack.reason) or (f"pending: {stack.pending}" if stack.pending else "")
        table.add_row(
            Text(stack.id),
            Text(stack.result, style=STYLES[stack.result]),
            Text(stack.severity or "", style=SEVERITY_STYLES[stack.severity]),
            Text(words.format_counts(stack)),
            Text(words.describe_since(stack)),
            Text(why, style="dim"),
        )
    return table


def _details(stack: StackDrift, *, show_ignored: bool) -> Iterator[RenderableType]:
    """The attributes of one stack that differ, with old and new values."""
    resources = stack.resources if show_ignored else stack.loud
    waiting = [resource for resource in stack.resources if resource.is_waiting and resource not in resources]
    if not (resources or waiting or stack.failed or stack.ended or stack.outputs or stack.notes):
        return
    yield Text("")
    yield Text(f"── {stack.id}: {stack.result} ", style=STYLES[stack.result])
    if stack.failed:
        yield Text(stack.reason)
        for diagnostic in stack.diagnostics:
            yield render_diagnostic(diagnostic)
    for resource in (*resources, *waiting):
        yield _resource_text(resource, show_ignored=show_ignored)
    yield from (Text(line, style="dim") for line in _notes(stack, show_ignored=show_ignored))
    if stack.advice and stack.failed:
        yield Text(f"→ {stack.advice}")


def _notes(stack: StackDrift, *, show_ignored: bool) -> Iterator[str]:
    """Lines printed below the resources of a stack."""
    yield from stack.notes
    if stack.outputs:
        yield f"Outputs that an apply would change: {', '.join(stack.outputs)}."
    if stack.ended:
        yield f"It drifted until now: {stack.ended}."
    left_out = "" if show_ignored else words.describe_hidden(stack)
    if left_out:
        yield left_out


def _resource_text(resource: DriftedResource, *, show_ignored: bool) -> Text:
    """One resource: what happened to it, and each attribute with its class."""
    text = Text("~ " if resource.kind == "changed" else "- " if resource.kind == "deleted" else "! ")
    text.append(resource.address, style="bold")
    text.append(f"  {words.describe_change(resource)}")
    author = words.describe_author(resource)
    if author:
        text.append(f", {author}", style="dim")
    if resource.rule:
        text.append(f"  (covered: {resource.rule.reason})", style="dim")
    for attribute in resource.attributes if show_ignored else resource.loud:
        text.append(f"\n    {words.format_attribute(attribute)}")
        meaning = f"covered: {attribute.rule.reason}" if attribute.rule else words.MEANING[attribute.category]
        text.append(f"  [{attribute.category}: {meaning}]", style="dim")
    return text


def drift_history_view(stacks: Sequence[StackHistory], now: datetime) -> Iterator[RenderableType]:
    """Renders `infra drift history`: periods of drift, the newest first, and statistics."""
    table = make_table("stack", "began", "lasted", "ended", "what", whole=("stack",))
    rows = sorted(
        ((episode, stack.id) for stack in stacks for episode in stack.episodes), key=lambda row: row[0].began
    )
    for episode, id_ in reversed(rows):
        ended = f"{episode.how}, {episode.ended[:16]}" if episode.ended else "it lasts"
        what = ", ".join(f"{resource.address} {resource.category}" for resource in episode.resources)
        lasted = format_duration(duration_of(episode, now))
        table.add_row(Text(id_), Text(episode.began[:16]), Text(lasted), Text(ended), Text(what))
    if rows:
        yield table
        yield Text("")
    yield from _figures_view(compute_figures(stacks, now))


def _figures_view(numbers: DriftFigures) -> Iterator[RenderableType]:
    """One line for each statistic."""
    yield Text(
        f"{plural(numbers.stacks, 'stack')}, {numbers.checked} checked, {numbers.drifted} in drift now"
    )
    if numbers.mean_time is not None:
        ended = ", ".join(f"{number} {how}" for how, number in numbers.endings.items())
        mean = format_duration(numbers.mean_time)
        yield Text(
            f"{plural(numbers.episodes, 'time')} in drift, {mean} on average{f'; {ended}' if ended else ''}"
        )
    for stack, address, number in numbers.offenders:
        yield Text(f"  {number} times: {stack} {address}")


def last_check_view(
    stacks: Sequence[StackHistory], beats: Sequence[tuple[str, Heartbeat | None]]
) -> Iterator[RenderableType]:
    """Renders `infra drift --last`: results of the last checks, and when each environment was checked."""
    table = make_table("stack", "result", "severity", "checked", "since", "", whole=("stack",))
    for stack in stacks:
        since = stack.episodes[0].began[:16] if stack.drifts else ""
        result = stack.result or "never checked"
        cells = (stack.id, result, stack.severity, stack.checked_at[:16], since, stack.reason)
        table.add_row(*map(Text, cells))
    if stacks:
        yield table
        yield Text("")
    for name, beat in beats:
        yield Text(f"{name}: {describe_heartbeat(beat)}")

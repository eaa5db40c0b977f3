"""How status, history and the versions of a state are printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.terminal.tables import make_table
from orchestrator.report.history import (
    HistoryRun,
    StateVersion,
    format_counts,
    format_serials,
    format_stacks,
    format_version,
)
from orchestrator.report.status import (
    WORDS,
    PromotionStatus,
    StackStatus,
    StatusKind,
    format_applied,
    format_drift,
    format_size,
    format_state,
    list_notes,
    render_verdict,
)
from orchestrator.state.records import short_commit

# Characters of a commit's subject in a table.
MOST_SUBJECT = 60
STYLES: dict[StatusKind, str] = {
    "unreadable": "bold red",
    "blocked": "bold red",
    "unfinished": "bold red",
    "running": "cyan",
    "deleted": "yellow",
    "pending": "yellow",
    "unrecorded": "yellow",
    "destroyed": "dim",
    "new": "dim",
    "up-to-date": "green",
}


def status_view(
    stacks: Sequence[StackStatus], promotions: Sequence[PromotionStatus] = ()
) -> Iterator[RenderableType]:
    """A table of stacks, what is special about some of them, where promotion stops, then the verdict.

    Checks for drift and owners have a column where a stack has some.
    """
    has_checks, has_owners = any(stack.drift for stack in stacks), any(stack.owners for stack in stacks)
    optional = (*(["drift"] if has_checks else []), *(["owners"] if has_owners else []))
    columns = ("stack", "status", "applied", "state", *optional)
    table = make_table(*columns, whole=("stack",))
    for stack in stacks:
        table.add_row(
            Text(stack.id),
            Text(WORDS[stack.status], style=STYLES[stack.status]),
            Text(format_applied(stack.applied)),
            Text(format_state(stack.state), style="dim"),
            *([Text(format_drift(stack.drift), style=_drift_style(stack))] if has_checks else []),
            *([Text(" ".join(stack.owners), style="dim")] if has_owners else []),
        )
    if stacks:
        yield table
        yield Text("")
    for stack in stacks:
        lines = list_notes(stack)
        if lines:
            yield Text(stack.id, style="bold")
        for line in lines:
            yield Text(f"  {line}", style="cyan" if line.startswith("→") else "")
    if any(list_notes(stack) for stack in stacks):
        yield Text("")
    lines = [promotion.line for promotion in promotions if promotion.line]
    for line in lines:
        yield Text(line, style="yellow")
    if lines:
        yield Text("")
    yield Text(render_verdict(stacks), style="bold")


def _drift_style(stack: StackStatus) -> str:
    return "yellow" if stack.drift and stack.drift.result == "drifted" else "dim"


def run_history_view(runs: Sequence[HistoryRun]) -> Iterator[RenderableType]:
    """A table of runs, the newest first."""
    if not runs:
        yield Text("The ledger has no run.")
        return
    table = make_table("run", "command", "result", "changes", "commit", "by", "took", whole=("run",))
    for run in runs:
        subject = textwrap.shorten(run.subject, MOST_SUBJECT, placeholder="…")
        commit = " ".join(part for part in (short_commit(run.commit), subject) if part)
        by = ", ".join(part for part in (run.person, run.pull_request, run.trigger) if part)
        table.add_row(
            Text(run.id),
            Text(run.command),
            Text(format_stacks(run), style="red" if run.went_wrong else ""),
            Text(format_counts(run.counts)),
            Text(commit),
            Text(by),
            Text(f"{run.seconds:.0f} s", style="dim"),
        )
    yield table
    for run in runs:
        if run.problem:
            yield Text(f"{run.id}: {run.problem}", style="red")
        if run.break_glass:
            yield Text(f"{run.id}: break-glass: {run.break_glass}", style="yellow")


def run_view(run: HistoryRun) -> Iterator[RenderableType]:
    """One run with all its stacks."""
    yield Text(run.id, style="bold")
    for name, value in (
        ("command", run.command),
        ("trigger", run.trigger),
        ("commit", f"{run.commit} {run.subject}".strip()),
        ("by", run.person),
        ("pull request", run.pull_request),
        ("started", run.started),
        ("took", f"{run.seconds:.1f} s"),
        ("link", run.link),
        ("break-glass", run.break_glass or ""),
    ):
        if value:
            yield Text(f"  {name}: {value}")
    yield Text("")
    table = make_table("stack", "result", "changes", "serial", "took", "", whole=("stack",))
    for id, stack in run.stacks.items():
        table.add_row(
            Text(id),
            Text(stack.result, style="red" if stack.result in ("failed", "interrupted") else ""),
            Text(format_counts(stack.counts)),
            Text(format_serials(stack)),
            Text(f"{stack.seconds:.1f} s", style="dim"),
            Text(stack.reason),
        )
    yield table
    for id, stack in run.stacks.items():
        for name in stack.forgotten:
            yield Text(f"{id}: left alone, and in no state: {name}", style="yellow")


def versions_view(versions: Sequence[StateVersion], *, has_history: bool) -> Iterator[RenderableType]:
    """The versions of a state, the newest first."""
    table = make_table(
        "version", "serial", "written", "run", "size", "resources", "", whole=("version", "run")
    )
    for version in versions:
        table.add_row(
            Text(version.generation, style="bold" if version.live else ""),
            Text("?" if version.serial is None else str(version.serial)),
            Text(version.written),
            Text(version.run or "not by infra", style="" if version.run else "dim"),
            Text(format_size(version.size), style="dim"),
            Text("?" if version.resources is None else str(version.resources)),
            Text(format_version(version)),
        )
    yield table
    if not has_history:
        yield Text("Older versions are not kept there.", style="dim")

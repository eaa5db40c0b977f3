"""How status, history and the versions of a state are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.views import grid
from orchestrator.report.history import (
    HistoryRun,
    StateVersion,
    counts_words,
    serials_words,
    stacks_words,
    version_words,
)
from orchestrator.report.status import (
    WORDS,
    PromotionStatus,
    StackStatus,
    Standing,
    applied_words,
    notes,
    size_words,
    state_words,
    verdict,
)
from orchestrator.state.records import short_commit

STYLES: dict[Standing, str] = {
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
    """A table of stacks, what is special about some of them, where promotion stops, then the verdict."""
    table = grid("stack", "standing", "applied", "state")
    for one in stacks:
        table.add_row(
            Text(one.id),
            Text(WORDS[one.standing], style=STYLES[one.standing]),
            Text(applied_words(one.applied)),
            Text(state_words(one.state), style="dim"),
        )
    if stacks:
        yield table
        yield Text("")
    for one in stacks:
        lines = notes(one)
        if lines:
            yield Text(one.id, style="bold")
        for line in lines:
            yield Text(f"  {line}", style="cyan" if line.startswith("→") else "")
    if any(notes(one) for one in stacks):
        yield Text("")
    lines = [one.line for one in promotions if one.line]
    for line in lines:
        yield Text(line, style="yellow")
    if lines:
        yield Text("")
    yield Text(verdict(stacks), style="bold")


def history_view(runs: Sequence[HistoryRun]) -> Iterator[RenderableType]:
    """A table of runs, the newest first."""
    if not runs:
        yield Text("The ledger knows of no run.")
        return
    table = grid("run", "command", "result", "changes", "commit", "by", "took")
    for run in runs:
        commit = " ".join(part for part in (short_commit(run.commit), run.subject) if part)
        by = ", ".join(part for part in (run.person, run.pull_request, run.trigger) if part)
        table.add_row(
            Text(run.id),
            Text(run.command),
            Text(stacks_words(run), style="red" if run.went_wrong else ""),
            Text(counts_words(run.counts)),
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
    """One run, whole."""
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
    table = grid("stack", "result", "changes", "serial", "took", "")
    for id, one in run.stacks.items():
        table.add_row(
            Text(id),
            Text(one.result, style="red" if one.result in ("failed", "interrupted") else ""),
            Text(counts_words(one.counts)),
            Text(serials_words(one)),
            Text(f"{one.seconds:.1f} s", style="dim"),
            Text(one.reason),
        )
    yield table
    for id, one in run.stacks.items():
        for name in one.forgotten:
            yield Text(f"{id}: left alone, and in no state: {name}", style="yellow")


def versions_view(versions: Sequence[StateVersion], *, kept: bool) -> Iterator[RenderableType]:
    """The versions of a state, the newest first."""
    table = grid("version", "serial", "written", "run", "size", "resources", "")
    for one in versions:
        table.add_row(
            Text(one.generation, style="bold" if one.live else ""),
            Text("?" if one.serial is None else str(one.serial)),
            Text(one.written),
            Text(one.run or "not by infra", style="" if one.run else "dim"),
            Text(size_words(one.size), style="dim"),
            Text("?" if one.resources is None else str(one.resources)),
            Text(version_words(one)),
        )
    yield table
    if not kept:
        yield Text("Older versions are not kept there.", style="dim")

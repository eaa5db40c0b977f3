"""Renders a run for a terminal: Terraform's diffs, a table, and a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.report.model import Result, RunReport, StackReport, sum_by_environment
from orchestrator.report.words import first_line, format_changes, format_cost, format_costs, format_totals
from orchestrator.repository.model import Finding

# A terminal on which a column of words would get fewer characters than this shows a block for each row.
NARROWEST_COLUMN = 12
UNLIMITED = 10_000
_WORD = re.compile(r"\S+")
Detail = Literal["full", "short", "none"]
# Terraform's signs by the actions of a change.
SIGNS = {
    ("create",): "+",
    ("update",): "~",
    ("delete",): "-",
    ("delete", "create"): "-/+",
    ("create", "delete"): "+/-",
    ("read",): "<=",
    ("forget",): ".",
}
# Results whose cause is shown whatever detail is requested.
FAILED_RESULTS: frozenset[Result] = frozenset({"failed", "mismatch", "blocked", "interrupted", "locked"})
# Stacks of a group that are named.
NAMED = 3
STYLES: Mapping[Result, str] = {
    "failed": "bold red",
    "mismatch": "bold red",
    "blocked": "bold red",
    "interrupted": "bold red",
    "locked": "bold yellow",
    "unchecked": "bold yellow",
    "aborted": "yellow",
    "waiting": "yellow",
    "skipped": "dim",
    "changed": "bold",
    "applied": "green",
    "destroyed": "green",
    "unchanged": "dim",
}


def render(
    report: RunReport, detail: Detail = "full", *, with_table: bool = True
) -> Iterator[RenderableType]:
    """The whole report, piece by piece, in the order in which it is printed.

    Details come first, so that the table and the totals of many stacks stand above the prompt. What is the
    same in several stacks is shown once.
    """
    if not report.stacks:
        yield Text("Nothing to do: no stack is affected.")
        return
    for stacks in _group_equal(report.by_attention()):
        yield from render_details(stacks, detail)
    if with_table:
        yield Text("")
        yield _render_table(report)
    for note in (*_list_waiting_notes(report), *report.notes):
        yield Text(note)
    costs = sum_by_environment(report.stacks)
    if costs:
        yield Text(f"Monthly cost: {format_costs(costs)}.")
    yield render_verdict(report)


class FittingTable(Table):
    """A table without borders that prints one block for each row where the terminal has no room for it.

    Columns that are squeezed to a few letters say nothing, and a cell of a column with `no_wrap` is never
    broken, since people copy it. A pipe and a wider terminal get the table.
    """

    def __init__(self) -> None:
        super().__init__(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._least_width(console, options) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for first, *cells in zip(*(column.cells for column in self.columns), strict=True):
            yield Text("", no_wrap=True, overflow="ignore").append_text(_as_text(first))
            for column, cell in zip(self.columns[1:], cells, strict=True):
                if not cell:
                    continue
                text = Text(f"{column.header}: " if column.header else "", style="dim")
                text.append_text(_as_text(cell))
                for line in wrap_words(text, options.max_width - 2):
                    yield Text("  ", no_wrap=True, overflow="ignore").append_text(line)

    def _least_width(self, console: Console, options: ConsoleOptions) -> int:
        """The fewest characters a line at which every column can be read."""
        unlimited = options.update(max_width=UNLIMITED)
        width = 0
        for column in self.columns:
            cells = (column.header, *column.cells)
            natural = max(Measurement.get(console, unlimited, cell).maximum for cell in cells)
            width += natural if column.no_wrap else min(natural, NARROWEST_COLUMN)
        return width + self.padding[1] * (len(self.columns) - 1)


def wrap_words(text: Text, width: int) -> Iterator[Text]:
    """The lines of a text, wrapped between words; a word longer than `width` stays whole."""
    for line in text.split("\n", allow_blank=True) or [text]:
        for part in line.divide(_line_starts(line.plain, width)):
            part.rstrip()
            yield part


def _line_starts(line: str, width: int) -> list[int]:
    """Where a line has to go on in the next one, in characters: at the start of a word."""
    starts = [0]
    for word in _WORD.finditer(line):
        is_first = not line[starts[-1] : word.start()].strip()
        if not is_first and cell_len(line[starts[-1] : word.end()]) > width:
            starts.append(word.start())
    return starts[1:]


def _as_text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def _list_waiting_notes(report: RunReport) -> list[str]:
    """The advice for waiting stacks, without duplicates."""
    return list(dict.fromkeys(stack.advice for stack in report.stacks if stack.result == "waiting"))


def _render_table(report: RunReport) -> Table:
    """One line a stack: result, counts, time, and why."""
    grid = FittingTable()
    grid.add_column("stack", no_wrap=True)
    grid.add_column("result", no_wrap=True)
    grid.add_column("changes", overflow="fold")
    has_cost = any(stack.cost for stack in report.stacks)
    if has_cost:
        grid.add_column("cost/month", justify="right", overflow="fold")
    grid.add_column("time", justify="right", no_wrap=True)
    grid.add_column("", overflow="fold")
    for stack in report.by_attention():
        grid.add_row(
            Text(stack.id),
            Text(stack.result, style=STYLES[stack.result]),
            Text(format_changes(stack)),
            *([Text(format_cost(stack.cost) if stack.cost else "")] if has_cost else []),
            Text(f"{stack.seconds:.1f} s" if stack.seconds else ""),
            Text(first_line(stack.reason) or _forbidden(stack), style="dim"),
        )
    return grid


def _forbidden(stack: StackReport) -> str:
    return "the policy does not let it be applied" if stack.is_forbidden else ""


def _group_equal(stacks: Iterable[StackReport]) -> list[list[StackReport]]:
    """Stacks whose details are the same, in the order of the first of each group."""
    groups: dict[str, list[StackReport]] = {}
    for stack in stacks:
        details = (stack.result, stack.diff, stack.diagnostics, stack.findings, stack.notes, stack.advice)
        groups.setdefault(repr((details, stack.reason)), []).append(stack)
    return list(groups.values())


def render_details(stacks: Sequence[StackReport], detail: Detail = "full") -> Iterator[RenderableType]:
    """The details of stacks that have the same: diagnostics, diff, findings, notes, and the next command.

    With `short` only the addresses of a diff are shown, with `none` only what failed.
    """
    stack = stacks[0]
    # The table already contains everything about a stack that was not reached.
    unreached = stack.result in ("waiting", "aborted")
    if unreached or not (stack.diff or stack.diagnostics or stack.advice or stack.notes or stack.findings):
        return
    if detail == "none" and not (stack.diagnostics or stack.findings or stack.result in FAILED_RESULTS):
        return
    yield Text("")
    yield Text(f"── {_names(stacks)}: {stack.result} ", style=STYLES[stack.result])
    if stack.reason and not (stack.diff or stack.diagnostics):
        yield Text(stack.reason)
    for number, diagnostic in enumerate(stack.diagnostics):
        if number:
            yield Text("")
        yield render_diagnostic(diagnostic)
    if stack.diff and detail == "full":
        yield _render_diff(stack.diff)
    elif stack.diff and detail == "short":
        yield _render_addresses(stack)
    for finding in stack.findings:
        yield _render_finding(finding)
    for note in stack.notes:
        yield Text(note, style="dim")
    if stack.advice:
        yield Text(f"→ {stack.advice}")


def _names(stacks: Sequence[StackReport]) -> str:
    """The ids of a group of stacks; of many the first and how many there are."""
    if len(stacks) == 1:
        return stacks[0].id
    named = ", ".join(stack.id for stack in stacks[:NAMED])
    more = f" and {len(stacks) - NAMED} more" if len(stacks) > NAMED else ""
    return f"{named}{more}, the same in {len(stacks)} stacks"


def _render_addresses(stack: StackReport) -> Text:
    """One line for each changed resource: the sign of its action and its address."""
    text = Text()
    for change in stack.changes:
        sign = SIGNS.get(tuple(change["actions"]), "~")
        text.append(f"  {sign} {change['address']}\n", style=_style_of_line(sign))
    for name in stack.outputs:
        text.append(f"  ~ output {name}\n", style=_style_of_line("~"))
    text.rstrip()
    return text


def _render_finding(finding: Finding) -> Text:
    """A policy finding with its rule, its location and its advice."""
    severe = finding.severity == "error"
    text = Text("Forbidden: " if severe else "Warning: ", style="bold red" if severe else "bold yellow")
    text.append(finding.message, style="bold")
    text.append(f"  [{finding.code}]", style="dim")
    if finding.file:
        location = f"{finding.file}:{finding.line}" if finding.line else finding.file
        text.append(f"\n  on {location}", style="dim")
    if severe and finding.advice:
        text.append(f"\n  {finding.advice}")
    return text


def _render_diff(diff: str) -> Text:
    """Terraform's diff, each line in the colour of its action."""
    text = Text()
    for line in diff.rstrip("\n").splitlines():
        text.append(line + "\n", style=_style_of_line(line))
    text.rstrip()
    return text


def _style_of_line(line: str) -> str:
    """The style of one line of a diff, by its sign."""
    sign = line.lstrip()[:3]
    if sign.startswith(("-/+", "+/-")):
        return "bold red"
    return {"+": "green", "-": "red", "~": "yellow", "#": "bold", "<": "cyan"}.get(sign[:1], "")


def render_diagnostic(diagnostic: Mapping[str, Any]) -> Text:
    """One of Terraform's diagnostics, whole, with its file and line."""
    severe = diagnostic.get("severity") != "warning"
    text = Text("Error: " if severe else "Warning: ", style="bold red" if severe else "bold yellow")
    text.append(str(diagnostic.get("summary", "")), style="bold")
    location = ":".join(str(part) for part in (diagnostic.get("file"), diagnostic.get("line")) if part)
    address = diagnostic.get("address")
    where = ", ".join(part for part in (location, f"with {address}" if address else "") if part)
    if where:
        text.append(f"\n  on {where}", style="dim")
    detail = str(diagnostic.get("detail") or "").strip("\n")
    if detail:
        text.append("\n" + "\n".join(f"  {line}" if line else "" for line in detail.splitlines()), style="")
    return text


def render_verdict(report: RunReport) -> Text:
    """The last line: how many stacks ended in which way."""
    by_result: dict[Result, int] = {}
    for stack in report.by_attention():
        by_result[stack.result] = by_result.get(stack.result, 0) + 1
    total = f"{len(report.stacks)} stack" + ("" if len(report.stacks) == 1 else "s")
    text = Text(f"{total}: ", style="bold")
    text.append_text(
        _joined(Text(f"{count} {result}", style=STYLES[result]) for result, count in by_result.items())
    )
    text.append(f" in {report.run.seconds:.1f} s")
    totals = format_totals(report.stacks)
    return text.append(f"; {totals}") if totals else text


def _joined(parts: Iterable[Text]) -> Text:
    return Text(", ").join(parts)

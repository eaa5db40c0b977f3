"""A run as people read it in a terminal: each diff as Terraform shows it, then a table, then the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.project.model import Finding
from orchestrator.report.model import Result, RunReport, StackReport
from orchestrator.report.words import changes_in_words, counts_in_words, first_line

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


def render(report: RunReport) -> Iterator[RenderableType]:
    """The whole report, piece by piece, in the order in which it is printed.

    Details come first, so that the table and the totals of many stacks stand above the prompt.
    """
    if not report.stacks:
        yield Text("Nothing to do: no stack is affected.")
        return
    for stack in report.by_attention():
        yield from details(stack)
    yield Text("")
    yield table(report)
    for note in (*waiting_notes(report), *report.notes):
        yield Text(note)
    yield verdict(report)


def waiting_notes(report: RunReport) -> list[str]:
    """What would let waiting stacks go on, once for each thing to do."""
    return list(dict.fromkeys(stack.advice for stack in report.stacks if stack.result == "waiting"))


def table(report: RunReport) -> Table:
    """One line a stack: result, counts, time, and why."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("stack", no_wrap=True)
    grid.add_column("result", no_wrap=True)
    grid.add_column("changes", overflow="fold")
    grid.add_column("time", justify="right", no_wrap=True)
    grid.add_column("", overflow="fold")
    for stack in report.by_attention():
        grid.add_row(
            Text(stack.id),
            Text(stack.result, style=STYLES[stack.result]),
            Text(changes_in_words(stack)),
            Text(f"{stack.seconds:.1f} s" if stack.seconds else ""),
            Text(first_line(stack.reason) or _forbidden(stack), style="dim"),
        )
    return grid


def _forbidden(stack: StackReport) -> str:
    return "the policy does not let it be applied" if stack.is_forbidden else ""


def details(stack: StackReport) -> Iterator[RenderableType]:
    """What Terraform said of one stack: its diagnostics and diff, if it has any, then what to type next."""
    # The table has said all there is to say of a stack that was not reached.
    unreached = stack.result in ("waiting", "aborted")
    if unreached or not (stack.diff or stack.diagnostics or stack.advice or stack.notes or stack.findings):
        return
    yield Text("")
    yield Text(f"── {stack.id}: {stack.result} ", style=STYLES[stack.result])
    if stack.reason and not (stack.diff or stack.diagnostics):
        yield Text(stack.reason)
    for number, diagnostic in enumerate(stack.diagnostics):
        if number:
            yield Text("")
        yield diagnostic_text(diagnostic)
    if stack.diff:
        yield diff_text(stack.diff)
    for finding in stack.findings:
        yield finding_text(finding)
    for note in stack.notes:
        yield Text(note, style="dim")
    if stack.advice:
        yield Text(f"→ {stack.advice}")


def finding_text(finding: Finding) -> Text:
    """What a rule of the policy says of a plan, with its name, its place and what to do."""
    severe = finding.severity == "error"
    text = Text("Forbidden: " if severe else "Warning: ", style="bold red" if severe else "bold yellow")
    text.append(finding.message, style="bold")
    text.append(f"  [{finding.code}]", style="dim")
    if finding.file:
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        text.append(f"\n  on {place}", style="dim")
    if severe and finding.advice:
        text.append(f"\n  {finding.advice}")
    return text


def diff_text(diff: str) -> Text:
    """Terraform's diff, each line in the colour of its action."""
    text = Text()
    for line in diff.rstrip("\n").splitlines():
        text.append(line + "\n", style=line_style(line))
    text.rstrip()
    return text


def line_style(line: str) -> str:
    """The style of one line of a diff, by its sign."""
    sign = line.lstrip()[:3]
    if sign.startswith(("-/+", "+/-")):
        return "bold red"
    return {"+": "green", "-": "red", "~": "yellow", "#": "bold", "<": "cyan"}.get(sign[:1], "")


def diagnostic_text(diagnostic: Mapping[str, Any]) -> Text:
    """One of Terraform's diagnostics, whole, with its file and line."""
    severe = diagnostic.get("severity") != "warning"
    text = Text("Error: " if severe else "Warning: ", style="bold red" if severe else "bold yellow")
    text.append(str(diagnostic.get("summary", "")), style="bold")
    place = ":".join(str(part) for part in (diagnostic.get("file"), diagnostic.get("line")) if part)
    address = diagnostic.get("address")
    where = ", ".join(part for part in (place, f"with {address}" if address else "") if part)
    if where:
        text.append(f"\n  on {where}", style="dim")
    detail = str(diagnostic.get("detail") or "").strip("\n")
    if detail:
        text.append("\n" + "\n".join(f"  {line}" if line else "" for line in detail.splitlines()), style="")
    return text


def verdict(report: RunReport) -> Text:
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
    totals = _totals(report)
    return text.append(f"; {totals}") if totals else text


def _totals(report: RunReport) -> str:
    """How much is created, changed and deleted in all, and how much is still to be."""
    done, planned = Counter[str](), Counter[str]()
    for stack in report.stacks:
        if stack.has_applied:
            done.update(stack.counts)
        elif stack.result == "changed":
            planned.update(stack.counts)
    return ", ".join(filter(None, (counts_in_words(done, done=True), counts_in_words(planned))))


def _joined(parts: Iterable[Text]) -> Text:
    return Text(", ").join(parts)

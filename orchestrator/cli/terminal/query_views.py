"""How answers from the dataset are printed, and what can be asked."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.terminal.tables import make_table
from orchestrator.insight.impact import ReachedStack
from orchestrator.insight.metrics import FigureGroup, Metric, format_figure
from orchestrator.insight.query import QueryResult
from orchestrator.insight.questions import Question
from orchestrator.insight.schema import View
from orchestrator.report.escape import printable
from orchestrator.report.words import plural

# A text that begins with one of these is a formula to a spreadsheet.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def result_view(result: QueryResult) -> Iterator[RenderableType]:
    """A table of the result, and how many rows it has."""
    if result.rows and result.columns:
        table = make_table(*result.columns, whole=result.columns)
        for row in result.rows:
            table.add_row(*(Text(format_value(value)) for value in row))
        yield table
        yield Text("")
    yield Text(plural(len(result.rows), "row"), style="bold")


def format_value(value: object) -> str:
    """A value in a table: a dash for NULL, decimals without noise."""
    if value is None:
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def render_csv(result: QueryResult) -> str:
    """The result as comma-separated values with a line of names; NULL is empty.

    Anybody can name a branch or a resource: control characters are shown and not obeyed, and a text that a
    spreadsheet would compute as a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (result.columns, *result.rows):
        writer.writerow([_csv_text(value) if isinstance(value, str) else value for value in row])
    return out.getvalue()


def _csv_text(text: str) -> str:
    text = printable(text, keep="\n\t")
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def questions_view(questions: Sequence[Question]) -> Iterator[RenderableType]:
    """The questions, and how each is asked."""
    table = make_table("question", "infra query …")
    for question in questions:
        table.add_row(Text(question.text), Text(question.usage, style="bold"))
    yield table


def views_view(views: Sequence[View]) -> Iterator[RenderableType]:
    """The views, each with its columns."""
    for view in views:
        yield Text(view.name, style="bold")
        yield Text(f"  {view.text}")
        for name, text in view.columns.items():
            yield Text(f"  {name}: {text}")
        yield Text("")


def impact_view(stacks: Sequence[ReachedStack], resources: Mapping[str, int]) -> Iterator[RenderableType]:
    """A table of the stacks that a change reaches, and how many these are; `resources` are by stack."""
    if stacks:
        table = make_table("stack", "by", "resources", "owners", whole=("stack",))
        for stack in stacks:
            reads = f" ({', '.join(stack.outputs)})" if stack.outputs else ""
            table.add_row(
                Text(stack.id),
                Text(" → ".join(stack.chain[:-1]) + reads or "itself"),
                Text(format_value(resources.get(stack.id))),
                Text(" ".join(stack.owners) or "-"),
            )
        yield table
        yield Text("")
    environments = len({stack.environment for stack in stacks})
    known = sum(resources.get(stack.id, 0) for stack in stacks)
    yield Text(
        f"{plural(len(stacks), 'stack')} in {plural(environments, 'environment')}, with "
        f"{plural(known, 'resource')} in the states that could be read",
        style="bold",
    )


def metrics_view(
    metrics: Sequence[Metric], groups: Sequence[FigureGroup], *, with_owners: bool
) -> Iterator[RenderableType]:
    """A table with a column for each environment, or for each of an owner's, then the definitions."""
    columns = [group for group in groups if with_owners or group.owner is None]
    if not columns:
        yield Text("No environment is visible.", style="bold")
        return
    heads = [f"{group.environment} {group.owner}" if group.owner else group.environment for group in columns]
    table = make_table("figure", *heads)
    for metric in metrics:
        values = [format_figure(group.figures.get(metric.key), metric.unit) for group in columns]
        table.add_row(Text(metric.title), *map(Text, values))
    yield table
    yield Text("")
    for metric in metrics:
        yield Text(f"{metric.title}: {metric.text}", style="dim")

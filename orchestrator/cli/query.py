"""`infra query`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import Duration, JsonOptions, json_option, with_options
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra query --list                                what can be asked by a name
  infra query module-users infra/modules/network    one of these questions
  infra query "SELECT id, status FROM stacks"       anything else, in SQL
  infra query --views                               the views, and what their columns hold
  infra query --csv "SELECT * FROM runs" > runs.csv
"""


@dataclass(frozen=True, kw_only=True)
class QueryOptions(JsonOptions):
    """The options of `infra query`; `since` and `timeout` are in seconds."""

    words: tuple[str, ...]
    lists: bool
    views: bool
    as_csv: bool
    since: float
    timeout: float


@click.command(epilog=EPILOG)
@click.argument("words", nargs=-1, metavar='"SQL" | - | QUESTION [VALUE]...')
@click.option("--list", "lists", is_flag=True, help="List the named questions.")
@click.option("--views", is_flag=True, help="Show the views and their columns.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option(
    "--since",
    type=Duration(),
    default="90d",
    show_default=True,
    metavar="DURATION",
    help="How far back to include runs.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long the query may take.",
)
@json_option
@with_options(QueryOptions)
def command(app: App, options: QueryOptions) -> int:
    """Query stacks, runs, resources, drift and approvals, by name or in SQL.

    The answer comes from a database in .infra/cache, which is updated first: only what is new is read. It
    holds no value that masking hides. Writes nothing else, and does not run Terraform.

    Needs a question or a statement, except with --list or --views.
    """
    from orchestrator.cli.support.dataset import DAY, hidden_documents, note_hidden, open_dataset
    from orchestrator.cli.terminal.query_views import questions_view, render_csv, result_view, views_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.insight.questions import QUESTIONS
    from orchestrator.insight.schema import VIEWS

    _check_options(options)
    if options.lists:
        if options.as_json:
            return app.emit("query", **_list_document())
        print_pieces(app, questions_view(QUESTIONS))
        return 0
    if options.views:
        if options.as_json:
            return app.emit("query", **_list_document())
        print_pieces(app, views_view(VIEWS))
        return 0
    sql, values = _statement(app, options.words)
    with open_dataset(app, days=options.since / DAY) as session:
        result = session.ask(sql, values, seconds=options.timeout)
        if options.as_json:
            return app.emit(
                "query",
                columns=result.columns,
                rows=result.rows,
                not_visible=hidden_documents(session),
                questions=[],
                views=[],
            )
        note_hidden(app, session)
    if options.as_csv:
        (app.write if app.stdout.isatty() or app.in_job else app.data)(render_csv(result))
    else:
        print_pieces(app, result_view(result))
    return 0


def _check_options(options: QueryOptions) -> None:
    if options.as_csv and options.as_json:
        raise UsageError("--csv and --json exclude each other.", advice="Leave one out.")
    if (options.lists or options.views) == bool(options.words):
        raise UsageError(
            "`infra query` wants a statement, the name of a question, --list or --views.",
            advice='For example: infra query "SELECT id, status FROM stacks"',
        )
    if options.since <= 0:
        raise UsageError("--since 0s leaves nothing.", advice="For example: --since 90d")


def _statement(app: App, words: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    """The statement that is requested, with the values of its parameters."""
    from orchestrator.insight.questions import find_question

    if words == ("-",):
        return app.stdin.read(), {}
    question = find_question(words[0])
    if question:
        return question.sql, question.bind(words[1:])
    if len(words) > 1:
        raise UsageError(
            "A statement is one argument.", advice='Put it in quotes: infra query "SELECT … FROM …"'
        )
    return words[0], {}


def _list_document() -> dict[str, Any]:
    """The questions and the views in `--json`."""
    from orchestrator.insight.questions import QUESTIONS
    from orchestrator.insight.schema import VIEWS

    return {
        "columns": [],
        "rows": [],
        "not_visible": [],
        "questions": [
            {
                "name": question.name,
                "question": question.text,
                "parameters": question.parameters,
                "sql": question.sql,
            }
            for question in QUESTIONS
        ],
        "views": [{"name": view.name, "holds": view.text, "columns": view.columns} for view in VIEWS],
    }

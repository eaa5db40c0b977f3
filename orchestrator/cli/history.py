"""`infra history`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_runs
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra history                      the newest runs
  infra history prod/network         those that touched a stack
  infra history show RUN             one run, stack by stack
"""


@dataclass(frozen=True, kw_only=True)
class HistoryOptions(JsonOptions):
    """The options of `infra history`."""

    names: tuple[str, ...]
    limit: int
    months: int


@click.command(epilog=EPILOG)
@click.argument(
    "names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]... | show RUN", shell_complete=complete_runs
)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="The maximum number of runs."
)
@click.option(
    "--months", type=click.IntRange(1), default=3, show_default=True, help="How many months to look back."
)
@json_option
@with_options(HistoryOptions)
def command(app: App, options: HistoryOptions) -> int:
    """Show which runs changed what: commit, person, pull request, trigger, counts, result, link.

    Without a name, shows the runs of every stack.
    """
    from orchestrator.cli.terminal.ledger_views import run_history_view, run_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.run_history import find_run, list_runs
    from orchestrator.engine.states import States
    from orchestrator.repository.selection import select

    project = app.project()
    ledgers = Ledgers(project, States(project, app.environ), app.environ)
    if options.names[:1] == ("show",):
        if len(options.names) != 2:
            raise UsageError("`infra history show` wants one run.", advice="`infra history` lists them.")
        run = find_run(project, ledgers, options.names[1])
        if options.as_json:
            return app.emit("history show", run=run.document())
        print_pieces(app, run_view(run))
        return 0
    stacks = select(project, options.names, app.cwd) if options.names else None
    runs = list_runs(project, ledgers, stacks, months=options.months)[: options.limit]
    if options.as_json:
        return app.emit("history", runs=[run.document() for run in runs])
    print_pieces(app, run_history_view(runs))
    return 0

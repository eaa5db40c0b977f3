"""`infra status`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App, error_document
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks
from orchestrator.cli.terminal.standard_streams import has_failed
from orchestrator.errors import Exit, StateError, UsageError

EPILOG = """\b
Examples:
  infra status                 every stack: what is applied, pending, running, unfinished
  infra status prod            one environment
  infra status dev/network     one stack
  infra status --watch         again every five seconds, until Ctrl-C
"""


@dataclass(frozen=True, kw_only=True)
class StatusOptions(JsonOptions):
    """The options of `infra status`."""

    names: tuple[str, ...]
    watch: bool
    interval: float


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option("--watch", is_flag=True, help="Refresh the output until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    help="Seconds between two refreshes.",
)
@json_option
@with_options(StatusOptions)
def command(app: App, options: StatusOptions) -> int:
    """Show what is applied where, what is pending, what is running, and what was interrupted.

    Uses trunk as of your last fetch. Writes nothing and does not run Terraform. Exits with 1 if an object of
    the ledger cannot be read; the other stacks are still shown.

    Without a name, shows every stack.
    """
    if options.watch and options.as_json:
        raise UsageError("--watch and --json exclude each other.", advice="Leave one out.")
    if not options.watch:
        return _print_status(app, options.names, as_json=options.as_json)
    import time

    try:
        while not has_failed(app.stdout):
            _print_status(app, options.names, clear=True)
            time.sleep(options.interval)
    except KeyboardInterrupt:
        return 0
    return 0


def _print_status(app: App, names: tuple[str, ...], *, as_json: bool = False, clear: bool = False) -> int:
    """One look at the stacks."""
    from dataclasses import replace

    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.engine.status import StatusReader
    from orchestrator.forge.owners import read_owners
    from orchestrator.repository.selection import select

    project = app.project()
    states = States(project, app.environ)
    reader = StatusReader(project, states, Ledgers(project, states, app.environ))
    owners, folders = read_owners(project), {stack.id: stack.path for stack in project.stacks.values()}
    statuses = [
        replace(status, owners=owners.of_folder(folders[status.id])) if status.id in folders else status
        for status in reader.of(select(project, names, app.cwd) if names else None)
    ]
    promotions = reader.promotions({status.environment for status in statuses})
    unreadable = [
        StateError(f"{status.why}.", advice=status.advice, stack=status.id)
        for status in statuses
        if status.status == "unreadable"
    ]
    code = int(Exit.ERROR if unreadable else Exit.OK)
    if as_json:
        return app.emit(
            "status",
            code,
            stacks=[status.document() for status in statuses],
            environments=[promotion.document() for promotion in promotions],
            errors=[error_document(error) for error in unreadable],
        )
    from orchestrator.cli.terminal.ledger_views import status_view
    from orchestrator.cli.terminal.tables import print_pieces

    if clear and app.stdout.isatty():
        app.console().clear()
    print_pieces(app, status_view(statuses, promotions))
    return code

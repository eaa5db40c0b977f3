"""`infra status`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App, error_document
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.standard_streams import has_failed
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
@click.option("--watch", is_flag=True, help="Show it again every few seconds, until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Seconds, for --watch."
)
@json_option
@with_options(StatusOptions)
def command(app: App, options: StatusOptions) -> int:
    """Show what is applied where, what trunk owes, who is at work, and what was cut off.

    Trunk is as of your last fetch. Nothing is written, and Terraform is not run.
    Exit 1 when an object of the ledger cannot be read; the other stacks are shown all the same.
    """
    if options.watch and options.as_json:
        raise UsageError("--watch and --json exclude each other.", advice="Leave one out.")
    if not options.watch:
        return once(app, options.names, as_json=options.as_json)
    import time

    try:
        while not has_failed(app.stdout):
            once(app, options.names, clear=True)
            time.sleep(options.interval)
    except KeyboardInterrupt:
        return 0
    return 0


def once(app: App, names: tuple[str, ...], *, as_json: bool = False, clear: bool = False) -> int:
    """One look at the stacks."""
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.project.select import select
    from orchestrator.run.status import Statuses

    project = app.project()
    states = States(project, app.environ)
    statuses = Statuses(project, states, Ledgers(project, states, app.environ))
    found = statuses.of(select(project, names, app.cwd) if names else None)
    promotions = statuses.promotions({one.environment for one in found})
    unreadable = [
        StateError(f"{one.why}.", advice=one.advice, stack=one.id)
        for one in found
        if one.standing == "unreadable"
    ]
    code = int(Exit.ERROR if unreadable else Exit.OK)
    if as_json:
        return app.emit(
            "status",
            code,
            stacks=[one.document() for one in found],
            environments=[one.document() for one in promotions],
            errors=[error_document(error) for error in unreadable],
        )
    from orchestrator.cli.ledger_views import status_view
    from orchestrator.cli.views import show

    if clear and app.stdout.isatty():
        app.console().clear()
    show(app, status_view(found, promotions))
    return code

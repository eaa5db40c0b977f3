"""`infra state list|show|pull|history|restore|move|accept|forget|backup`."""

from __future__ import annotations

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option
from orchestrator.cli.state_versions import accept, backup, forget, history, move, restore

EPILOG = """\b
Examples:
  infra state list dev/network
  infra state show dev/network google_compute_network.main
  infra state pull dev/network > network.tfstate
  infra state history dev/network
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Look into a stack's state and its older versions; restore, move, accept or forget it.

    Only `restore`, `move`, `accept` and `forget` change or lock anything.
    """


for versions_command in (history, restore, move, accept, forget, backup):
    command.add_command(versions_command)


@command.command("list", epilog="\b\nExamples:\n  infra state list dev/network\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@json_option
@click.pass_context
def list_(ctx: click.Context, stack: str, addresses: tuple[str, ...], as_json: bool) -> int:
    """The addresses in a stack's state."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import addresses_of

    app = pass_app(ctx)
    session = quick_session(app, app.project())
    found = addresses_of(session, session.context.one(stack), addresses)
    if as_json:
        return app.emit("state list", stack=stack, addresses=found)
    for address in found:
        app.write(address)
    return 0


@command.command(epilog="\b\nExamples:\n  infra state show dev/network google_compute_network.main\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("address")
@click.pass_context
def show(ctx: click.Context, stack: str, address: str) -> int:
    """One resource of a stack's state, its secrets masked."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import resource_of

    app = pass_app(ctx)
    session = quick_session(app, app.project())
    app.write(resource_of(session, session.context.one(stack), address))
    return 0


@command.command(epilog="\b\nExamples:\n  infra state pull dev/network > network.tfstate\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.pass_context
def pull(ctx: click.Context, stack: str) -> int:
    """The whole state as it lies there. It holds secrets in clear: mind where you put it."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import state_of

    app = pass_app(ctx)
    session = quick_session(app, app.project())
    app.data(state_of(session, session.context.one(stack)).decode("utf-8", "surrogateescape"))
    return 0

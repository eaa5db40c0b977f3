"""`infra state list|show|pull|history|restore|move|accept|forget|backup`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
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


@dataclass(frozen=True, kw_only=True)
class StateListOptions(JsonOptions):
    """The options of `infra state list`."""

    stack: str
    addresses: tuple[str, ...]


@command.command("list", epilog="\b\nExamples:\n  infra state list dev/network\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@json_option
@with_options(StateListOptions)
def list_(app: App, options: StateListOptions) -> int:
    """The addresses in a stack's state."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import addresses_of

    session = quick_session(app, app.project())
    found = addresses_of(session, session.context.one(options.stack), options.addresses)
    if options.as_json:
        return app.emit("state list", stack=options.stack, addresses=found)
    for address in found:
        app.write(address)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateShowOptions:
    """The options of `infra state show`."""

    stack: str
    address: str


@command.command(epilog="\b\nExamples:\n  infra state show dev/network google_compute_network.main\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("address")
@with_options(StateShowOptions)
def show(app: App, options: StateShowOptions) -> int:
    """One resource of a stack's state, its secrets masked."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import resource_of

    session = quick_session(app, app.project())
    app.write(resource_of(session, session.context.one(options.stack), options.address))
    return 0


@dataclass(frozen=True, kw_only=True)
class StatePullOptions:
    """The options of `infra state pull`."""

    stack: str


@command.command(epilog="\b\nExamples:\n  infra state pull dev/network > network.tfstate\n")
@click.argument("stack", shell_complete=complete_stacks)
@with_options(StatePullOptions)
def pull(app: App, options: StatePullOptions) -> int:
    """The whole state as it lies there. It holds secrets in clear: mind where you put it."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import state_of

    session = quick_session(app, app.project())
    app.data(state_of(session, session.context.one(options.stack)).decode("utf-8", "surrogateescape"))
    return 0

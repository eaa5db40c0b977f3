"""`infra parity`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra parity                          every stack, in all environments
  infra parity network                  one stack, by its name without an environment
  infra parity network --env staging --env prod
  infra parity --json                   for a program
"""


@dataclass(frozen=True, kw_only=True)
class ParityOptions(JsonOptions):
    """The options of `infra parity`."""

    names: tuple[str, ...]
    environments: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option(
    "--env",
    "environments",
    multiple=True,
    metavar="ENV",
    help="Compare only these environments; repeatable.",
)
@json_option
@with_options(ParityOptions)
def command(app: App, options: ParityOptions) -> int:
    """Show what differs between environments. Without a name, for every stack.

    Compares code, variables, versions, the addresses in the states, and pending changes. Hides values that
    look secret. Writes nothing and does not run Terraform.
    """
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.memory import Memory
    from orchestrator.engine.parity import compare_environments, select_names
    from orchestrator.engine.states import States

    project = app.project()
    environments = options.environments or project.environments
    names = select_names(project, options.names, environments, app.cwd)
    states = States(project, app.environ)
    memory = Memory(project, states, Ledgers(project, states, app.environ))
    stacks = compare_environments(
        memory, names, [name for name in project.environments if name in environments]
    )
    if options.as_json:
        return app.emit("parity", run=None, errors=[], stacks=[stack.document() for stack in stacks])
    from orchestrator.cli.terminal.parity_view import parity_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, parity_view(stacks))
    return 0

"""`infra owners`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra owners                 who owns each stack
  infra owners prod/network    one stack
  infra owners --json          for a program
"""


@dataclass(frozen=True, kw_only=True)
class OwnersOptions(JsonOptions):
    """The options of `infra owners`."""

    names: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@json_option
@with_options(OwnersOptions)
def command(app: App, options: OwnersOptions) -> int:
    """Show who owns each stack, by the CODEOWNERS file of the working tree. Reads only the repository.

    Names the line that decides; as on GitHub, it is the last one that matches. `infra lint` reports stacks
    that nobody owns.

    Without a name, shows every stack.
    """
    from orchestrator.forge.owners import read_owners
    from orchestrator.repository.selection import select

    project = app.project()
    names = select(project, options.names, app.cwd) if options.names else project.stacks
    owners = read_owners(project)
    owned = [owners.of_stack(project.stacks[name]) for name in names]
    if options.as_json:
        stacks = [stack.document() for stack in owned]
        return app.emit("owners", run=None, file=owners.rules.file, stacks=stacks)
    from orchestrator.cli.terminal.owners_view import owners_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, owners_view(owners.rules, owned))
    return 0

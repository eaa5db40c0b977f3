"""`infra list`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra list             everything
  infra list prod        one environment
  infra list '*/network' --json
"""


@dataclass(frozen=True, kw_only=True)
class ListOptions(JsonOptions):
    """The options of `infra list`."""

    names: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@json_option
@with_options(ListOptions)
def command(app: App, options: ListOptions) -> int:
    """Show environments, stacks and modules, and what reads them.

    Without a name, for the whole repository.
    """
    from orchestrator.repository.selection import select

    project = app.project()
    stacks = set(select(project, options.names, app.cwd) if options.names else project.stacks)
    if options.as_json:
        from orchestrator.report.documents import project_document

        return app.emit("list", **project_document(project, stacks))
    from orchestrator.cli.terminal.project_views import project_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, project_view(project, stacks))
    if not project.stacks:
        app.note("There is no stack here: `infra validate` says what to do.")
    return 0

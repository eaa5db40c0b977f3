"""`infra list`."""

from __future__ import annotations

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option

EPILOG = """\b
Examples:
  infra list             everything
  infra list prod        one environment
  infra list '*/network' --json
"""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> int:
    """Show environments, stacks, modules and what reads what."""
    from orchestrator.project.select import select

    app = pass_app(ctx)
    project = app.project()
    stacks = set(select(project, names, app.cwd) if names else project.stacks)
    if as_json:
        from orchestrator.project.documents import project_document

        return app.emit("list", **project_document(project, stacks))
    from orchestrator.cli.views import project_view, show

    show(app, project_view(project, stacks))
    if not project.stacks:
        app.note("There is no stack here: `infra validate` says what to do.")
    return 0

"""`infra affected`."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option

EPILOG = """\b
Examples:
  infra affected                     since your branch left trunk, uncommitted files included
  infra affected --why               by which files
  infra affected --base HEAD~1 --json
"""


@click.command(epilog=EPILOG)
@click.option("--base", metavar="REF", help="Compare with where the work parted from REF (default: trunk).")
@click.option("--why", is_flag=True, help="Show the chain of files behind each stack.")
@json_option
@click.pass_context
def command(ctx: click.Context, base: str | None, why: bool, as_json: bool) -> int:
    """Show which stacks a change touches, and why."""
    from orchestrator.project.affected import affected

    app = pass_app(ctx)
    project = app.project()
    found = affected(project, base)
    if as_json:
        from orchestrator.project.documents import affected_document

        return app.emit("affected", **affected_document(project, found))
    from orchestrator.cli.views import affected_view, show

    show(app, affected_view(found, why=why))
    return 0

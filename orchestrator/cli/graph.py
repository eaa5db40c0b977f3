"""`infra graph`."""

from __future__ import annotations

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import pass_app

EPILOG = """\b
Examples:
  infra graph                     a tree for each environment
  infra graph prod                one environment
  infra graph --format mermaid    for a page on GitHub
  infra graph --format dot | dot -Tsvg > graph.svg
"""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "json"]),
    default="tree",
    help="How to draw it (default: tree).",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], form: str, as_json: bool) -> int:
    """Draw the order in which stacks depend on each other."""
    from orchestrator.project import drawing
    from orchestrator.project.select import select

    app = pass_app(ctx)
    app.json = app.json or form == "json"
    project = app.project()
    stacks = set(select(project, names, app.cwd) if names else project.stacks)
    if form in ("mermaid", "dot") and not as_json:
        app.write(getattr(drawing, form)(project, stacks))
        return 0
    waves, edges = project.waves(stacks), drawing.shown_edges(project, stacks)
    if app.json:
        from orchestrator.project.documents import graph_document

        return app.emit("graph", **graph_document(project, waves, edges))
    from orchestrator.cli.views import graph_view, show

    show(app, graph_view(project, waves, edges))
    return 0

"""`infra graph`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra graph                     a tree for each environment
  infra graph prod                one environment
  infra graph --format mermaid    for a page on GitHub
  infra graph --format dot | dot -Tsvg > graph.svg
"""


@dataclass(frozen=True, kw_only=True)
class GraphOptions(JsonOptions):
    """The options of `infra graph`."""

    names: tuple[str, ...]
    form: str


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "json"]),
    default="tree",
    help="The format of the drawing (default: tree).",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@with_options(GraphOptions)
def command(app: App, options: GraphOptions) -> int:
    """Draw the dependencies between stacks.

    Without a name, of all stacks.
    """
    from orchestrator.report import graph as drawing
    from orchestrator.repository.selection import select

    app.json = app.json or options.form == "json"
    project = app.project()
    stacks = set(select(project, options.names, app.cwd) if options.names else project.stacks)
    if options.form in ("mermaid", "dot") and not options.as_json:
        render = drawing.render_mermaid if options.form == "mermaid" else drawing.render_dot
        app.write(render(project, stacks))
        return 0
    waves, edges = project.waves(stacks), drawing.select_edges(project, stacks)
    if app.json:
        from orchestrator.report.documents import graph_document

        return app.emit("graph", **graph_document(project, waves, edges))
    from orchestrator.cli.terminal.project_views import graph_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, graph_view(project, waves, edges))
    return 0

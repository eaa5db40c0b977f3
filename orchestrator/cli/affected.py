"""`infra affected`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra affected                     since your branch left trunk, uncommitted files included
  infra affected --why               by which files
  infra affected --base HEAD~1 --json
  infra affected --matrix            in a job: who plans what, as a matrix of GitHub Actions
  infra affected --matrix --shards 4 --env prod

Each entry of the matrix has an `environment`, a `shard` (I/N) and the `stacks` in it, one a line: they are
for `infra ci plan`, as --env, --shard and INFRA_STACKS. Deleted and renamed stacks are among them. In a job
the matrix of each environment is an output of the step: `shards-ENV`, empty where there is nothing to plan.
"""


@dataclass(frozen=True, kw_only=True)
class AffectedOptions(JsonOptions):
    """The options of `infra affected`; `shards` is a number or "auto"."""

    base: str | None
    why: bool
    matrix: bool
    shards: str
    environments: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.option("--base", metavar="REF", help="Compare with the merge base of REF (default: trunk).")
@click.option("--why", is_flag=True, help="Show the chain of files that affects each stack.")
@click.option(
    "--matrix", is_flag=True, help="Print the jobs that plan the change, as a matrix for GitHub Actions."
)
@click.option(
    "--shards",
    metavar="N|auto",
    default="auto",
    help="The number of jobs for each environment (with --matrix).",
)
@click.option(
    "--env", "environments", multiple=True, metavar="ENV", help="Only this environment (with --matrix)."
)
@json_option
@with_options(AffectedOptions)
def command(app: App, options: AffectedOptions) -> int:
    """Show which stacks a change affects, and why."""
    from orchestrator.repository.affected import find_affected

    if options.matrix:
        return _matrix(app, options)
    project = app.project()
    changes = find_affected(project, options.base)
    if options.as_json:
        from orchestrator.report.documents import affected_document

        return app.emit("affected", **affected_document(project, changes))
    from orchestrator.cli.terminal.project_views import affected_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, affected_view(changes, why=options.why))
    return 0


def _matrix(app: App, options: AffectedOptions) -> int:
    from orchestrator.engine.shards import OUTPUT, render_matrix
    from orchestrator.forge.factory import read_event, set_outputs
    from orchestrator.review.pull_request.matrix import plan_shards
    from orchestrator.review.pull_request.scope import read_scope

    event = read_event(app.environ)
    scope = read_scope(app.project(), event, options.base)
    parts, timed = plan_shards(scope, event, app.environ, options.environments, options.shards)
    text = render_matrix(parts, timed=timed)
    each = {name: [part for part in parts if part.environment == name] for name in scope.environments}
    outputs = {OUTPUT + name: render_matrix(shards, timed=timed) for name, shards in each.items() if shards}
    set_outputs(app.environ, {"matrix": text, "empty": str(not parts).lower(), **outputs})
    app.write(text)
    return 0

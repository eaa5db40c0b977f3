"""`infra affected`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
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
@click.option("--base", metavar="REF", help="Compare with where the work parted from REF (default: trunk).")
@click.option("--why", is_flag=True, help="Show the chain of files behind each stack.")
@click.option("--matrix", is_flag=True, help="Print the jobs that plan it, as a matrix of GitHub Actions.")
@click.option("--shards", metavar="N|auto", default="auto", help="Jobs for an environment (with --matrix).")
@click.option(
    "--env", "environments", multiple=True, metavar="ENV", help="Only this environment (with --matrix)."
)
@json_option
@with_options(AffectedOptions)
def command(app: App, options: AffectedOptions) -> int:
    """Show which stacks a change touches, and why."""
    from orchestrator.project.affected import affected

    if options.matrix:
        return _matrix(app, options)
    project = app.project()
    found = affected(project, options.base)
    if options.as_json:
        from orchestrator.project.documents import affected_document

        return app.emit("affected", **affected_document(project, found))
    from orchestrator.cli.views import affected_view, show

    show(app, affected_view(found, why=options.why))
    return 0


def _matrix(app: App, options: AffectedOptions) -> int:
    from orchestrator.ci.event import event_of
    from orchestrator.ci.outputs import set_outputs
    from orchestrator.ci.review.matrix import parts_of
    from orchestrator.ci.review.scope import scope_of
    from orchestrator.ci.shards import OUTPUT, matrix

    event = event_of(app.environ)
    scope = scope_of(app.project(), event, options.base)
    parts, timed = parts_of(scope, event, app.environ, options.environments, options.shards)
    text = matrix(parts, timed=timed)
    each = {name: [one for one in parts if one.environment == name] for name in scope.environments}
    outputs = {OUTPUT + name: matrix(mine, timed=timed) for name, mine in each.items() if mine}
    set_outputs(app.environ, {"matrix": text, "empty": str(not parts).lower(), **outputs})
    app.write(text)
    return 0

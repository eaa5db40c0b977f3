"""`infra plan`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import (
    JsonOptions,
    RequestOptions,
    json_option,
    pending_option,
    selection,
    terraform_options,
    with_options,
)

EPILOG = """\b
Examples:
  infra plan                       what differs from trunk, uncommitted files included
  infra plan dev                   every stack of dev
  infra plan 'prod/*' --json       for a program
  infra plan dev --out plans       keep the plans; `infra apply --plan plans` applies them
  infra plan --pending             what trunk owes, whatever this branch changes
  infra plan --all --detailed-exitcode    exit 2 when something would change
"""


@dataclass(frozen=True, kw_only=True)
class PlanCommandOptions(RequestOptions, JsonOptions):
    """The options of `infra plan`."""

    destroy: bool
    pending: bool
    out: str | None
    detailed_exitcode: bool


@click.command(epilog=EPILOG)
@selection
@click.option("--destroy", is_flag=True, help="Plan the destruction of the stacks.")
@pending_option
@terraform_options
@click.option("--out", metavar="DIR", help="Keep the plan files in DIR, readable by you alone.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when something would change.")
@json_option
@with_options(PlanCommandOptions)
def command(app: App, options: PlanCommandOptions) -> int:
    """Show what Terraform would change. With no name: what differs from trunk.

    Nothing is locked, written to a state, or changed in the checkout.
    """
    from orchestrator.cli.guard_locally import check_locally
    from orchestrator.cli.running import opened, request_of, tell
    from orchestrator.run import pipeline

    with opened(app, parallelism=options.parallelism, variables=options.variables) as session:
        request = request_of(
            app,
            session,
            options,
            destroy=options.destroy,
            pending=options.pending,
            out=app.cwd / options.out if options.out else None,
            detailed=options.detailed_exitcode,
        )
        check_locally(app, session.context.project, (*request.stacks, *request.followers))
        return tell(app, pipeline.plan(session, request))

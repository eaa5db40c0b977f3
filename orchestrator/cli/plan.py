"""`infra plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option, pending_option, selection, terraform_options

EPILOG = """\b
Examples:
  infra plan                       what differs from trunk, uncommitted files included
  infra plan dev                   every stack of dev
  infra plan 'prod/*' --json       for a program
  infra plan dev --out plans       keep the plans; `infra apply --plan plans` applies them
  infra plan --pending             what trunk owes, whatever this branch changes
  infra plan --all --detailed-exitcode    exit 2 when something would change
"""


@click.command(epilog=EPILOG)
@selection
@click.option("--destroy", is_flag=True, help="Plan the destruction of the stacks.")
@pending_option
@terraform_options
@click.option("--out", metavar="DIR", help="Keep the plan files in DIR, readable by you alone.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when something would change.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, out: str | None, detailed_exitcode: bool, **asked: Any) -> int:
    """Show what Terraform would change. With no name: what differs from trunk.

    Nothing is locked, written to a state, or changed in the checkout.
    """
    from orchestrator.cli.guard_locally import check_locally
    from orchestrator.cli.running import opened, request_of, tell
    from orchestrator.run import pipeline

    app = pass_app(ctx)
    with opened(app, asked) as session:
        kept = (app.cwd / out) if out else Path()
        request = request_of(
            app, session, asked, out=kept if out else None, detailed=detailed_exitcode, with_followers=True
        )
        check_locally(app, session.context.project, (*request.stacks, *request.followers))
        return tell(app, pipeline.plan(session, request))

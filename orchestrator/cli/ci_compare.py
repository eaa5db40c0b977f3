"""`infra ci compare`."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import Reason, json_option

EPILOG = """\b
Examples:
  infra ci compare prod                   in a job of trunk: is somebody to be asked before prod is applied?
  infra ci compare prod --report report   note the result for the job that tells people
"""


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--report", metavar="DIR", help="Write there what has to be approved.")
@click.option(
    "--skip-checks",
    type=Reason(optional=True),
    metavar="REASON",
    default="",
    help="Pass without the checks that are due; the gate has to approve it, and it is recorded.",
)
@click.option("--parallelism", type=click.IntRange(1), metavar="N", help="Stacks at once.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, **asked: Any) -> int:
    """Plan what trunk owes an environment, and compare that with what was approved.

    Applies nothing. Its outputs for the job (GITHUB_OUTPUT): `owed` is the number of stacks, `gate` is true
    when reviewers of the environment have to approve first, and `seal` names the plans that they approve.
    """
    from orchestrator.cli.ci_comparing import run
    from orchestrator.cli.running import opened

    app = pass_app(ctx)
    with opened(app, asked, trigger="ci") as session:
        return run(app, session, asked)

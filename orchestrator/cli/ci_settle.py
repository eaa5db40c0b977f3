"""`infra ci settle`."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import Duration, json_option

EPILOG = """\b
Examples:
  infra ci settle                  follow what this machine's cancelled runs left, for four minutes at most
  infra ci settle --limit 30s      the same, for a shorter time
"""


@click.command(epilog=EPILOG)
@click.option(
    "--limit",
    type=Duration(),
    default=240.0,
    metavar="DURATION",
    help="How long to wait for Terraform (default: 4m).",
)
@click.option("--report", metavar="DIR", help="Note there how it ended, for the job that tells people.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, limit: float, report: str | None, as_json: bool) -> int:
    """Bring what a cancelled apply left running to an end.

    A cancelled apply leaves within seconds; its Terraform lives on. This follows it, and records in the
    ledger how it ended. What is still alive at the limit is for `infra resume`. With nothing left it does
    nothing.
    """
    from orchestrator.ci.landing.results import settled, unreported
    from orchestrator.ci.landing.settling import outcomes, settle
    from orchestrator.cli.ci_applying import facts_of
    from orchestrator.cli.running import opened, tell

    app = pass_app(ctx)
    with opened(app, {}, trigger="ci") as session:
        found = settle(session, limit)
        if report:
            reported = {stack.id for stack in found.stacks}
            rest = [id_ for id_ in unreported(app.cwd / report) if id_ not in reported]
            settled(
                facts_of(app, session.context), app.cwd / report, (*found.stacks, *outcomes(session, rest))
            )
        if not found.stacks and not app.json:
            app.write("Nothing was left running.")
            return 0
        return tell(app, found)

"""`infra ci settle`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import Duration, JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra ci settle                  follow what this machine's cancelled runs left, for four minutes at most
  infra ci settle --limit 30s      the same, for a shorter time
"""


@dataclass(frozen=True, kw_only=True)
class CiSettleOptions(JsonOptions):
    """The options of `infra ci settle`."""

    limit: float
    report: str | None


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
@with_options(CiSettleOptions)
def command(app: App, options: CiSettleOptions) -> int:
    """Bring what a cancelled apply left running to an end.

    A cancelled apply leaves within seconds; its Terraform lives on. This follows it, and records in the
    ledger how it ended. What is still alive at the limit is for `infra resume`. With nothing left it does
    nothing.
    """
    from orchestrator.ci.landing.results import settled, unreported
    from orchestrator.ci.landing.settling import outcomes, record_cancelled, settle
    from orchestrator.cli.ci_applying import facts_of
    from orchestrator.cli.running import opened, tell

    with opened(app, trigger="ci") as session:
        found = settle(session, options.limit)
        if options.report:
            reported = {stack.id for stack in found.stacks}
            folder, told = app.cwd / options.report, list(found.stacks)
            for run, stacks in unreported(folder).items():
                finished = outcomes(session, run, [id_ for id_ in stacks if id_ not in reported])
                for problem in record_cancelled(session, run, finished):
                    app.note(problem)
                told += finished
            settled(facts_of(app, session.context), folder, told)
        if not found.stacks and not app.json:
            app.write("Nothing was left running.")
            return 0
        return tell(app, found)

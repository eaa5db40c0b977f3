"""`infra ci finalize`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import Duration, JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra ci finalize                  follow this machine's cancelled applies, for four minutes at most
  infra ci finalize --limit 30s      the same, for a shorter time
"""


@dataclass(frozen=True, kw_only=True)
class CiFinalizeOptions(JsonOptions):
    """The options of `infra ci finalize`."""

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
@click.option("--report", metavar="DIR", help="Write the outcome to DIR, for the job that comments.")
@json_option
@with_options(CiFinalizeOptions)
def command(app: App, options: CiFinalizeOptions) -> int:
    """Follow the Terraform of a cancelled apply until it ends, and record the outcome in the ledger.

    A cancelled apply exits within seconds while its Terraform continues. If Terraform still runs at the
    limit, `infra resume` finishes the apply later.
    """
    from orchestrator.cli.support.rollout import make_rollout_facts
    from orchestrator.cli.support.session import print_result, run_session
    from orchestrator.review.rollout.finalize import finalize_applies, read_outcomes, record_cancelled
    from orchestrator.review.rollout.results import finalize_results, find_unreported

    with run_session(app, trigger="ci") as session:
        report = finalize_applies(session, options.limit)
        if options.report:
            reported = {stack.id for stack in report.stacks}
            folder, reports = app.cwd / options.report, list(report.stacks)
            for run, stacks in find_unreported(folder).items():
                finished = read_outcomes(session, run, [id_ for id_ in stacks if id_ not in reported])
                for problem in record_cancelled(session, run, finished):
                    app.note(problem)
                reports += finished
            finalize_results(make_rollout_facts(app, session.context), folder, reports)
        if not report.stacks and not app.json:
            app.write("Nothing was left running.")
            return 0
        return print_result(app, report)

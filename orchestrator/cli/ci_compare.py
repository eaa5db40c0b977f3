"""`infra ci compare`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import (
    JsonOptions,
    Reason,
    RolloutRequestOptions,
    json_option,
    rollout_request_options,
    with_options,
)

EPILOG = """\b
Examples:
  infra ci compare prod                   in a job of trunk: is somebody to be asked before prod is applied?
  infra ci compare prod --report report   note the result for the job that tells people
"""


@dataclass(frozen=True, kw_only=True)
class CiCompareOptions(JsonOptions, RolloutRequestOptions):
    """The options of `infra ci compare`."""

    environment: str
    report: str | None
    skip_checks: str
    parallelism: int | None


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
@rollout_request_options
@click.option("--parallelism", type=click.IntRange(1), metavar="N", help="Stacks at once.")
@json_option
@with_options(CiCompareOptions)
def command(app: App, options: CiCompareOptions) -> int:
    """Plan what trunk owes an environment, and compare that with what was approved.

    Applies nothing. Its outputs for the job (GITHUB_OUTPUT): `owed` is the number of stacks, `gate` is true
    when reviewers of the environment have to approve first, and `seal` names the plans that they approve.
    """
    from orchestrator.cli.ci_comparing import run
    from orchestrator.cli.running import opened

    with opened(app, parallelism=options.parallelism, trigger="ci") as session:
        return run(app, session, options)

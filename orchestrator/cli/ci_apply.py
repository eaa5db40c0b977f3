"""`infra ci apply`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import (
    Duration,
    JsonOptions,
    Reason,
    RolloutRequestOptions,
    json_option,
    rollout_request_options,
    with_options,
)
from orchestrator.engine.context import RunContext

EPILOG = """\b
Examples:
  infra ci apply                          every environment, in promotion order, as far as each goes well
  infra ci apply prod                     in a job of prod: what trunk owes it
  infra ci apply prod --gate "$SEAL"      the same, after reviewers approved what `ci compare` planned
  infra ci apply dev --gate "$SEAL" --skip-checks "the probe is down"     and without its checks
  infra ci apply dev --report report      note the result for the job that tells people
  infra ci apply dev --drift DIGEST       put right what `infra ci drift` saw, and nothing else
"""


@dataclass(frozen=True, kw_only=True)
class CiApplyOptions(JsonOptions, RolloutRequestOptions):
    """The options of `infra ci apply`; `wait` and `patience` are in seconds, `drift` is a list of digests."""

    environments: tuple[str, ...]
    seal: str
    drift: str
    shard: str | None
    report: str | None
    wait: float
    patience: float
    skip_checks: str
    parallelism: int | None


@click.command(epilog=EPILOG)
@click.argument("environments", nargs=-1, metavar="[ENV]...")
@click.option(
    "--gate", "seal", metavar="SEAL", default="", help="What reviewers approved: `seal` of `ci compare`."
)
@click.option(
    "--drift", metavar="DIGEST,...", default="", help="Only put right what drifts in these ways in ENV."
)
@click.option("--shard", metavar="I/N", help="Only this part of the stacks; others do the rest.")
@click.option("--report", metavar="DIR", help="Write the result there instead of telling GitHub.")
@click.option(
    "--wait",
    type=Duration(),
    default=600.0,
    metavar="DURATION",
    help="Wait so long for another run on the same stack (default: 10m).",
)
@click.option(
    "--patience",
    type=Duration(),
    default=6.0,
    metavar="DURATION",
    help="Leave so long after a cancel (default: 6s); GitHub kills after ten.",
)
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
@with_options(CiApplyOptions)
def command(app: App, options: CiApplyOptions) -> int:
    """Make environments what trunk says, exactly as it was approved.

    What is owed is what the ledger says, whatever the change of the day: an earlier run that was cut off is
    caught up. Each plan is made again and compared with what was approved; one that differs is not applied
    (exit 5). Then the environment's checks and soak decide whether the next one follows.
    """
    from orchestrator.cli import ci_drift_applying
    from orchestrator.cli.ci_applying import run
    from orchestrator.cli.running import opened

    if options.drift:
        ci_drift_applying.refuse_more(options)
    with opened(
        app,
        parallelism=options.parallelism,
        trigger="ci",
        on_interrupt=lambda session: leave_soon(app, session.context, options.patience),
    ) as session:
        if options.drift:
            return ci_drift_applying.run(app, session, options)
        return run(app, session, options)


def leave_soon(app: App, context: RunContext, patience: float) -> None:
    """A cancelled step has seconds; Terraform may take its time, and is settled by the next step.

    GitHub sends SIGINT, SIGTERM after 7.5 seconds, and kills the step's tree after 2.5 more.
    """
    import threading

    def leave() -> None:
        import os

        from orchestrator.errors import Exit

        left = context.supervisor.kill()
        app.note("Cancelled. This goes on by itself, and `infra ci settle` follows it to its end:")
        for one in left or ["nothing that changes anything"]:
            app.note(f"  {one}")
        os._exit(int(Exit.PARTIAL if context.supervisor.started_changes else Exit.INTERRUPTED))

    timer = threading.Timer(patience, leave)
    timer.daemon = True
    timer.start()

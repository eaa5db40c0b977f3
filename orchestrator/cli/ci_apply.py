"""`infra ci apply`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    Duration,
    JsonOptions,
    Reason,
    RolloutRequestOptions,
    json_option,
    rollout_request_options,
    with_options,
)
from orchestrator.cli.support.completers import complete_environments
from orchestrator.errors import Exit, UsageError, exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.engine.context import RunContext
    from orchestrator.engine.session import Session
    from orchestrator.engine.shards import Shard
    from orchestrator.forge.interface import Forge
    from orchestrator.report.rollout import EnvironmentResult
    from orchestrator.review.manifest import Manifest
    from orchestrator.review.rollout.environment_run import EnvironmentRun

EPILOG = """\b
Examples:
  infra ci apply                          every environment, in promotion order, as far as each goes well
  infra ci apply prod                     in a job of prod: the stacks that are pending there
  infra ci apply prod --gate "$TICKET"    the same, after reviewers approved what `ci compare` planned
  infra ci apply dev --gate "$TICKET" --skip-checks "the probe is down"   and without its checks
  infra ci apply prod --manifest prod.json --sha256 HEX
                                          in another CI: what an approval there passed on
  infra ci apply dev --report report      write the result for the job that comments
  infra ci apply dev --drift DIGEST       remediate what `infra ci drift` found, and nothing else
"""


@dataclass(frozen=True, kw_only=True)
class CiApplyOptions(JsonOptions, RolloutRequestOptions):
    """The options of `infra ci apply`; times are in seconds, `drift` is a list of digests."""

    environments: tuple[str, ...]
    ticket: str
    manifest: str | None
    sha256: str
    drift: str
    shard: str | None
    report: str | None
    wait: float
    grace_period: float
    skip_checks: str
    parallelism: int | None


@click.command(epilog=EPILOG)
@click.argument("environments", nargs=-1, metavar="[ENV]...", shell_complete=complete_environments)
@click.option(
    "--gate",
    "ticket",
    metavar="TICKET",
    default="",
    help="The plans that reviewers approved: the output `ticket` of `infra ci compare`.",
)
@click.option(
    "--manifest",
    metavar="FILE",
    help="The approved plans, from `infra ci compare --manifest`, outside GitHub Actions.",
)
@click.option("--sha256", metavar="HEX", default="", help="The SHA-256 of the approved manifest.")
@click.option(
    "--drift", metavar="DIGEST,...", default="", help="Only remediate drift in ENV that has these digests."
)
@click.option("--shard", metavar="I/N", help="Apply only part I of N of the stacks.")
@click.option("--report", metavar="DIR", help="Write the result to DIR instead of posting to GitHub.")
@click.option(
    "--wait",
    type=Duration(),
    default=600.0,
    metavar="DURATION",
    help="How long to wait for another run on the same stack (default: 10m).",
)
@click.option(
    "--grace-period",
    type=Duration(),
    default=6.0,
    metavar="DURATION",
    help="How long to wait after a cancellation (default: 6s); GitHub kills the job after 10s.",
)
@click.option(
    "--skip-checks",
    type=Reason(optional=True),
    metavar="REASON",
    default="",
    help="Skip the checks that are due; needs an approval in the gate, and is recorded.",
)
@rollout_request_options
@click.option(
    "--parallelism", type=click.IntRange(1), metavar="N", help="The number of stacks to run at once."
)
@json_option
@with_options(CiApplyOptions)
def command(app: App, options: CiApplyOptions) -> int:
    """Apply the pending changes on trunk, exactly as approved.

    The ledger says which stacks are pending, so an earlier run that was interrupted is completed too. Each
    plan is made again and compared with what was approved; one that differs is not applied (exit 5). Then the
    checks and the soak time decide whether the next environment follows.

    Without ENV, applies every environment, in promotion order.
    """
    from orchestrator.cli.support.session import run_session

    if options.drift:
        _refuse_other_options(options)
    with run_session(
        app,
        parallelism=options.parallelism,
        trigger="ci",
        on_interrupt=lambda session: _schedule_exit(app, session.context, options.grace_period),
    ) as session:
        return _remediate(app, session, options) if options.drift else _apply(app, session, options)


def _apply(app: App, session: Session, options: CiApplyOptions) -> int:
    """Applies the selected environments in promotion order; returns the exit code."""
    from orchestrator.cli.support.rollout import (
        make_rollout_facts,
        make_rollout_requests,
        open_forge_if_needed,
        select_environments,
    )
    from orchestrator.engine.recorder import RecorderOptions
    from orchestrator.forge.factory import read_skip_reason
    from orchestrator.review.gate import GateTicket
    from orchestrator.review.rollout.apply import ApplyJob, apply_environments
    from orchestrator.review.rollout.results import build_interrupted_result, build_result, write_result

    context = session.context
    environments = select_environments(context, options.environments)
    ticket = options.ticket
    if ticket and len(environments) != 1:
        raise UsageError(
            "--gate belongs to one environment.", advice="Name it: `infra ci apply prod --gate …`."
        )
    skip_checks = options.skip_checks
    if len(environments) == 1:
        skip_checks = skip_checks or read_skip_reason(app.environ, environments[0])
    elif skip_checks:
        raise UsageError(
            "--skip-checks belongs to one environment.",
            advice="Name it: `infra ci apply staging --skip-checks …`.",
        )
    manifest = _read_manifest(app, context, environments, options)
    folder = app.cwd / options.report if options.report else None
    facts = make_rollout_facts(app, context)

    def write_start(run: EnvironmentRun) -> None:
        if folder:
            write_result(folder, build_interrupted_result(facts, run), options.shard or "")

    shards = _select_shards(session, environments, options.shard)
    job = ApplyJob(
        environments,
        RecorderOptions(wait=options.wait, lock_timeout=60.0),
        GateTicket.parse(ticket) if ticket.strip() else None,
        manifest,
        tuple(id_ for shard in shards for id_ in shard.stacks) if shards else None,
        shards[0] if len(shards) == 1 else None,
        options.parallelism,
        skip_checks,
        make_rollout_requests(app, options, environments),
        write_start,
    )
    with open_forge_if_needed(app, context.project, environments, posts=not folder) as forge:
        runs = apply_environments(session, job, forge)
        results = [build_result(facts, run) for run in runs]
        return _publish(app, context, runs, results, forge, folder, options.shard or "")


def _read_manifest(
    app: App, context: RunContext, environments: Sequence[str], options: CiApplyOptions
) -> Manifest | None:
    """The approved manifest of the one environment that is applied; None without `--manifest`."""
    from orchestrator.review.manifest import read_manifest

    if not (options.manifest or options.sha256):
        return None
    if not (options.manifest and options.sha256):
        raise UsageError(
            "--manifest and --sha256 belong together.",
            advice="`infra ci compare ENV --manifest FILE` writes the file; its SHA-256 is approved.",
        )
    if context.project.config.ci.has_reviews:
        raise UsageError(
            "--manifest is for a CI other than GitHub Actions, and infra.yaml on trunk names none.",
            advice="Set `ci: {system: …}` in infra.yaml; with GitHub Actions reviews and the gate approve.",
        )
    if len(environments) != 1:
        raise UsageError(
            "--manifest belongs to one environment.",
            advice="Name it: `infra ci apply prod --manifest FILE --sha256 HEX`.",
        )
    path = app.cwd / options.manifest
    return read_manifest(path, options.sha256, environments[0], context.info.commit)


def _select_shards(session: Session, environments: Sequence[str], text: str | None) -> tuple[Shard, ...]:
    """The part of each environment that `--shard I/N` selects; empty where one job applies everything."""
    from orchestrator.engine import shards
    from orchestrator.review.rollout import shard_order

    if not text:
        return ()
    index, count, _ = shards.parse_shard(text)
    if count == 1:
        return ()
    project = session.context.project
    return tuple(
        shards.Shard(name, index, count, shard_order.select_shard_stacks(project, name, index, count))
        for name in environments
    )


def _publish(
    app: App,
    context: RunContext,
    runs: Sequence[EnvironmentRun],
    results: Sequence[EnvironmentResult],
    forge: Forge | None,
    folder: Path | None,
    shard: str,
) -> int:
    """Prints the results, and publishes them to the step summary and the forge; returns the exit code."""
    from orchestrator.cli.support.rollout import print_environment
    from orchestrator.forge.factory import add_summary
    from orchestrator.report.rollout_comment import render_rollout_summary
    from orchestrator.review.rollout.results import publish_results, write_result

    code = _exit_code(runs)
    problems = ""
    if folder:
        for result in results:
            write_result(folder, result, shard)
    elif forge:
        outbox = publish_results(forge, context.project, results)
        problems = outbox.summary
        for failure in outbox.failures:
            app.note(f"GitHub could not be updated: {failure}")
    add_summary(app.environ, "\n".join(render_rollout_summary(result) for result in results) + problems)
    if app.json:
        stacks = [stack.document() for run in runs for stack in run.stacks]
        documents = [_environment_document(run) for run in runs]
        info = context.report("apply", ()).run.document()
        return app.emit("ci apply", code, run=info, environments=documents, stacks=stacks)
    for run in runs:
        print_environment(app, run)
    return code


def _exit_code(runs: Sequence[EnvironmentRun]) -> int:
    """The exit code over all environments; interrupted counts as partial once something was applied."""
    codes = [run.exit_code for run in runs]
    if int(Exit.INTERRUPTED) in codes and not any(run.applied for run in runs):
        return int(Exit.INTERRUPTED)
    return exit_code_of(int(Exit.PARTIAL) if code == int(Exit.INTERRUPTED) else code for code in codes)


def _environment_document(run: EnvironmentRun) -> dict[str, Any]:
    """An environment in `--json`."""
    return {
        "name": run.environment,
        "state": run.state,
        "pending": dict(run.pending),
        "behind": run.behind or None,
        "hold_reason": run.hold_reason or None,
        "error": run.error or None,
        "pull_requests": list(run.pull_requests),
        "verdicts": {id_: verdict.kind for id_, verdict in run.verdicts.items()},
        "checks": [{"name": c.name, "ok": c.ok, "message": c.message} for c in run.checks],
        "soak": round(run.soaked, 3),
        "notes": list(run.notes),
    }


def _refuse_other_options(options: CiApplyOptions) -> None:
    """Raises UsageError for options that do not go with --drift."""
    if len(options.environments) != 1:
        raise UsageError(
            "--drift belongs to one environment.", advice="Name it: `infra ci apply dev --drift …`."
        )
    if options.ticket or options.shard or options.skip_checks or options.manifest or options.sha256:
        raise UsageError(
            "--drift goes with none of --gate, --manifest, --sha256, --shard and --skip-checks.",
            advice="Leave them out.",
        )


def _remediate(app: App, session: Session, options: CiApplyOptions) -> int:
    """Remediates the drift that --drift names, and writes the report for the job that updates issues."""
    from orchestrator.cli.support.rollout import select_environments
    from orchestrator.cli.support.session import policy_inspection
    from orchestrator.drift import markdown as drift_markdown
    from orchestrator.drift.remediation_job import parse_digests, remediate_environment
    from orchestrator.drift.report_files import write_report
    from orchestrator.engine.recorder import RecorderOptions
    from orchestrator.forge.factory import add_summary
    from orchestrator.report.escape import text
    from orchestrator.review.rollout.apply import AutoConsent

    (environment,) = select_environments(session.context, options.environments)
    digests = parse_digests(options.drift)
    recorder_options = RecorderOptions(wait=options.wait, lock_timeout=60.0)
    inspect = policy_inspection(session.context)
    remediated = remediate_environment(
        session, environment, digests, AutoConsent(), recorder_options, inspect
    )
    if options.report:
        write_report(app.cwd / options.report, remediated.report)
    lines = "".join(f"- {text(line)}\n" for line in remediated.lines)
    add_summary(app.environ, f"{lines}\n{drift_markdown.render_summary(remediated.report)}")
    if app.json:
        document = remediated.report.document()
        return app.emit("ci apply --drift", remediated.code, **document, done=remediated.lines)
    for line in remediated.lines:
        app.write(line)
    return remediated.code


def _schedule_exit(app: App, context: RunContext, grace_period: float) -> None:
    """Exits after `grace_period` seconds, also while Terraform still runs; `infra ci finalize` follows it.

    GitHub sends SIGINT, SIGTERM after 7.5 seconds, and kills the step's tree after 2.5 more.
    """
    import threading

    def leave() -> None:
        import os

        running = context.supervisor.kill()
        app.note("Cancelled. These processes go on, and `infra ci finalize` follows them:")
        for process in running or ["none that changes anything"]:
            app.note(f"  {process}")
        os._exit(int(Exit.PARTIAL if context.supervisor.started_changes else Exit.INTERRUPTED))

    timer = threading.Timer(grace_period, leave)
    timer.daemon = True
    timer.start()

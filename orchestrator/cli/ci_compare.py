"""`infra ci compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    Reason,
    RolloutRequestOptions,
    json_option,
    rollout_request_options,
    with_options,
)
from orchestrator.cli.support.completers import complete_environments
from orchestrator.errors import Exit, InfraError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.engine.context import RunContext
    from orchestrator.engine.session import Session
    from orchestrator.forge.interface import Forge
    from orchestrator.report.rollout import EnvironmentResult
    from orchestrator.review.rollout.compare import EnvironmentComparison

EPILOG = """\b
Examples:
  infra ci compare prod                   in a job of trunk: must somebody approve before prod is applied?
  infra ci compare prod --report report   write the result for the job that comments
  infra ci compare prod --manifest prod.json --markdown prod.md
                                          in another CI: what somebody approves there, by its SHA-256
"""


@dataclass(frozen=True, kw_only=True)
class CiCompareOptions(JsonOptions, RolloutRequestOptions):
    """The options of `infra ci compare`."""

    environment: str
    report: str | None
    manifest: str | None
    markdown: str | None
    skip_checks: str
    parallelism: int | None


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV", shell_complete=complete_environments)
@click.option("--report", metavar="DIR", help="Write to DIR what has to be approved.")
@click.option("--manifest", metavar="FILE", help="Write the plans to FILE, and print its SHA-256.")
@click.option("--markdown", metavar="FILE", help="Write what has to be approved to FILE.")
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
@with_options(CiCompareOptions)
def command(app: App, options: CiCompareOptions) -> int:
    """Plan the pending stacks of an environment, and compare the plans with what was approved.

    Applies nothing. Writes outputs for the job to GITHUB_OUTPUT: `pending`, the number of stacks; `gate`,
    true if reviewers of the environment must approve first; `ticket`, which identifies the plans to approve.
    """
    from orchestrator.cli.support.session import run_session

    with run_session(app, parallelism=options.parallelism, trigger="ci") as session:
        return _compare(app, session, options)


def _compare(app: App, session: Session, options: CiCompareOptions) -> int:
    """Compares one environment, and publishes the result; returns the exit code."""
    from orchestrator.cli.support.reports import write_file
    from orchestrator.cli.support.rollout import (
        make_rollout_requests,
        open_forge_if_needed,
        select_environments,
    )
    from orchestrator.cli.support.session import print_report
    from orchestrator.forge.factory import add_summary, read_skip_reason
    from orchestrator.review.rollout.compare import compare_environment
    from orchestrator.review.rollout.results import write_result

    context = session.context
    (environment,) = select_environments(context, [options.environment])
    folder = app.cwd / options.report if options.report else None
    skip_checks = options.skip_checks or read_skip_reason(app.environ, environment)
    requests = make_rollout_requests(app, options, [environment])
    try:
        with open_forge_if_needed(app, context.project, [environment], posts=False) as forge:
            comparison = compare_environment(session, environment, forge, skip_checks, requests)
            ticket = _write_ticket(session, comparison, forge)
    except InfraError as error:
        if folder:
            write_result(folder, _failed_result(app, context, environment, error))
        raise
    if context.supervisor.interrupted:
        return int(Exit.INTERRUPTED)
    if comparison.hold:
        return _report_blocked(app, context, comparison, folder)
    outputs = {
        "pending": str(len(comparison.pending)),
        "gate": "true" if comparison.gate else "false",
        "ticket": ticket,
        "run": context.info.id,
        "checks_due": "true" if comparison.checks_due else "false",
    }
    sha256 = _write_manifest(app, context, comparison, options.manifest)
    _set_outputs(app, outputs | ({"manifest_sha256": sha256} if sha256 else {}))
    code = _exit_code(comparison)
    summary = _write_summary(app, context, comparison, folder, fails=bool(code))
    add_summary(app.environ, summary)
    if options.markdown:
        approved = f"\nSHA-256 of the manifest: `{sha256}`\n" if sha256 else ""
        write_file(app, options.markdown, f"{summary}{approved}")
    if app.json:
        verdicts = {id_: verdict.kind for id_, verdict in comparison.verdicts.items()}
        document = {**comparison.report.document(), "pending": dict(comparison.pending), "verdicts": verdicts}
        return app.emit(
            "ci compare",
            code,
            gate=comparison.gate,
            way_out=comparison.way_out if comparison.undecided else None,
            ticket=ticket or None,
            manifest_sha256=sha256 or None,
            checks_due=comparison.checks_due or None,
            **document,
        )
    print_report(app, comparison.report)
    for id_, verdict in comparison.verdicts.items():
        app.note(f"{id_}: {verdict.kind}{': ' if verdict.reason else ''}{verdict.reason}")
    app.write(f"{environment}: {len(comparison.pending)} pending; {_next_step(comparison)}")
    if comparison.checks_due:
        app.write(f"{environment}: its checks are due: {comparison.checks_due}.")
    if sha256:
        app.write(f"SHA-256 of {options.manifest}: {sha256}")
    return code


def _report_blocked(
    app: App, context: RunContext, comparison: EnvironmentComparison, folder: Path | None
) -> int:
    """Publishes that an environment waits for an earlier one; returns the exit code."""
    from orchestrator.cli.support.rollout import make_rollout_facts, print_environment
    from orchestrator.forge.factory import add_summary
    from orchestrator.report.rollout_comment import render_rollout_summary
    from orchestrator.review.rollout.environment_run import EnvironmentRun
    from orchestrator.review.rollout.results import build_result, write_result

    hold, pending = comparison.hold, comparison.pending
    if hold is None:
        raise ValueError(f"{comparison.environment} is not held")
    run = EnvironmentRun(
        comparison.environment, pending=pending, behind=hold.environment, hold_reason=hold.reason
    )
    result = build_result(make_rollout_facts(app, context), run)
    if folder:
        write_result(folder, result)
    outputs = {
        "pending": str(len(pending)),
        "gate": "false",
        "ticket": "",
        "run": context.info.id,
        "checks_due": "false",
    }
    _set_outputs(app, outputs)
    add_summary(app.environ, render_rollout_summary(result))
    if app.json:
        document = {
            **comparison.report.document(),
            "pending": dict(pending),
            "verdicts": {},
            "hold_reason": hold.reason,
        }
        return app.emit(
            "ci compare", run.exit_code, gate=False, way_out=None, ticket=None, checks_due=None, **document
        )
    print_environment(app, run)
    return run.exit_code


def _set_outputs(app: App, outputs: dict[str, str]) -> None:
    """Sets the outputs of the job's step; until 1.0 `pending` and `ticket` have their old names too."""
    from orchestrator.forge.factory import set_outputs

    set_outputs(app.environ, {**outputs, "owed": outputs["pending"], "seal": outputs["ticket"]})


def _write_ticket(session: Session, comparison: EnvironmentComparison, forge: Forge | None) -> str:
    """The ticket that names all plans shown at the gate, so that one approval is enough; else empty."""
    from orchestrator.review.gate import write_ticket

    if not comparison.gate or session.context.supervisor.interrupted:
        return ""
    digests = {id_: plan.inspected.digest for id_, plan in comparison.planned.items()}
    plans = {id_: digest for id_, digest in digests.items() if digest is not None}
    return str(write_ticket(session, comparison.environment, plans, forge))


def _write_manifest(
    app: App, context: RunContext, comparison: EnvironmentComparison, name: str | None
) -> str:
    """Writes the plans to the file that `--manifest` names; returns its SHA-256, empty without one."""
    from orchestrator.cli.support.reports import write_file
    from orchestrator.plan.digest import sha256
    from orchestrator.review.manifest import Manifest, encode_manifest

    if name is None or context.supervisor.interrupted:
        return ""
    digests = {id_: plan.inspected.digest for id_, plan in comparison.planned.items()}
    data = encode_manifest(
        Manifest(
            comparison.environment,
            context.info.commit,
            {id_: digest for id_, digest in digests.items() if digest is not None},
        )
    )
    write_file(app, name, data.decode(), private=True)
    return sha256(data)


def _next_step(comparison: EnvironmentComparison) -> str:
    """Which approval is needed, as the second half of a sentence."""
    from orchestrator.report.words import plural
    from orchestrator.review.gate import gate_name
    from orchestrator.review.rollout.compare import render_approve_advice

    count = len(comparison.undecided)
    if comparison.skip_checks:
        gate = gate_name(comparison.environment)
        return f"its checks are skipped if {gate} approves: {comparison.skip_checks}"
    if comparison.way_out == "manifest" and comparison.undecided:
        return f"{plural(count, 'stack')} must be approved by the SHA-256 of the manifest (--manifest FILE)."
    if comparison.gate:
        return f"{plural(count, 'stack')} must be approved in {gate_name(comparison.environment)}."
    if comparison.undecided:
        advice = render_approve_advice(comparison.environment, comparison.way_out)
        return f"{plural(count, 'stack')} will be refused, since nobody approved what it does. {advice}"
    return "nobody has to approve anything now."


def _exit_code(comparison: EnvironmentComparison) -> int:
    """The exit code; a stack that cannot be planned is left to the apply while another one can be applied."""
    going = any(plan.has_changes or plan.report.result == "waiting" for plan in comparison.planned.values())
    unchanged = all(plan.report.result == "unchanged" for plan in comparison.planned.values())
    return 0 if going or unchanged else comparison.report.exit_code


def _write_summary(
    app: App, context: RunContext, comparison: EnvironmentComparison, folder: Path | None, *, fails: bool
) -> str:
    """The step summary; where somebody must act, the result is written to `folder` too."""
    from orchestrator.report.rollout_comment import render_rollout_summary
    from orchestrator.review.rollout.results import write_result

    if not (comparison.undecided or comparison.skip_checks or fails):
        return f"{len(comparison.pending)} pending; {_next_step(comparison)}\n"
    result = _make_result(app, context, comparison)
    if folder:
        write_result(folder, result)
    return render_rollout_summary(result)


def _make_result(app: App, context: RunContext, comparison: EnvironmentComparison) -> EnvironmentResult:
    """The result of an environment that waits for its gate or is refused."""
    from dataclasses import replace

    from orchestrator.cli.support.rollout import make_rollout_facts
    from orchestrator.review.rollout.compare import describe_mismatch
    from orchestrator.review.rollout.environment_run import EnvironmentRun
    from orchestrator.review.rollout.results import build_result

    stacks = []
    for stack in comparison.report.stacks:
        verdict = comparison.verdicts.get(stack.id)
        if verdict and not verdict.may_apply:
            words = describe_mismatch(verdict) if verdict.kind == "mismatch" else verdict.reason
            stacks.append(replace(stack, result="blocked", reason=words))
        else:
            stacks.append(stack)
    report = context.report("compare", stacks)
    facts = make_rollout_facts(app, context)
    skip = f"Its checks are skipped if this is approved: {comparison.skip_checks}."
    notes = (context.mask(skip),) if comparison.skip_checks else ()
    run = EnvironmentRun(
        comparison.environment,
        report,
        comparison.pending,
        comparison.verdicts,
        way_out=comparison.way_out,
        notes=notes,
    )
    result = build_result(facts, run)
    if comparison.way_out == "manifest" and comparison.undecided:
        return replace(result, state="gate")
    return replace(result, state="gate", gate_url=facts.url) if comparison.gate else result


def _failed_result(app: App, context: RunContext, environment: str, error: InfraError) -> EnvironmentResult:
    """The result of an environment that could not be compared, for the pull requests."""
    from orchestrator.cli.support.rollout import make_rollout_facts
    from orchestrator.review.rollout.environment_run import EnvironmentRun
    from orchestrator.review.rollout.results import build_result

    message = context.mask(error.message)
    run = EnvironmentRun(environment, error=message, error_code=int(error.exit_code), notes=(error.advice,))
    return build_result(make_rollout_facts(app, context), run)

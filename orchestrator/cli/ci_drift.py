"""`infra ci drift`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit

if TYPE_CHECKING:
    from orchestrator.drift.report import DriftReport
    from orchestrator.forge.interface import Forge
    from orchestrator.forge.outbox import Outbox
    from orchestrator.repository.model import Project

EPILOG = """\b
Examples:
  infra ci drift reports                 in a job: issues, messages, and remediations
  infra ci drift reports --remediated    in a job: the results of remediations
  infra ci drift reports --dry-run       print what would be published
"""


@dataclass(frozen=True, kw_only=True)
class CiDriftOptions(JsonOptions):
    """The options of `infra ci drift`."""

    folders: tuple[str, ...]
    remediated: bool
    dry_run: bool


@click.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option(
    "--remediated", is_flag=True, help="The reports are about remediations: start no further remediation."
)
@click.option("--dry-run", is_flag=True, help="Print what would be published and started.")
@json_option
@with_options(CiDriftOptions)
def command(app: App, options: CiDriftOptions) -> int:
    """Publish the results of drift checks, and start the remediation that infra.yaml configures.

    DIR contains the reports of `infra drift --report`. Each stack (or environment) with drift has one issue,
    which is closed when the drift ends. To revert drift, the command starts infra-apply, which checks what is
    allowed; it opens pull requests itself. It needs no cloud account.
    """
    from orchestrator.drift.publish import merge_reports
    from orchestrator.drift.report_files import read_reports
    from orchestrator.forge.factory import open_forge

    project = app.project()
    # A remediation that never started has left no folder either.
    folders = [app.cwd / folder for folder in options.folders]
    reports = read_reports(folder for folder in folders if folder.exists() or not options.remediated)
    if options.remediated and not reports:
        app.write("No remediation was tried.")
        return 0
    report = merge_reports(reports, project, is_complete=not options.remediated)
    if options.dry_run:
        return _print_preview(app, project, report)
    with open_forge(app.environ) as forge:
        return _publish(app, project, report, forge, remediated=options.remediated)


def _print_preview(app: App, project: Project, report: DriftReport) -> int:
    """Prints what would be published and remediated; returns the exit code."""
    from datetime import UTC, datetime

    from orchestrator.drift import markdown as drift_markdown
    from orchestrator.drift.remediation_job import decide_all

    app.write(drift_markdown.render_summary(report))
    decided = decide_all(report.stacks, project.config.drift, datetime.now(UTC)).values()
    for remediation in [remediation for decision in decided for remediation in decision.remediations]:
        app.write(f"{remediation.stack}: {remediation.action} {', '.join(remediation.addresses)}")
    for skipped in [skipped for decision in decided for skipped in decision.skipped]:
        app.write(f"skipped: {skipped.words}")
    return 0


def _publish(app: App, project: Project, report: DriftReport, forge: Forge, *, remediated: bool) -> int:
    """Updates the issues, notifies, and starts remediations; returns the exit code."""
    from datetime import UTC, datetime

    from orchestrator.drift import markdown as drift_markdown
    from orchestrator.drift.publish import PublishContext, publish_report
    from orchestrator.drift.pull_request import open_pull_requests
    from orchestrator.drift.remediation_job import decide_all, group_digests, start_remediations
    from orchestrator.forge.factory import add_summary
    from orchestrator.report.escape import text

    outbox = publish_report(PublishContext(project, app.environ, forge), report, is_complete=not remediated)
    done: list[str] = []
    if not remediated:
        decided = decide_all(report.stacks, project.config.drift, datetime.now(UTC))
        for environment in start_remediations(
            forge, project.trunk_branch, group_digests(report.stacks, decided), outbox
        ):
            done.append(f"{environment}: infra-apply was started and remediates what is allowed.")
        remediations = [remediation for decision in decided.values() for remediation in decision.remediations]
        done += open_pull_requests(project, forge, remediations, outbox)
        done += [f"skipped: {skipped.words}" for decision in decided.values() for skipped in decision.skipped]
    lines = "".join(f"- {text(line)}\n" for line in done)
    add_summary(
        app.environ, f"{drift_markdown.render_summary(report)}{lines and f'{chr(10)}{lines}'}{outbox.summary}"
    )
    return _print_result(app, report, outbox, done)


def _print_result(app: App, report: DriftReport, outbox: Outbox, done: Sequence[str]) -> int:
    """Prints what was published; exit code 1 when something could not be published."""
    from orchestrator.drift import text as drift_text

    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        return app.emit(
            "ci drift",
            code,
            run=report.run.document(),
            done=list(done),
            failures=outbox.failures,
            unsent=outbox.unsent,
        )
    app.write(drift_text.render_verdict(report))
    for line in (*drift_text.list_findings(report), *done):
        app.write(line)
    for failure in outbox.failures:
        app.note(f"error: {failure}")
    for problem in outbox.unsent:
        app.note(f"warning: {problem}")
    return code

"""How drift is told beyond the terminal: by `infra ci drift`, by `infra drift --issues` on one machine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.ci.drift.dispatching import decisions, start, to_start
from orchestrator.ci.drift.pull_request import open_all
from orchestrator.ci.drift.reports import read_reports
from orchestrator.ci.drift.telling import Telling, joined, tell
from orchestrator.ci.outputs import add_summary
from orchestrator.ci.posting import Outbox
from orchestrator.cli.context import App
from orchestrator.errors import Exit
from orchestrator.hosts.github import open_host
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.report import drift_markdown, drift_words
from orchestrator.report.drift import DriftReport
from orchestrator.report.escape import text
from orchestrator.review.pending import trunk_branch

if TYPE_CHECKING:
    from orchestrator.cli.ci_drift import CiDriftOptions


def from_reports(app: App, options: CiDriftOptions) -> int:
    """Tell what the reports in some folders say; gives the exit code: 1 when somebody could not be told."""
    project = app.project()
    # A correction that never began has left no folder either.
    folders = [app.cwd / folder for folder in options.folders]
    reports = read_reports(folder for folder in folders if folder.exists() or not options.corrected)
    if options.corrected and not reports:
        app.write("Nothing was tried.")
        return 0
    report = joined(reports, project, whole=not options.corrected)
    if options.dry_run:
        app.write(drift_markdown.summary(report))
        decided = decisions(report.stacks, project.config.drift, datetime.now(UTC))
        for way in [way for one in decided.values() for way in one.corrections]:
            app.write(f"{way.stack}: {way.action} {', '.join(way.addresses)}")
        for left in [left for one in decided.values() for left in one.left]:
            app.write(f"left alone: {left.words}")
        return 0
    with open_host(app.environ) as host:
        return told(app, project, report, host, corrected=options.corrected)


def told(app: App, project: Project, report: DriftReport, host: Host, *, corrected: bool) -> int:
    """Keep the issues, send the message, and start what is to be put right."""
    outbox = tell(Telling(project, app.environ, host), report, whole=not corrected)
    done: list[str] = []
    if not corrected:
        decided = decisions(report.stacks, project.config.drift, datetime.now(UTC))
        for environment in start(host, trunk_branch(project), to_start(report.stacks, decided), outbox):
            done.append(f"{environment}: infra-apply puts right what it may.")
        done += open_all(project, host, [way for one in decided.values() for way in one.corrections], outbox)
        done += [f"left alone: {left.words}" for one in decided.values() for left in one.left]
    lines = "".join(f"- {text(line)}\n" for line in done)
    add_summary(
        app.environ, f"{drift_markdown.summary(report)}{lines and f'{chr(10)}{lines}'}{outbox.summary}"
    )
    return said(app, report, outbox, done)


def said(app: App, report: DriftReport, outbox: Outbox, done: Sequence[str]) -> int:
    """What was told, on the terminal."""
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        return app.emit(
            "ci drift", code, run=report.run.document(), done=list(done), failures=outbox.failures
        )
    app.write(drift_words.verdict(report))
    for line in drift_words.findings(report):
        app.write(line)
    for line in done:
        app.write(line)
    for failure in outbox.failures:
        app.note(f"error: {failure}")
    return code

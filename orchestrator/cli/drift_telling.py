"""How drift is told beyond the terminal: by `infra ci drift`, by `infra drift --issues` on one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.ci.drift_dispatching import decisions, start, to_start
from orchestrator.ci.drift_reports import read_reports
from orchestrator.ci.drift_telling import Telling, joined, tell
from orchestrator.ci.outputs import add_summary
from orchestrator.ci.posting import Outbox
from orchestrator.cli.context import App
from orchestrator.errors import Exit
from orchestrator.hosts.github import open_host
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.report import drift_markdown, drift_words
from orchestrator.report.drift import DriftReport


def from_reports(app: App, folders: Sequence[Path], asked: Mapping[str, Any]) -> int:
    """Tell what the reports in some folders say; gives the exit code: 1 when somebody could not be told."""
    project = app.project()
    reports = read_reports(folders)
    if asked["corrected"] and not reports:
        app.write("Nothing was tried.")
        return 0
    report = joined(reports, project, whole=not asked["corrected"])
    if asked["dry_run"]:
        app.write(drift_markdown.summary(report))
        for environment, digests in wanted(project, report).items():
            app.write(f"To be put right in {environment}: {', '.join(one[:12] for one in digests)}")
        return 0
    with open_host(app.environ) as host:
        return told(app, project, report, host, corrected=asked["corrected"])


def told(app: App, project: Project, report: DriftReport, host: Host, *, corrected: bool) -> int:
    """Keep the issues, send the message, and start what is to be put right."""
    outbox = tell(Telling(project, app.environ, host), report, whole=not corrected)
    started: list[str] = []
    if not corrected:
        trunk = project.config.trunk or app.environ.get("GITHUB_REF_NAME") or "main"
        started = start(host, trunk, wanted(project, report), outbox)
    add_summary(app.environ, drift_markdown.summary(report) + outbox.summary)
    return said(app, report, outbox, started)


def wanted(project: Project, report: DriftReport) -> dict[str, tuple[str, ...]]:
    """The digests of what infra.yaml has put right without a person, by environment."""
    decided = decisions(report.stacks, project.config.drift, datetime.now(UTC))
    return to_start(report.stacks, decided)


def said(app: App, report: DriftReport, outbox: Outbox, started: Sequence[str]) -> int:
    """What was told, on the terminal."""
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        return app.emit(
            "ci drift", code, run=report.run.document(), started=list(started), failures=outbox.failures
        )
    app.write(drift_words.verdict(report))
    for line in drift_words.findings(report):
        app.write(line)
    for environment in started:
        app.write(f"{environment}: infra-apply puts right what it may.")
    for failure in outbox.failures:
        app.note(f"error: {failure}")
    return code

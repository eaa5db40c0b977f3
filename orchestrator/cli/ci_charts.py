"""`infra ci charts`."""

from __future__ import annotations

import click

from orchestrator.cli.app import pass_app

EPILOG = """\b
Examples:
  infra ci charts        as a report hook: {name: charts, command: [infra, ci, charts]}
  infra ci report        run it, with the other report hooks, for this branch
"""


@click.command(epilog=EPILOG)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Report what a change makes of the manifests of Helm charts; for a `report` hook.

    Renders the charts of the repository that the affected stacks install, before and after the change, by the
    `helm` on PATH, and prints what differs. `infra ci report` runs it.
    """
    from orchestrator.process import Supervisor
    from orchestrator.review.chart_report import report_charts

    app = pass_app(ctx)
    supervisor = Supervisor()
    with supervisor.handling_signals(lambda processes: 1):
        app.write(report_charts(supervisor, app.environ).rstrip("\n"))
    return 0

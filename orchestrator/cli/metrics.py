"""`infra metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.atomic_files import write_text
from orchestrator.cli.app import App
from orchestrator.cli.options import Duration, JsonOptions, json_option, with_options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.insight.metrics import FigureGroup

EPILOG = """\b
Examples:
  infra metrics                                  the last 30 days, by environment
  infra metrics --since 90d --owner @acme/net    what one team's stacks did
  infra metrics --prometheus /var/lib/node_exporter/infra.prom
  infra metrics --json
"""


@dataclass(frozen=True, kw_only=True)
class MetricsOptions(JsonOptions):
    """The options of `infra metrics`; `since` is in seconds."""

    since: float
    owners: tuple[str, ...]
    prometheus: Path | None


@click.command(epilog=EPILOG)
@click.option(
    "--since",
    type=Duration(),
    default="30d",
    show_default=True,
    metavar="DURATION",
    help="The length of the window, which ends now.",
)
@click.option(
    "--owner", "owners", multiple=True, metavar="OWNER", help="Only the stacks of this owner; repeatable."
)
@click.option(
    "--prometheus",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the figures to FILE for Prometheus' node exporter.",
)
@json_option
@with_options(MetricsOptions)
def command(app: App, options: MetricsOptions) -> int:
    """Show how often, how fast and how well changes are deployed, and how much drifts.

    DORA's five keys, durations, waits and drift, by environment and owner, each with its definition.
    Writes nothing else, and does not run Terraform.
    """
    from datetime import UTC, datetime, timedelta

    from orchestrator.cli.support.dataset import DAY, hidden_documents, note_hidden, open_dataset
    from orchestrator.cli.terminal.query_views import metrics_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.insight.metrics import METRICS
    from orchestrator.insight.metrics_source import days_of_history, figure_groups

    if options.since <= 0:
        raise UsageError("--since 0s leaves nothing.", advice="For example: --since 30d")
    if "" in options.owners:
        raise UsageError("--owner wants a name.", advice="For example: --owner @acme/net")
    now = datetime.now(UTC).replace(microsecond=0)
    window = timedelta(seconds=options.since)
    with open_dataset(app, days=days_of_history(window)) as session:
        groups = figure_groups(session, now - window, now, owners=options.owners)
        unknown = sorted(set(options.owners) - {group.owner for group in groups})
        if unknown and not session.hidden:
            raise UsageError(
                f"{unknown[0]} owns no stack.", advice='infra query "SELECT DISTINCT owner FROM owners"'
            )
        names = [str(name) for (name,) in session.connection.run(_NAMES).rows]
        visible = {name: name not in {hidden.name for hidden in session.hidden} for name in names}
        if options.prometheus:
            _write_prometheus(app.cwd / options.prometheus, groups, visible, options.since / DAY, now)
        if options.as_json:
            return app.emit(
                "metrics",
                window={"since": f"{now - window:%Y-%m-%dT%H:%M:%SZ}", "until": f"{now:%Y-%m-%dT%H:%M:%SZ}"},
                definitions=[
                    {"key": metric.key, "title": metric.title, "unit": metric.unit, "definition": metric.text}
                    for metric in METRICS
                ],
                groups=[group.document() for group in groups],
                not_visible=hidden_documents(session),
            )
        note_hidden(app, session)
    if options.prometheus is None:
        print_pieces(app, metrics_view(METRICS, groups, with_owners=bool(options.owners)))
    return 0


_NAMES = "SELECT name FROM environments ORDER BY position"


def _write_prometheus(
    path: Path,
    groups: list[FigureGroup],
    visible: dict[str, bool],
    days: float,
    now: datetime,
) -> None:
    """The file, whole or not at all, and readable for the exporter."""
    from orchestrator.insight.prometheus import render_prometheus

    write_text(path, render_prometheus(groups, visible, days, now), mode=0o644)

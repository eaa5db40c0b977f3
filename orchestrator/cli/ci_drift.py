"""`infra ci drift`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra ci drift reports                 in a job: issues, a message, and what is to be put right
  infra ci drift reports --corrected     in a job: what came of putting it right
  infra ci drift reports --dry-run       what there would be to tell
"""


@dataclass(frozen=True, kw_only=True)
class CiDriftOptions(JsonOptions):
    """The options of `infra ci drift`."""

    folders: tuple[str, ...]
    corrected: bool
    dry_run: bool


@click.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option("--corrected", is_flag=True, help="They tell of corrections: nothing more is put right.")
@click.option("--dry-run", is_flag=True, help="Print; tell nobody and start nothing.")
@json_option
@with_options(CiDriftOptions)
def command(app: App, options: CiDriftOptions) -> int:
    """Tell what checks for drift found, and have put right what infra.yaml says.

    DIR holds what `infra drift --report` wrote. One issue for each stack (or environment) that drifts is kept
    up to date, and closed when that is over. Corrections by code are started as infra-apply, which finds out
    by itself what may be done; those by pull request are opened here. This needs no account of a cloud.
    """
    from orchestrator.cli.drift_telling import from_reports

    return from_reports(app, options)

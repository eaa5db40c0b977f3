"""`infra ci drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option

EPILOG = """\b
Examples:
  infra ci drift reports                 in a job: issues, a message, and what is to be put right
  infra ci drift reports --corrected     in a job: what came of putting it right
  infra ci drift reports --dry-run       what there would be to tell
"""


@click.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@click.option("--corrected", is_flag=True, help="They tell of corrections: nothing more is put right.")
@click.option("--dry-run", is_flag=True, help="Print; tell nobody and start nothing.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, folders: tuple[str, ...], **asked: Any) -> int:
    """Tell what checks for drift found, and have put right what infra.yaml says.

    DIR holds what `infra drift --report` wrote. One issue for each stack (or environment) that drifts is kept
    up to date, and closed when that is over. Corrections by code are started as infra-apply, which finds out
    by itself what may be done; those by pull request are opened here. This needs no account of a cloud.
    """
    from orchestrator.cli.drift_telling import from_reports

    app = pass_app(ctx)
    return from_reports(app, [app.cwd / Path(one) for one in folders], asked)

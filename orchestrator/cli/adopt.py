"""`infra adopt`."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option, selection
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra adopt dev/network     applied before infra came, and nothing to change
  infra adopt --all           every stack whose plan is empty
"""


@click.command(epilog=EPILOG)
@selection
@json_option
@click.pass_context
def command(ctx: click.Context, /, **asked: Any) -> int:
    """Record the current commit as applied, where a plan shows that it is.

    Nothing is applied. A stack whose plan is not empty is left as it is.
    """
    from orchestrator.cli.running import opened, tell, terms_of
    from orchestrator.run.adopting import adopt
    from orchestrator.run.recording import Recorder
    from orchestrator.terraform.client import PlanOptions

    if not asked["stacks"] and not asked["everything"]:
        raise UsageError("Say which stacks to adopt.", advice="Name them, or give --all.")
    app = pass_app(ctx)
    with opened(app, asked) as session:
        stacks = tuple(session.context.project.stacks)
        if not asked["everything"]:
            stacks = session.context.select(asked["stacks"], app.cwd)
        session.context.project.require(stacks)
        recorder = Recorder(session, "adopt", terms_of(asked), PlanOptions())
        return tell(app, adopt(session, recorder, stacks))

"""`infra adopt`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, SelectionOptions, json_option, selection, with_options
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra adopt dev/network     applied before infra came, and nothing to change
  infra adopt --all           every stack whose plan is empty
"""


@dataclass(frozen=True, kw_only=True)
class AdoptOptions(SelectionOptions, JsonOptions):
    """The options of `infra adopt`."""


@click.command(epilog=EPILOG)
@selection
@json_option
@with_options(AdoptOptions)
def command(app: App, options: AdoptOptions) -> int:
    """Record the current commit as applied, where a plan shows that it is.

    Nothing is applied. A stack whose plan is not empty is left as it is.
    """
    from orchestrator.cli.running import opened, tell
    from orchestrator.run.adopting import adopt
    from orchestrator.run.recording import Recorder, Terms
    from orchestrator.terraform.client import PlanOptions

    if not options.stacks and not options.everything:
        raise UsageError("Say which stacks to adopt.", advice="Name them, or give --all.")
    with opened(app) as session:
        stacks = tuple(session.context.project.stacks)
        if not options.everything:
            stacks = session.context.select(options.stacks, app.cwd)
        session.context.project.require(stacks)
        recorder = Recorder(session, "adopt", Terms(), PlanOptions())
        return tell(app, adopt(session, recorder, stacks))

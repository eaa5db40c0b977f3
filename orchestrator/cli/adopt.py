"""`infra adopt`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    SelectionOptions,
    json_option,
    selection_options,
    with_options,
)
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra adopt dev/network     applied without infra, and nothing to change
  infra adopt --all --dry-run   what would be adopted, what has changes, what is unmanaged
  infra adopt --all           every stack whose plan is empty
"""


@dataclass(frozen=True, kw_only=True)
class AdoptOptions(SelectionOptions, JsonOptions):
    """The options of `infra adopt`."""

    dry_run: bool


@click.command(epilog=EPILOG)
@selection_options
@click.option("--dry-run", is_flag=True, help="Show what would be adopted, without recording it.")
@json_option
@with_options(AdoptOptions)
def command(app: App, options: AdoptOptions) -> int:
    """Record the current commit as applied for stacks whose plan is empty.

    Applies nothing. The report also names stacks with changes, and root modules and states that belong to no
    stack.

    Needs the name of a stack, or --all for every stack.
    """
    from orchestrator.cli.support.session import narrow, print_result, run_session
    from orchestrator.engine.adopt import adopt
    from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
    from orchestrator.terraform.client import PlanOptions

    if not options.stacks and not options.everything:
        raise UsageError("Say which stacks to adopt.", advice="Name them, or give --all.")
    with run_session(app) as session:
        stacks = tuple(session.context.project.stacks)
        if not options.everything:
            stacks = session.context.select(options.stacks, app.cwd)
        stacks, _ = narrow(app, session.context.project, options, stacks)
        session.context.project.require_some(stacks)
        recorder = LedgerRecorder(session, "adopt", RecorderOptions(), PlanOptions())
        report, unmanaged = adopt(session, recorder, stacks, dry_run=options.dry_run)
        if app.json:
            return app.emit("adopt", report.exit_code, **report.document(), unmanaged=unmanaged.document())
        return print_result(app, report)

"""`infra resume`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    ConsentOptions,
    CoordinationOptions,
    JsonOptions,
    consent_options,
    coordination_options,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_runs

EPILOG = """\b
Examples:
  infra resume                     whatever is unfinished
  infra resume prod/network        one stack
  infra resume 20260102T030405Z-1a2b3c     what one run left unfinished
  infra resume prod/network --forget google_service_account_key.ci     that key stays where it is
"""


@dataclass(frozen=True, kw_only=True)
class ResumeOptions(ConsentOptions, CoordinationOptions, JsonOptions):
    """The options of `infra resume`."""

    names: tuple[str, ...]
    forget: tuple[str, ...]
    replaces: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[RUN | STACK]...", shell_complete=complete_runs)
@click.option(
    "--forget",
    multiple=True,
    metavar="ADDRESS",
    help="Leave the object created for ADDRESS unmanaged; the history records it.",
)
@click.option(
    "--replace", "replaces", multiple=True, metavar="ADDRESS", help="Replace the object created for ADDRESS."
)
@consent_options
@coordination_options
@json_option
@with_options(ResumeOptions)
def command(app: App, options: ResumeOptions) -> int:
    """Finish an interrupted apply, on any machine.

    Waits for Terraform if it still runs, releases the lock of the dead run, pushes the state that it could
    not save, and imports resources that are missing from the state. Then plans, asks, and applies the rest.
    Names resources that cannot be imported, with the provider's message, and continues with the others.

    Without a name, finishes everything that was interrupted.
    """
    from orchestrator.cli.support.session import (
        make_consent,
        make_recorder_options,
        policy_inspection,
        print_result,
        run_session,
    )
    from orchestrator.engine.pipeline import EMERGENCY, refuse_outside_ci
    from orchestrator.engine.recorder import LedgerRecorder
    from orchestrator.engine.resume import resume, unfinished
    from orchestrator.engine.rollout_options import ResumeChoices
    from orchestrator.terraform.client import PlanOptions

    with run_session(app) as session:
        unfinished_stacks = unfinished(session, options.names, app.cwd)
        if not unfinished_stacks and not app.json:
            app.write("Nothing is unfinished.")
            return 0
        recorder = LedgerRecorder(session, "resume", make_recorder_options(options), PlanOptions())
        stacks = [unfinished_stack.stack.id for unfinished_stack in unfinished_stacks]
        instead = f"`infra resume {' '.join(stacks)}`. {EMERGENCY}"
        refuse_outside_ci(session.context, stacks, options.break_glass, instead=instead)
        consent = make_consent(app, session.context, options, "apply")
        choices = ResumeChoices(options.forget, options.replaces)
        report = resume(
            session, recorder, unfinished_stacks, consent, policy_inspection(session.context), choices
        )
        return print_result(app, report, after_report=True)

"""`infra resume`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import (
    ConsentOptions,
    JsonOptions,
    TermsOptions,
    consent_options,
    json_option,
    terms_options,
    with_options,
)

EPILOG = """\b
Examples:
  infra resume                     whatever is unfinished
  infra resume prod/network        one stack
  infra resume 20260102T030405Z-1a2b3c     what one run left
  infra resume prod/network --forget google_service_account_key.ci     that key stays where it is
"""


@dataclass(frozen=True, kw_only=True)
class ResumeOptions(ConsentOptions, TermsOptions, JsonOptions):
    """The options of `infra resume`."""

    names: tuple[str, ...]
    forget: tuple[str, ...]
    replaces: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[RUN | STACK]...")
@click.option(
    "--forget",
    multiple=True,
    metavar="ADDRESS",
    help="Leave what was created for ADDRESS alone, in no state; the history remembers it.",
)
@click.option(
    "--replace", "replaces", multiple=True, metavar="ADDRESS", help="Replace what was created for ADDRESS."
)
@consent_options
@terms_options
@json_option
@with_options(ResumeOptions)
def command(app: App, options: ResumeOptions) -> int:
    """Finish an apply that was interrupted, wherever that was.

    Follows a Terraform that still runs; releases the lock that the dead run left; pushes the state that it
    could not save; imports what it created and no state knows. Then plans, asks, and applies the rest. What
    cannot be imported is named with the provider's answer, and keeps nothing else from being applied.
    """
    from orchestrator.cli.running import consent_of, opened, policy_inspection, tell, terms_of
    from orchestrator.run.pipeline import refuse_outside_ci
    from orchestrator.run.recording import Recorder
    from orchestrator.run.resuming import resume, unfinished
    from orchestrator.run.rollout_options import ResumeChoices
    from orchestrator.terraform.client import PlanOptions

    with opened(app) as session:
        found = unfinished(session, options.names)
        if not found and not app.json:
            app.write("Nothing is unfinished.")
            return 0
        recorder = Recorder(session, "resume", terms_of(options), PlanOptions())
        refuse_outside_ci(session.context, [one.stack.id for one in found], options.break_glass)
        consent = consent_of(app, session.context, options, "apply")
        choices = ResumeChoices(options.forget, options.replaces)
        report = resume(session, recorder, found, consent, policy_inspection(session.context), choices)
        return tell(app, report, shown=True)

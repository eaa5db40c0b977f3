"""`infra destroy`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    ConsentOptions,
    CoordinationOptions,
    DisplayOptions,
    JsonOptions,
    RequestOptions,
    consent_options,
    coordination_options,
    display_options,
    json_option,
    selection_options,
    terraform_options,
    with_options,
)
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra destroy dev/service        one stack
  infra destroy dev                all of dev, what reads first
  infra destroy --all --auto-approve --allow-destroy --confirm prod
"""


@dataclass(frozen=True, kw_only=True)
class DestroyOptions(RequestOptions, DisplayOptions, ConsentOptions, CoordinationOptions, JsonOptions):
    """The options of `infra destroy`."""


@click.command(epilog=EPILOG)
@selection_options
@terraform_options
@display_options
@consent_options
@coordination_options
@json_option
@with_options(DestroyOptions)
def command(app: App, options: DestroyOptions) -> int:
    """Destroy stacks in reverse order: dependents before the stacks that they read.

    Needs the name of a stack, or --all for every stack.
    """
    from orchestrator.cli.support.session import (
        given_variables,
        make_consent,
        make_recorder_options,
        make_run_request,
        print_result,
        run_session,
    )
    from orchestrator.engine import pipeline

    if not options.stacks and not options.everything:
        raise UsageError("Say which stacks to destroy.", advice="Name them, or give --all.")
    with run_session(
        app, parallelism=options.parallelism, variables=given_variables(app, options)
    ) as session:
        request = make_run_request(
            app,
            session,
            options,
            with_dependents=False,
            destroy=True,
            recorder_options=make_recorder_options(options),
        )
        consent = make_consent(app, session.context, options, "destroy")
        consent.before_plan(session.context.protected(request.stacks))
        return print_result(app, pipeline.apply(session, request, consent), after_report=True)

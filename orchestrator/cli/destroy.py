"""`infra destroy`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import (
    ConsentOptions,
    JsonOptions,
    RequestOptions,
    TermsOptions,
    consent_options,
    json_option,
    selection,
    terms_options,
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
class DestroyOptions(RequestOptions, ConsentOptions, TermsOptions, JsonOptions):
    """The options of `infra destroy`."""


@click.command(epilog=EPILOG)
@selection
@terraform_options
@consent_options
@terms_options
@json_option
@with_options(DestroyOptions)
def command(app: App, options: DestroyOptions) -> int:
    """Destroy stacks in reverse order: what reads an output goes before what gives it."""
    from orchestrator.cli.running import consent_of, opened, request_of, tell, terms_of
    from orchestrator.run import pipeline

    if not options.stacks and not options.everything:
        raise UsageError("Say which stacks to destroy.", advice="Name them, or give --all.")
    with opened(app, parallelism=options.parallelism, variables=options.variables) as session:
        request = request_of(
            app, session, options, with_followers=False, destroy=True, terms=terms_of(options)
        )
        consent = consent_of(app, session.context, options, "destroy")
        consent.before_plan(session.context.protected(request.stacks))
        return tell(app, pipeline.apply(session, request, consent), shown=True)

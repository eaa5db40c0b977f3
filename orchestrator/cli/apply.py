"""`infra apply`."""

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
    pending_option,
    selection,
    terms_options,
    terraform_options,
    with_options,
)
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra apply dev/network          plan one stack, ask, apply
  infra apply --all                everything, in promotion order
  infra apply prod --confirm prod --auto-approve      off a terminal
  infra apply --pending            what trunk owes, whatever the change of the day
  infra apply --plan plans         what `infra plan --out plans` kept
"""


@dataclass(frozen=True, kw_only=True)
class ApplyOptions(RequestOptions, ConsentOptions, TermsOptions, JsonOptions):
    """The options of `infra apply`; `plans` is the folder of saved plans."""

    plans: str | None
    pending: bool


@click.command(epilog=EPILOG)
@selection
@click.option("--plan", "plans", metavar="DIR", help="Apply the plans that `infra plan --out DIR` kept.")
@pending_option
@terraform_options
@consent_options
@terms_options
@json_option
@with_options(ApplyOptions)
def command(app: App, options: ApplyOptions) -> int:
    """Plan, show, ask, and apply exactly what was shown.

    Environments follow each other in promotion order; inside one, a stack starts when those it reads have
    ended. What fails stops what stands on it and later environments; the rest goes on.
    """
    from orchestrator.cli.running import consent_of, opened, policy_inspection, request_of, tell, terms_of
    from orchestrator.run import pipeline

    if options.plans and (
        options.everything or options.pending or options.variables or options.targets or options.replaces
    ):
        raise UsageError(
            "A kept plan is applied as it is.",
            advice="Leave --all, --pending, --var, --target and --replace to the plan.",
        )
    terms = terms_of(options)
    with opened(app, parallelism=options.parallelism, variables=options.variables) as session:
        context = session.context
        consent = consent_of(app, context, options, "apply")
        if options.plans:
            names = context.select(options.stacks, app.cwd) if options.stacks else ()
            report = pipeline.apply_kept(
                session, app.cwd / options.plans, names, consent, terms, policy_inspection(context)
            )
            return tell(app, report, shown=True)
        request = request_of(app, session, options, pending=options.pending, terms=terms)
        consent.before_plan(context.protected(request.stacks))
        return tell(app, pipeline.apply(session, request, consent), shown=True)

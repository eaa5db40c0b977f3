"""`infra apply`."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import (
    consent_options,
    json_option,
    pending_option,
    selection,
    terms_options,
    terraform_options,
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


@click.command(epilog=EPILOG)
@selection
@click.option("--plan", "kept", metavar="DIR", help="Apply the plans that `infra plan --out DIR` kept.")
@pending_option
@terraform_options
@consent_options
@terms_options
@json_option
@click.pass_context
def command(ctx: click.Context, /, kept: str | None, **asked: Any) -> int:
    """Plan, show, ask, and apply exactly what was shown.

    Environments follow each other in promotion order; inside one, a stack starts when those it reads have
    ended. What fails stops what stands on it and later environments; the rest goes on.
    """
    from orchestrator.cli.running import consent_of, opened, policy_inspection, request_of, tell, terms_of
    from orchestrator.run import pipeline

    app = pass_app(ctx)
    if kept and (
        asked["everything"] or asked["pending"] or asked["variables"] or asked["targets"] or asked["replaces"]
    ):
        raise UsageError(
            "A kept plan is applied as it is.",
            advice="Leave --all, --pending, --var, --target and --replace to the plan.",
        )
    with opened(app, asked) as session:
        consent = consent_of(app, session.context, asked, "apply")
        if kept:
            names = session.context.select(asked["stacks"], app.cwd) if asked["stacks"] else ()
            report = pipeline.apply_kept(
                session, app.cwd / kept, names, consent, terms_of(asked), policy_inspection(session.context)
            )
            return tell(app, report, shown=True)
        request = request_of(app, session, asked, with_followers=True)
        return tell(app, pipeline.apply(session, request, consent), shown=True)

"""`infra destroy`."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import consent_options, json_option, selection, terms_options, terraform_options
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra destroy dev/service        one stack
  infra destroy dev                all of dev, what reads first
  infra destroy --all --auto-approve --allow-destroy --confirm prod
"""


@click.command(epilog=EPILOG)
@selection
@terraform_options
@consent_options
@terms_options
@json_option
@click.pass_context
def command(ctx: click.Context, /, **asked: Any) -> int:
    """Destroy stacks in reverse order: what reads an output goes before what gives it."""
    from orchestrator.cli.running import consent_of, opened, request_of, tell
    from orchestrator.run import pipeline

    if not asked["stacks"] and not asked["everything"]:
        raise UsageError("Say which stacks to destroy.", advice="Name them, or give --all.")
    app = pass_app(ctx)
    with opened(app, asked) as session:
        request = request_of(app, session, {**asked, "destroy": True}, with_followers=False)
        return tell(
            app,
            pipeline.apply(session, request, consent_of(app, session.context, asked, "destroy")),
            shown=True,
        )

"""`infra ci account`."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option

EPILOG = """\b
Examples:
  infra ci account prod apply                          account=infra-prod-apply@…
  infra ci account prod plan --base origin/main        as trunk says, whatever a pull request says
  infra ci account dev drift >> "$GITHUB_OUTPUT"       in a job, for google-github-actions/auth
"""


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV")
@click.argument("use", type=click.Choice(["plan", "apply", "drift"]))
@click.option("--base", metavar="REF", help="Read infra.yaml of this commit, not of the checkout.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, use: str, base: str | None, as_json: bool) -> int:
    """Print which service account a job is to act as, the way GITHUB_OUTPUT takes it.

    Plans of pull requests take `--base`: which account a change is planned with is not for the change to say.
    """
    from orchestrator.ci.accounts import account_of

    app = pass_app(ctx)
    account = account_of(app.project(), environment, use, base)
    if as_json:
        return app.emit("ci account", environment=environment, use=use, account=account)
    app.write(f"account={account}")
    return 0

"""`infra ci account`."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option
from orchestrator.errors import UsageError

USES = ("plan", "apply", "drift")

EPILOG = """\b
Examples:
  infra ci account prod apply                          account=infra-prod-apply@…
  infra ci account prod plan --base origin/main        as trunk says, whatever a pull request says
  infra ci account dev drift >> "$GITHUB_OUTPUT"       in a job, for google-github-actions/auth
  infra ci account attest --base origin/main           the account that attests plans, of all environments
"""


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV|attest")
@click.argument("use", required=False, metavar="[plan|apply|drift]", type=click.Choice(USES))
@click.option("--base", metavar="REF", help="Read infra.yaml of this commit, not of the checkout.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, use: str | None, base: str | None, as_json: bool) -> int:
    """Print which service account a job is to act as, the way GITHUB_OUTPUT takes it.

    Plans of pull requests take `--base`: which account a change is planned with is not for the change to say.
    """
    from orchestrator.ci.accounts import ATTEST, account_of, attest_account

    app = pass_app(ctx)
    if use is None and environment != ATTEST:
        raise UsageError(
            f"Which account of {environment}?", advice=f"`infra ci account {environment} {'|'.join(USES)}`"
        )
    project = app.project()
    account = account_of(project, environment, use, base) if use else attest_account(project, base)
    if as_json:
        named = environment if use else None
        return app.emit("ci account", environment=named, use=use or ATTEST, account=account)
    app.write(f"account={account}")
    return 0

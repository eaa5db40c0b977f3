"""`infra ci account`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import UsageError

USES = ("plan", "apply", "drift")

EPILOG = """\b
Examples:
  infra ci account prod apply                          account=infra-prod-apply@…
  infra ci account prod plan --base origin/main        as trunk says, whatever a pull request says
  infra ci account dev drift >> "$GITHUB_OUTPUT"       in a job, for google-github-actions/auth
  infra ci account attest --base origin/main           the account that attests plans, of all environments
"""


@dataclass(frozen=True, kw_only=True)
class CiAccountOptions(JsonOptions):
    """The options of `infra ci account`."""

    environment: str
    use: str | None
    base: str | None


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV|attest")
@click.argument("use", required=False, metavar="[plan|apply|drift]", type=click.Choice(USES))
@click.option("--base", metavar="REF", help="Read infra.yaml at this commit instead of the checkout.")
@json_option
@with_options(CiAccountOptions)
def command(app: App, options: CiAccountOptions) -> int:
    """Print the service account for a job, in the format of GITHUB_OUTPUT.

    For the plan of a pull request, use `--base`, so that the pull request cannot choose its own account.

    Needs a use, except for `attest`.
    """
    from orchestrator.review.accounts import ATTEST, find_account, find_attest_account

    if options.use is None and options.environment != ATTEST:
        raise UsageError(
            f"Which account of {options.environment}?",
            advice=f"`infra ci account {options.environment} {'|'.join(USES)}`",
        )
    project = app.project()
    account = (
        find_account(project, options.environment, options.use, options.base)
        if options.use
        else find_attest_account(project, options.base)
    )
    if options.as_json:
        named = options.environment if options.use else None
        return app.emit("ci account", environment=named, use=options.use or ATTEST, account=account)
    app.write(f"account={account}")
    return 0

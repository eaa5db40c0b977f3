"""`infra run`."""

from __future__ import annotations

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import pass_app
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra run dev/network -- state list
  infra run dev/network -- console
  infra run dev/network -- import google_compute_network.main projects/p/global/networks/n
"""


@click.command(
    epilog=EPILOG, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- TERRAFORM ARGS...")
@click.pass_context
def command(ctx: click.Context, stack: str, arguments: tuple[str, ...]) -> int:
    """Run any Terraform command in a stack, with our init, environment and supervision around it.

    A command that changes state never asks, and outlives a lost terminal. The exit code is Terraform's.
    """
    from orchestrator.cli.running import opened
    from orchestrator.run.looking import run_terraform

    app = pass_app(ctx)
    if arguments[:1] == ("--",):
        arguments = arguments[1:]
    if not arguments:
        raise UsageError(
            "Say which Terraform command to run.", advice=f"For example: infra run {stack} -- show"
        )
    with opened(app, {}) as session:
        return run_terraform(
            session, session.one(stack), arguments, app.stdout, app.stderr, app.stdin.isatty()
        )

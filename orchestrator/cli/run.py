"""`infra run`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import AnswerOptions, Duration, Reason, with_options
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra run dev/network -- state list
  infra run dev/network -- console
  infra run dev/network -- import google_compute_network.main projects/p/global/networks/n
  infra run --auto-approve --confirm prod prod/network -- state rm google_compute_network.old
"""


@dataclass(frozen=True, kw_only=True)
class RunOptions(AnswerOptions):
    """The options of `infra run`; `arguments` are Terraform's, `wait` is in seconds."""

    stack: str
    arguments: tuple[str, ...]
    break_glass: str | None
    wait: float


@click.command(
    epilog=EPILOG, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("--auto-approve", is_flag=True, help="Do not ask before a command that changes state.")
@click.option("--confirm", "confirmed", multiple=True, metavar="ENV", help="Yes, protected ENV too.")
@click.option(
    "--break-glass",
    type=Reason(),
    metavar="REASON",
    help="Change state where only CI does; the ledger remembers why.",
)
@click.option(
    "--wait",
    type=Duration(),
    default=0.0,
    metavar="DURATION",
    help="Wait so long for another run on the same stack, such as 10m.",
)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- TERRAFORM ARGS...")
@with_options(RunOptions)
def command(app: App, options: RunOptions) -> int:
    """Run any Terraform command in a stack, with our init, environment and supervision around it.

    Options of infra stand before the stack. A command that changes state asks first, honours `protected`
    and `apply: ci`, takes the stack in the ledger and is recorded there; it has no input, and outlives a
    lost terminal. `apply`, `destroy`, `refresh`, `force-unlock` and `workspace` are refused: infra has
    commands of its own. The exit code is Terraform's.
    """
    from orchestrator.cli.consent import confirm_change
    from orchestrator.cli.running import opened
    from orchestrator.run.recording import Terms
    from orchestrator.run.terraform_run import Streams, run_terraform

    arguments = options.arguments[1:] if options.arguments[:1] == ("--",) else options.arguments
    if not arguments:
        raise UsageError(
            "Say which Terraform command to run.", advice=f"For example: infra run {options.stack} -- show"
        )
    with opened(app) as session:
        target = session.context.one(options.stack)

        def consent() -> None:
            question = f"Run `terraform {' '.join(arguments[:2])}` on {target.id}?"
            confirm_change(app, session.context, target.id, "change a state", question, options)

        streams = Streams(app.stdout, app.stderr, app.stdin.isatty())
        terms = Terms(wait=options.wait, break_glass=options.break_glass)
        return run_terraform(session, target, arguments, streams, terms, consent)

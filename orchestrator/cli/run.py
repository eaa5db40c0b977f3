"""`infra run`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    AnswerOptions,
    Duration,
    Reason,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks
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
@click.option(
    "--auto-approve", is_flag=True, help="Skip the confirmation prompt of a command that changes state."
)
@click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="ENV",
    help="Confirm the protected environment ENV without a prompt.",
)
@click.option(
    "--break-glass",
    type=Reason(),
    metavar="REASON",
    help="Change state where only CI may; the reason is recorded in the ledger.",
)
@click.option(
    "--wait",
    type=Duration(),
    default=0.0,
    metavar="DURATION",
    help="How long to wait for another run on the same stack, such as 10m.",
)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- TERRAFORM ARGS...")
@with_options(RunOptions)
def command(app: App, options: RunOptions) -> int:
    """Run a Terraform command in a stack, with the safety of an apply.

    Put options of infra before the stack. A command that changes a state asks first, respects `protected` and
    `apply: ci`, and is recorded in the ledger; it has no input, and continues if the terminal is closed.
    Refuses `apply`, `destroy`, `refresh`, `force-unlock` and `workspace`, for which infra has its own
    commands. Exits with Terraform's code.

    Needs a Terraform command after the stack.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.terminal.consent import confirm_change
    from orchestrator.engine.recorder import RecorderOptions
    from orchestrator.engine.terraform_command import CommandStreams, run_terraform

    arguments = options.arguments[1:] if options.arguments[:1] == ("--",) else options.arguments
    if not arguments:
        raise UsageError(
            "Say which Terraform command to run.", advice=f"For example: infra run {options.stack} -- show"
        )
    with run_session(app) as session:
        target = session.context.select_one(options.stack, app.cwd)

        def consent() -> None:
            question = f"Run `terraform {' '.join(arguments[:2])}` on {target.id}?"
            confirm_change(app, session.context, target.id, "change a state", question, options)

        consoles = [app.console(), app.console(app.stderr)]
        streams = CommandStreams(
            app.stdout,
            app.stderr,
            is_terminal=app.stdin.isatty(),
            has_color=all(console.is_terminal and not console.no_color for console in consoles),
        )
        recorder_options = RecorderOptions(wait=options.wait, break_glass=options.break_glass)
        return run_terraform(session, target, arguments, streams, recorder_options, consent)

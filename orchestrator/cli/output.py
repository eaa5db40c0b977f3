"""`infra output`."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    with_options,
)
from orchestrator.cli.support.completers import complete_outputs, complete_stacks
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra output dev/network                 every output; sensitive ones are hidden
  infra output dev/network network_id      one value, quoted as JSON
  infra output dev/network network_id --raw    for a shell
  infra output dev/network --json          in Terraform's own format, sensitive values in clear
"""


@dataclass(frozen=True, kw_only=True)
class OutputOptions(JsonOptions):
    """The options of `infra output`."""

    stack: str
    name: str | None
    raw: bool


@click.command(epilog=EPILOG)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("name", required=False, shell_complete=complete_outputs)
@click.option(
    "--json", "as_json", is_flag=True, help="Print Terraform's JSON; sensitive values are not masked."
)
@click.option("--raw", is_flag=True, help="Print one string, number or bool without quotes.")
@with_options(OutputOptions)
def command(app: App, options: OutputOptions) -> int:
    """Print a stack's outputs, read from its state.

    Without NAME, prints all of them.
    """
    from orchestrator.cli.support.session import read_only_session
    from orchestrator.engine.state_queries import outputs_of, shown_outputs

    session = read_only_session(app, app.project())
    outputs = outputs_of(session, session.context.select_one(options.stack, app.cwd))
    if options.raw and options.as_json:
        raise UsageError("--raw and --json exclude each other.", advice="Leave one out.")
    if options.raw and not options.name:
        raise UsageError(
            "--raw prints one output.", advice=f"Name it: {', '.join(outputs) or 'there is none'}."
        )
    if options.name is None:
        if options.as_json:
            app.data(json.dumps(outputs, indent=2, ensure_ascii=False))
            return 0
        for key, text in shown_outputs(session.context, outputs).items():
            app.write(f"{key} = {text}")
        return 0
    if options.name not in outputs:
        raise UsageError(
            f"{options.stack} has no output {options.name!r}.",
            advice=f"It has: {', '.join(outputs) or 'none'}.",
        )
    value = outputs[options.name]["value"]
    if options.raw and not isinstance(value, str | int | float | bool):
        raise UsageError(f"{options.name} is not a text, number or bool.", advice="Use --json.")
    plain = value if isinstance(value, str) else json.dumps(value)
    app.data(plain if options.raw else json.dumps(value, ensure_ascii=False))
    return 0

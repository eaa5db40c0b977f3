"""`infra output`."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, with_options
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
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Terraform's own JSON, sensitive values in clear.")
@click.option("--raw", is_flag=True, help="One text, number or bool as it is, without quotes.")
@with_options(OutputOptions)
def command(app: App, options: OutputOptions) -> int:
    """Print a stack's outputs, read from its state."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import outputs_of, shown_outputs

    session = quick_session(app, app.project())
    found = outputs_of(session, session.context.one(options.stack))
    if options.raw and options.as_json:
        raise UsageError("--raw and --json exclude each other.", advice="Leave one out.")
    if options.raw and not options.name:
        raise UsageError(
            "--raw prints one output.", advice=f"Name it: {', '.join(found) or 'there is none'}."
        )
    if options.name is None:
        if options.as_json:
            app.data(json.dumps(found, indent=2, ensure_ascii=False))
            return 0
        for key, text in shown_outputs(session.context, found).items():
            app.write(f"{key} = {text}")
        return 0
    if options.name not in found:
        raise UsageError(
            f"{options.stack} has no output {options.name!r}.",
            advice=f"It has: {', '.join(found) or 'none'}.",
        )
    value = found[options.name]["value"]
    if options.raw and not isinstance(value, str | int | float | bool):
        raise UsageError(f"{options.name} is not a text, number or bool.", advice="Use --json.")
    plain = value if isinstance(value, str) else json.dumps(value)
    app.data(plain if options.raw else json.dumps(value, ensure_ascii=False))
    return 0

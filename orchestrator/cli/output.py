"""`infra output`."""

from __future__ import annotations

import json

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import pass_app
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra output dev/network                 every output; sensitive ones are hidden
  infra output dev/network network_id      one value, quoted as JSON
  infra output dev/network network_id --raw    for a shell
  infra output dev/network --json          in Terraform's own format, sensitive values in clear
"""


@click.command(epilog=EPILOG)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Terraform's own JSON, sensitive values in clear.")
@click.option("--raw", is_flag=True, help="One text, number or bool as it is, without quotes.")
@click.pass_context
def command(ctx: click.Context, stack: str, name: str | None, as_json: bool, raw: bool) -> int:
    """Print a stack's outputs, read from its state."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.looking import outputs_of, shown_outputs

    app = pass_app(ctx)
    session = quick_session(app, app.project())
    found = outputs_of(session, session.context.one(stack))
    if raw and as_json:
        raise UsageError("--raw and --json exclude each other.", advice="Leave one out.")
    if raw and not name:
        raise UsageError(
            "--raw prints one output.", advice=f"Name it: {', '.join(found) or 'there is none'}."
        )
    if name is None:
        if as_json:
            app.data(json.dumps(found, indent=2, ensure_ascii=False))
            return 0
        for key, text in shown_outputs(session.context, found).items():
            app.write(f"{key} = {text}")
        return 0
    if name not in found:
        raise UsageError(f"{stack} has no output {name!r}.", advice=f"It has: {', '.join(found) or 'none'}.")
    value = found[name]["value"]
    if raw and not isinstance(value, str | int | float | bool):
        raise UsageError(f"{name} is not a text, number or bool.", advice="Use --json.")
    plain = value if isinstance(value, str) else json.dumps(value)
    app.data(plain if raw else json.dumps(value, ensure_ascii=False))
    return 0

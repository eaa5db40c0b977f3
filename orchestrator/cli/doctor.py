"""`infra doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option
from orchestrator.errors import Exit, GitError

EPILOG = """\b
Examples:
  infra doctor
  infra doctor --json
"""

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@click.command(epilog=EPILOG)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Check git, Terraform, versions, the bucket and the lock files. Exit 1 when something is wrong."""
    from rich.text import Text

    from orchestrator.run.doctoring import Check, examine, outside

    app = pass_app(ctx)
    console = app.console()
    checks: list[Check] = []
    try:
        found = examine(app.project(), app.environ)
    except GitError:
        found = iter(outside(app.cwd))
    for check in found:
        checks.append(check)
        if not as_json:
            sign, style = SIGNS[check.status]
            console.print(Text.assemble((f"{sign} ", style), (f"{check.name}: ", "bold"), check.message))
            if check.advice:
                console.print(Text(f"  → {check.advice}"))
    code = int(Exit.ERROR if any(check.status == "error" for check in checks) else Exit.OK)
    return app.emit("doctor", code, checks=[asdict(check) for check in checks]) if as_json else code

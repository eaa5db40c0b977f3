"""`infra doctor`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App, pass_app
from orchestrator.cli.options import json_option
from orchestrator.errors import Exit, GitError

if TYPE_CHECKING:
    from orchestrator.run.doctoring import Check

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

    from orchestrator.run.doctoring import examine, outside

    app = pass_app(ctx)
    console = app.console()
    checks: list[Check] = []
    try:
        found = chain(examine(app.project(), app.environ), [sandbox(app)])
    except GitError:
        found = chain(outside(app.cwd))
    for check in found:
        checks.append(check)
        if not as_json:
            sign, style = SIGNS[check.status]
            console.print(Text.assemble((f"{sign} ", style), (f"{check.name}: ", "bold"), check.message))
            if check.advice:
                console.print(Text(f"  → {check.advice}"))
    code = int(Exit.ERROR if any(check.status == "error" for check in checks) else Exit.OK)
    return app.emit("doctor", code, checks=[asdict(check) for check in checks]) if as_json else code


def sandbox(app: App) -> Check:
    """Whether what runs here runs on the sandbox, and whether that lives."""
    from orchestrator.cli.sandbox_needs import sandbox_folder
    from orchestrator.run.doctoring import Check
    from orchestrator.sandbox import attach, launch

    folder = sandbox_folder(app, None)
    attached = bool(app.environ.get("INFRA_SANDBOX"))
    if attach.running(folder):
        where = "nothing here is real" if attached else "only `infra sandbox exec` uses it"
        return Check("sandbox", "ok", f"it runs in {folder}: {where}")
    if attached:
        advice = "Start it again: `infra sandbox up`, outside of `infra sandbox exec`."
        return Check("sandbox", "error", f"we are attached to {folder}, where none runs any more", advice)
    missing = launch.missing_packages()
    if missing:
        return Check("sandbox", "ok", f"not installed ({', '.join(missing)}): {launch.INSTALL}")
    return Check("sandbox", "ok", "none runs; `infra sandbox up` starts one")

"""`infra new`: begin something as it should be."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option


@click.group(
    epilog="""\b
Examples:
  infra new module my-service
"""
)
def command() -> None:
    """Write something new as it should be: a module with a test, an example and a README."""


@command.command(
    epilog="""\b
Examples:
  infra new module my-service    then: infra test my-service
"""
)
@click.argument("name")
@json_option
@click.pass_context
def module(ctx: click.Context, name: str, as_json: bool) -> int:
    """Write a module with a passing test, an example and a README. Nothing that exists is touched."""
    from orchestrator.quality.scaffold import new_module

    app = pass_app(ctx)
    made = new_module(app.project(), name)
    if as_json:
        return app.emit("new module", module=made.path, files=list(made.files))
    for file in made.files:
        app.write(file)
    app.note(f"Next: infra test {name}; then put your resources into {made.path}/main.tf.")
    return 0

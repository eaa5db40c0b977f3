"""`infra new`: begin something as it should be."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options


@click.group(
    epilog="""\b
Examples:
  infra new module my-service
"""
)
def command() -> None:
    """Write something new as it should be: a module with a test, an example and a README."""


@dataclass(frozen=True, kw_only=True)
class NewModuleOptions(JsonOptions):
    """The options of `infra new module`."""

    name: str


@command.command(
    epilog="""\b
Examples:
  infra new module my-service    then: infra test my-service
"""
)
@click.argument("name")
@json_option
@with_options(NewModuleOptions)
def module(app: App, options: NewModuleOptions) -> int:
    """Write a module with a passing test, an example and a README. Nothing that exists is touched."""
    from orchestrator.quality.scaffold import new_module

    made = new_module(app.project(needs_stacks=False), options.name)
    if options.as_json:
        return app.emit("new module", module=made.path, files=list(made.files))
    for file in made.files:
        app.write(file)
    app.note(f"Next: infra test {options.name}; then put your resources into {made.path}/main.tf.")
    return 0

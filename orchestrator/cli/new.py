"""`infra new`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options


@click.group(
    epilog="""\b
Examples:
  infra new module my-service
"""
)
def command() -> None:
    """Write a new module with a test, an example and a README."""


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
    """Write a module with a passing test, an example and a README. Changes no existing file."""
    from orchestrator.scaffold.module import new_module

    created = new_module(app.project(needs_stacks=False), options.name)
    if options.as_json:
        return app.emit("new module", module=created.path, files=list(created.files))
    for file in created.files:
        app.write(file)
    app.note(f"Next: infra test {options.name}; then put your resources into {created.path}/main.tf.")
    return 0

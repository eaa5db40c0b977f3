"""`infra parity`."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_stacks

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.report.parity import StackParity

_MISSING = "-"
_ROOT = "(the environment's root)"
# Characters of a value that are shown, and how many of them before the first difference.
_SHOWN = 48
_BEFORE = 12

EPILOG = """\b
Examples:
  infra parity                          every stack, in all environments
  infra parity network                  one stack, by its name without an environment
  infra parity network --env staging --env prod
  infra parity --json                   for a program
"""


@dataclass(frozen=True, kw_only=True)
class ParityOptions(JsonOptions):
    """The options of `infra parity`."""

    names: tuple[str, ...]
    environments: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option(
    "--env",
    "environments",
    multiple=True,
    metavar="ENV",
    help="Compare only these environments; repeatable.",
)
@json_option
@with_options(ParityOptions)
def command(app: App, options: ParityOptions) -> int:
    """Show what differs between environments. Without a name, for every stack.

    Compares code, variables, versions, the addresses in the states, and pending changes. Hides values that
    look secret. Writes nothing and does not run Terraform.
    """
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.memory import Memory
    from orchestrator.engine.parity import compare_environments, select_names
    from orchestrator.engine.states import States

    project = app.project()
    environments = options.environments or project.environments
    names = select_names(project, options.names, environments, app.cwd)
    states = States(project, app.environ)
    memory = Memory(project, states, Ledgers(project, states, app.environ))
    stacks = compare_environments(
        memory, names, [name for name in project.environments if name in environments]
    )
    if options.as_json:
        return app.emit("parity", run=None, errors=[], stacks=[stack.document() for stack in stacks])
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, parity_view(stacks))
    return 0


def parity_view(stacks: Sequence[StackParity]) -> Iterator[RenderableType]:
    """A table for each stack that differs, and a line about all of them."""
    from rich.text import Text

    from orchestrator.cli.terminal.tables import make_table
    from orchestrator.report.words import plural

    for stack in stacks:
        if stack.is_equal:
            continue
        yield Text(f"── {stack.name or _ROOT}", style="bold")
        if stack.missing:
            yield Text(f"Not in {', '.join(stack.missing)}.")
        for environment, reason in stack.unseen.items():
            yield Text(f"{environment} could not be compared: {reason}")
        if stack.differences:
            table = make_table("kind", "name", *stack.environments, whole=("name",))
            for difference in stack.differences:
                name = difference.name + (" (they differ)" if difference.is_hidden else "")
                values = [difference.values.get(environment) for environment in stack.environments]
                table.add_row(difference.kind, Text(name), *map(Text, cut_values(values)))
            yield table
        yield Text("")
    unequal = sum(not stack.is_equal for stack in stacks)
    yield Text(f"{plural(len(stacks), 'stack')}: {unequal} differ, {len(stacks) - unequal} are equal")


def cut_values(values: Sequence[str | None]) -> list[str]:
    """Long values cut to the part from which on they differ."""
    present = [value for value in values if value is not None]
    start = 0
    if len(present) > 1 and max(map(len, present)) > _SHOWN:
        start = max(0, len(os.path.commonprefix(present)) - _BEFORE)  # noqa: RUF071 - of texts
    return [_MISSING if value is None else _part(value, start) for value in values]


def _part(value: str, start: int) -> str:
    before, after = "…" if start else "", "…" if len(value) > start + _SHOWN else ""
    return f"{before}{value[start : start + _SHOWN]}{after}"

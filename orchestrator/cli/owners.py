"""`infra owners`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_stacks

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.forge.owners import StackOwners
    from orchestrator.repository.codeowners import CodeOwners

EPILOG = """\b
Examples:
  infra owners                 who owns each stack
  infra owners prod/network    one stack
  infra owners --json          for a program
"""


@dataclass(frozen=True, kw_only=True)
class OwnersOptions(JsonOptions):
    """The options of `infra owners`."""

    names: tuple[str, ...]


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@json_option
@with_options(OwnersOptions)
def command(app: App, options: OwnersOptions) -> int:
    """Show who owns each stack, by the CODEOWNERS file of the working tree. Reads only the repository.

    Names the line that decides; as on GitHub, it is the last one that matches. `infra lint` reports stacks
    that nobody owns.

    Without a name, shows every stack.
    """
    from orchestrator.forge.owners import read_owners
    from orchestrator.repository.selection import select

    project = app.project()
    names = select(project, options.names, app.cwd) if options.names else project.stacks
    owners = read_owners(project)
    owned = [owners.of_stack(project.stacks[name]) for name in names]
    if options.as_json:
        stacks = [stack.document() for stack in owned]
        return app.emit("owners", run=None, file=owners.rules.file, stacks=stacks)
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, _owners_view(owners.rules, owned))
    return 0


def _owners_view(rules: CodeOwners, stacks: Sequence[StackOwners]) -> Iterator[RenderableType]:
    """A table of stacks with their owners and the deciding line, lines that GitHub skips, and a total."""
    from rich.text import Text

    from orchestrator.cli.terminal.tables import make_table
    from orchestrator.report.words import plural

    if rules.file is None:
        yield Text("There is no CODEOWNERS file, so nobody owns a stack.", style="yellow")
        yield Text("→ Add .github/CODEOWNERS; `infra init --owner @acme/platform` writes one.", style="cyan")
        return
    table = make_table("stack", "owners", "decided by", whole=("stack",))
    for stack in stacks:
        owners = Text(" ".join(stack.owners)) if stack.owners else Text("nobody", style="yellow")
        line = f"{rules.file}:{stack.line}" if stack.line else ""
        table.add_row(Text(stack.id), owners, Text(line, style="dim"))
    if stacks:
        yield table
        yield Text("")
    for line_number, mistake in rules.mistakes:
        yield Text(f"{rules.file}:{line_number}: {mistake}", style="yellow")
    unowned = sum(not stack.owners for stack in stacks)
    yield Text(f"{plural(len(stacks), 'stack')}, {unowned} without an owner", style="bold")

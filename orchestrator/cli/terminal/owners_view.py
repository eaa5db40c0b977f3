"""How the owners of stacks are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.terminal.tables import make_table
from orchestrator.forge.owners import StackOwners
from orchestrator.report.words import plural
from orchestrator.repository.codeowners import CodeOwners


def owners_view(rules: CodeOwners, stacks: Sequence[StackOwners]) -> Iterator[RenderableType]:
    """A table of stacks with their owners and the deciding line, lines that GitHub skips, and a total."""
    if rules.file is None:
        yield Text("There is no CODEOWNERS file, so nobody owns a stack.", style="yellow")
        yield Text("→ Add .github/CODEOWNERS; `infra init --owner @acme/platform` writes one.", style="cyan")
        return
    table = make_table("stack", "owners", "decided by")
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

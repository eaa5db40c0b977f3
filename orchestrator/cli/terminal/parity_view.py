"""What differs between environments, as text."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.terminal.tables import make_table
from orchestrator.report.parity import StackParity
from orchestrator.report.words import plural

MISSING = "-"
ROOT = "(the environment's root)"
# Characters of a value that are shown, and how many of them before the first difference.
SHOWN = 48
BEFORE = 12


def parity_view(stacks: Sequence[StackParity]) -> Iterator[RenderableType]:
    """A table for each stack that differs, and a line about all of them."""
    for stack in stacks:
        if stack.is_equal:
            continue
        yield Text(f"── {stack.name or ROOT}", style="bold")
        if stack.missing:
            yield Text(f"Not in {', '.join(stack.missing)}.")
        for environment, reason in stack.unseen.items():
            yield Text(f"{environment} could not be compared: {reason}")
        if stack.differences:
            table = make_table("kind", "name", *stack.environments)
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
    if len(present) > 1 and max(map(len, present)) > SHOWN:
        start = max(0, len(os.path.commonprefix(present)) - BEFORE)  # noqa: RUF071 - of texts
    return [MISSING if value is None else _part(value, start) for value in values]


def _part(value: str, start: int) -> str:
    before, after = "…" if start else "", "…" if len(value) > start + SHOWN else ""
    return f"{before}{value[start : start + SHOWN]}{after}"

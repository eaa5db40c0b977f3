"""Tables without borders, and printing to standard output; a pipe gets one line for each row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.report.console import FittingTable, wrap_words

if TYPE_CHECKING:
    from orchestrator.cli.app import App

# Columns off a terminal; wide enough that no row is wrapped.
WIDE = 10_000


def print_pieces(app: App, pieces: Iterator[RenderableType]) -> None:
    """Prints each piece to standard output."""
    console: Console = app.console()
    if not console.is_terminal:
        console.width = WIDE
    print_renderables(console, pieces)


def print_renderables(console: Console, pieces: Iterable[RenderableType]) -> None:
    """Prints pieces; lines are wrapped between words, and a longer word stays whole, as people copy it."""
    for piece in pieces:
        if not isinstance(piece, Text) or console.soft_wrap:
            console.print(piece, crop=False)
            continue
        for line in wrap_words(piece, console.width):
            console.print(line, no_wrap=True, overflow="ignore", crop=False)


def make_table(*columns: str, whole: Collection[str] = ()) -> Table:
    """A table without borders; long cells are folded, except those of the columns named in `whole`."""
    table = FittingTable()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    return table

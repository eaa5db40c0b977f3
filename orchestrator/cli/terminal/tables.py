"""Tables without borders, and printing to standard output; a pipe gets one line for each row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.report.console import FittingTable

if TYPE_CHECKING:
    from orchestrator.cli.app import App

_WORD = re.compile(r"\S+")
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
            console.print(piece)
            continue
        for line in piece.split("\n", allow_blank=True) or [piece]:
            for part in line.divide(_line_starts(line.plain, console.width)):
                part.rstrip()
                console.print(part, no_wrap=True, overflow="ignore", crop=False)


def _line_starts(line: str, width: int) -> list[int]:
    """Where a line has to go on in the next one, in characters: at the start of a word."""
    starts = [0]
    for word in _WORD.finditer(line):
        is_first = not line[starts[-1] : word.start()].strip()
        if not is_first and cell_len(line[starts[-1] : word.end()]) > width:
            starts.append(word.start())
    return starts[1:]


def make_table(*columns: str) -> Table:
    """A table without borders; long cells are folded, and rows are blocks where there is no room."""
    table = FittingTable()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table

"""Rows of text as a table: aligned for a terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

GAP = "  "


def render_plain_table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Rows with their columns aligned; the columns in `right` to the right. The last one is never padded."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield GAP.join(cells).rstrip()


def render_markdown_row(cells: Sequence[str]) -> str:
    """One row of a Markdown table; what would end a cell is escaped."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"

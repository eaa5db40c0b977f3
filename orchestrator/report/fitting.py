"""Fits a document into a size limit by leaving out whole parts, and counts what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DocumentPart:
    """A part in three forms: whole, without its long text, and left out. `lines` counts the long text's.

    `whole` is None where it is known beforehand that it cannot fit.
    """

    whole: str | None
    short: str
    lines: int = 0


@dataclass(frozen=True)
class Omissions:
    """What did not fit: long texts with their lines, whole blocks, and rows of the table."""

    texts: int = 0
    lines: int = 0
    blocks: int = 0
    rows: int = 0

    def __bool__(self) -> bool:
        """True when anything was left out."""
        return bool(self.texts or self.blocks or self.rows)


@dataclass(frozen=True)
class FittedParts:
    """What fits of the rows and of the blocks, in their order."""

    rows: tuple[str, ...]
    blocks: tuple[str, ...]
    cut: Omissions


def byte_size(text: str) -> int:
    """Bytes of a text in UTF-8 with the blank line behind it: some hosts count characters, some bytes."""
    return len(text.encode()) + 2


def take_fitting(parts: Sequence[str], room: int) -> tuple[str, ...]:
    """The first parts that fit into `room` bytes."""
    for number, part in enumerate(parts):
        room -= byte_size(part)
        if room < 0:
            return tuple(parts[:number])
    return tuple(parts)


def fit_parts(rows: Sequence[str], blocks: Sequence[DocumentPart], room: int) -> FittedParts:
    """Fit a table and its details into `room` bytes.

    The biggest texts go first, so that most stay; then whole blocks from the end. The rows may take half of
    the room, and more where the blocks leave it.
    """
    forms = [block.short if block.whole is None else block.whole for block in blocks]
    sizes = [byte_size(form) for form in forms]
    never = [block.lines for block in blocks if block.whole is None]
    total, texts, lines = sum(sizes), len(never), sum(never)
    kept_rows = take_fitting(rows, room // 2 if never else max(room // 2, room - total))
    room -= sum(map(byte_size, kept_rows))
    by_gain = sorted(
        range(len(blocks)), key=lambda index: sizes[index] - byte_size(blocks[index].short), reverse=True
    )
    for index in by_gain:
        if total <= room or not blocks[index].lines or blocks[index].whole is None:
            continue
        forms[index] = blocks[index].short
        total += byte_size(forms[index]) - sizes[index]
        texts, lines = texts + 1, lines + blocks[index].lines
    fitted = take_fitting(forms, room)
    return FittedParts(
        kept_rows, fitted, Omissions(texts, lines, len(forms) - len(fitted), rows=len(rows) - len(kept_rows))
    )


def fit_items(items: Sequence[str], room: int, rest: str = "- and {count:,} more") -> list[str]:
    """The list items that fit into `room` bytes, and a last item with the number of the others."""
    return fit_lazy_items(items, len(items), room, rest)


def fit_lazy_items(
    items: Iterable[str], total: int, room: int, rest: str = "- and {count:,} more"
) -> list[str]:
    """The same for an iterable of `total` items, which is only consumed as far as there is room."""
    fitted: list[str] = []
    for item in items:
        room -= byte_size(item)
        if room < 0:
            break
        fitted.append(item)
    omitted = total - len(fitted)
    return [*fitted, *([rest.format(count=omitted)] if omitted else [])]

"""Keeps a document below a host's limit: whole parts are left out, never the middle of one, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A part in three forms: whole, without its long text, and left out. `lines` counts the long text's.

    `whole` is None where it is known beforehand that it cannot fit.
    """

    whole: str | None
    short: str
    lines: int = 0


@dataclass(frozen=True)
class Cut:
    """What did not fit: long texts with their lines, whole blocks, and rows of the table."""

    texts: int = 0
    lines: int = 0
    blocks: int = 0
    rows: int = 0

    def __bool__(self) -> bool:
        """True when anything was left out."""
        return bool(self.texts or self.blocks or self.rows)


@dataclass(frozen=True)
class Fitted:
    """What fits of the rows and of the blocks, in their order."""

    rows: tuple[str, ...]
    blocks: tuple[str, ...]
    cut: Cut


def size(text: str) -> int:
    """Bytes of a text in UTF-8 with the blank line behind it: some hosts count characters, some bytes."""
    return len(text.encode()) + 2


def first_that_fit(parts: Sequence[str], room: int) -> tuple[str, ...]:
    """As many parts from the beginning as there is room for, in bytes."""
    for number, part in enumerate(parts):
        room -= size(part)
        if room < 0:
            return tuple(parts[:number])
    return tuple(parts)


def fit(rows: Sequence[str], blocks: Sequence[Block], room: int) -> Fitted:
    """Fit a table and its details into `room` bytes.

    The biggest texts go first, so that most stay; then whole blocks from the end. The rows may take half of
    the room, and more where the blocks leave it.
    """
    forms = [block.short if block.whole is None else block.whole for block in blocks]
    sizes = [size(form) for form in forms]
    never = [block.lines for block in blocks if block.whole is None]
    total, texts, lines = sum(sizes), len(never), sum(never)
    kept_rows = first_that_fit(rows, room // 2 if never else max(room // 2, room - total))
    room -= sum(map(size, kept_rows))
    by_gain = sorted(range(len(blocks)), key=lambda one: sizes[one] - size(blocks[one].short), reverse=True)
    for index in by_gain:
        if total <= room or not blocks[index].lines or blocks[index].whole is None:
            continue
        forms[index] = blocks[index].short
        total += size(forms[index]) - sizes[index]
        texts, lines = texts + 1, lines + blocks[index].lines
    kept = first_that_fit(forms, room)
    return Fitted(kept_rows, kept, Cut(texts, lines, len(forms) - len(kept), rows=len(rows) - len(kept_rows)))


def bounded(items: Sequence[str], room: int, rest: str = "- and {count:,} more") -> list[str]:
    """List items that fit into `room` bytes, and how many did not."""
    return bounded_of(items, len(items), room, rest)


def bounded_of(items: Iterable[str], total: int, room: int, rest: str = "- and {count:,} more") -> list[str]:
    """The same for `total` items that are only made as long as there is room."""
    kept: list[str] = []
    for item in items:
        room -= size(item)
        if room < 0:
            break
        kept.append(item)
    left = total - len(kept)
    return [*kept, *([rest.format(count=left)] if left else [])]

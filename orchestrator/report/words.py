"""Counts and results in the words that every report uses, on a terminal and on GitHub."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.report.model import COUNT_KEYS, StackReport

# The word after a count: "2 to create" before an apply, "2 created" after it.
FUTURE = dict(
    zip(COUNT_KEYS, ("create", "change", "replace", "destroy", "import", "move", "forget"), strict=True)
)
PAST = dict(
    zip(
        COUNT_KEYS,
        ("created", "changed", "replaced", "destroyed", "imported", "moved", "forgotten"),
        strict=True,
    )
)


def counts_in_words(counts: Mapping[str, int], *, done: bool = False) -> str:
    """`2 to create, 1 to replace`; `2 created, 1 replaced` once it is done; empty for nothing."""
    words, middle = (PAST, " ") if done else (FUTURE, " to ")
    return ", ".join(f"{counts[key]:,}{middle}{words[key]}" for key in COUNT_KEYS if counts.get(key))


def changes_in_words(stack: StackReport) -> str:
    """A stack's counts in words; `outputs only`."""
    told = counts_in_words(stack.counts, done=stack.result in ("applied", "destroyed"))
    return told or ("outputs only" if stack.outputs and stack.result in ("changed", "applied") else "")


def first_line(text: str) -> str:
    """The first line of a text, for a cell of a table."""
    return text.strip().splitlines()[0] if text.strip() else ""


def plural(count: int, word: str) -> str:
    """`1 stack`, `1,200 stacks`; a verb after it is the caller's."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def listed(parts: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)

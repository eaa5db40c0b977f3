"""Formats counts and results as short phrases, the same on a terminal and on GitHub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from orchestrator.plan.cost import MonthlyCost
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


def format_counts(counts: Mapping[str, int], *, done: bool = False) -> str:
    """`2 to create, 1 to replace`; `2 created, 1 replaced` once it is done; empty for nothing."""
    words, middle = (PAST, " ") if done else (FUTURE, " to ")
    return ", ".join(f"{counts[key]:,}{middle}{words[key]}" for key in COUNT_KEYS if counts.get(key))


def format_totals(stacks: Iterable[StackReport]) -> str:
    """How much is created, changed and deleted in some stacks, and how much is still to be."""
    done, planned = Counter[str](), Counter[str]()
    for stack in stacks:
        if stack.has_applied:
            done.update(stack.counts)
        elif stack.result == "changed":
            planned.update(stack.counts)
    return ", ".join(filter(None, (format_counts(done, done=True), format_counts(planned))))


def format_changes(stack: StackReport) -> str:
    """A stack's counts in words; `outputs only`."""
    counts = format_counts(stack.counts, done=stack.result in ("applied", "destroyed"))
    return counts or ("outputs only" if stack.outputs and stack.result in ("changed", "applied") else "")


def format_cost(cost: MonthlyCost) -> str:
    """`+12.50 USD`, `not known`; with the resources that have no price."""
    unpriced = f" ({plural(cost.unpriced, 'resource')} without a price)" if cost.unpriced else ""
    if cost.difference is None:
        return "not known"
    return f"{cost.difference:+,.2f} {cost.currency}{unpriced}"


def format_costs(costs: Mapping[str, MonthlyCost]) -> str:
    """The costs of environments in one line: `dev +3.00 USD, prod not known: there is no price for …`."""
    return "; ".join(
        f"{environment} {format_cost(cost)}{f': {cost.problem}' if cost.problem else ''}"
        for environment, cost in costs.items()
    )


def first_line(text: str) -> str:
    """The first line of a text, for a cell of a table."""
    return text.strip().splitlines()[0] if text.strip() else ""


def plural(count: int, word: str) -> str:
    """`1 stack`, `1,200 stacks`; a verb after it is the caller's."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def join_words(parts: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)

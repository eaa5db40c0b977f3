"""Many rounds in one table: where they were cut off, who died, and what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.crash.verdict import Verdict


@dataclass(frozen=True)
class Row:
    """One round."""

    point: str
    target: str
    verdict: Verdict


def table(rows: Iterable[Row]) -> str:
    """A line for each point and target, with how often each outcome came; the totals last."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for row in rows:
        word = "DEFECT" if row.verdict.defects else row.verdict.outcome
        cells[row.point, row.target][word] += 1
        totals[word] += 1
    width = max((len(point) for point, _ in cells), default=10)
    lines = [
        f"{point:<{width}}  {target:<10} {_words(found)}" for (point, target), found in sorted(cells.items())
    ]
    return "\n".join([*lines, f"{sum(totals.values())} rounds: {_words(totals)}"])


def _words(found: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in found.most_common())

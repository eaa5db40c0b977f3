"""One round: where it was interrupted, who died, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.crash.verdict import RoundVerdict


@dataclass(frozen=True)
class Row:
    """One round."""

    point: str
    target: str
    verdict: RoundVerdict

"""A large change in parts: which job of a matrix plans which stacks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import UsageError

# GitHub makes at most this many jobs of a matrix.
MOST = 256
# How long one part should take, in seconds, and how many stacks it should have where no time is known.
ENOUGH = 600.0
STACKS = 25
# What a stack is taken to need that was never planned or applied, in seconds.
GUESS = ENOUGH / STACKS
# A packing by durations cannot be found again: these change. Such a part comes with its list of stacks.
TIMED = ":timed"
# The step's output that holds an environment's part of the matrix: this and the environment's name.
OUTPUT = "shards-"


@dataclass(frozen=True)
class Shard:
    """One part: `I/N` of an environment, with its stacks in the project's order."""

    environment: str
    index: int
    count: int
    stacks: tuple[str, ...]

    @property
    def name(self) -> str:
        """`1/3`."""
        return f"{self.index}/{self.count}"


def parse(text: str) -> tuple[int, int, bool]:
    """`2/3` as (2, 3, False), with `:timed` behind it (2, 3, True); UsageError for anything else."""
    plain = text.removesuffix(TIMED)
    index, slash, count = plain.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count) <= MOST):
        raise UsageError(f"{text!r} is no part of a matrix.", advice="Give one such as --shard 2/3.")
    return int(index), int(count), plain != text


def pack(
    units: Sequence[Sequence[str]], count: int, seconds: Mapping[str, float] | None = None
) -> list[tuple[str, ...]]:
    """Units that stay together in `count` parts of about equal length: the longest one first, where least is.

    The order of `units` decides between equals, so the same input always gives the same parts.
    """
    known = seconds or {}
    weights = [sum(known.get(one, GUESS) for one in unit) for unit in units]
    longest = sorted(range(len(units)), key=lambda place: (-weights[place], place))
    loads = [0.0] * count
    parts: list[list[int]] = [[] for _ in range(count)]
    for place in longest:
        least = min(range(count), key=lambda part: (loads[part], part))
        loads[least] += weights[place]
        parts[least].append(place)
    return [tuple(one for place in sorted(part) for one in units[place]) for part in parts]


def units_of(stacks: Collection[str], followers: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Stacks that must be in one part: a follower is planned when a plan of what it reads says so."""
    head = {one: one for one in (*stacks, *followers)}

    def top(one: str) -> str:
        while head[one] != one:
            one = head[one]
        return one

    for follower, sources in followers.items():
        for source in sources:
            if source in head:
                head[top(follower)] = top(source)
    units: dict[str, list[str]] = {}
    for one in head:
        units.setdefault(top(one), []).append(one)
    return [tuple(unit) for unit in units.values()]


def count_of(wanted: str | None, units: Sequence[Sequence[str]], seconds: Mapping[str, float] | None) -> int:
    """How many parts: as many as asked for, or (`auto`) so many that each takes about ten minutes."""
    if not units:
        return 0
    if wanted and wanted != "auto":
        if not (wanted.isdigit() and 1 <= int(wanted) <= MOST):
            raise UsageError(f"--shards wants a number up to {MOST}, or auto.", advice="Try --shards auto.")
        return min(int(wanted), len(units))
    known = seconds or {}
    total = sum(known.get(one, GUESS) for unit in units for one in unit)
    return max(1, min(len(units), MOST, -(-int(total) // int(ENOUGH))))


def shards_of(
    by_environment: Mapping[str, Sequence[Sequence[str]]],
    wanted: str | None = None,
    seconds: Mapping[str, float] | None = None,
) -> list[Shard]:
    """The parts of all environments: at most 256 in all, and at least one for each with something to do."""
    counts = {name: count_of(wanted, units, seconds) for name, units in by_environment.items()}
    total = sum(counts.values())
    if total > MOST:
        counts = {name: max(1, count * MOST // total) if count else 0 for name, count in counts.items()}
        while sum(counts.values()) > MOST:
            largest = max(counts, key=lambda name: counts[name])
            if counts[largest] == 1:
                raise UsageError(
                    f"{len(counts)} environments are affected; a matrix has at most {MOST} jobs.",
                    advice="Choose some of them: --env.",
                )
            counts[largest] -= 1
    return [
        Shard(name, index, counts[name], part)
        for name, units in by_environment.items()
        if counts[name]
        for index, part in enumerate(pack(units, counts[name], seconds), 1)
    ]


def matrix(shards: Iterable[Shard], *, timed: bool) -> str:
    """The parts as a matrix of GitHub Actions, on one line. Ids stand one a line in `stacks`."""
    include = [
        {
            "environment": one.environment,
            "shard": one.name + (TIMED if timed else ""),
            "stacks": "\n".join(one.stacks),
        }
        for one in shards
    ]
    return json.dumps({"include": include}, ensure_ascii=True)


def stacks_in(document: Mapping[str, Any]) -> tuple[str, ...]:
    """All stacks of a matrix that was printed; what has not its shape has none."""
    include = document.get("include")
    found: dict[str, None] = {}
    for one in include if isinstance(include, list) else ():
        told = one.get("stacks") if isinstance(one, dict) else None
        found.update(dict.fromkeys(told.split("\n") if isinstance(told, str) and told else ()))
    return tuple(found)


def chosen(known: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Those asked for, all when none were, in the order known; UsageError for one that there is not."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"There is no environment {', '.join(unknown)}.",
            advice=f"There are {', '.join(known) or 'none'}.",
        )
    return tuple(name for name in known if not names or name in names)

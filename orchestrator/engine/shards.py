"""Splits a large change into shards: which job of a matrix plans which stacks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import UsageError

# GitHub makes at most this many jobs of a matrix.
MAX_JOBS = 256
# How long one part should take, in seconds, and how many stacks it should have where no time is known.
TARGET_SECONDS = 600.0
TARGET_STACKS = 25
# What a stack is taken to need that was never planned or applied, in seconds.
DEFAULT_SECONDS = TARGET_SECONDS / TARGET_STACKS
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


def parse_shard(text: str) -> tuple[int, int, bool]:
    """`2/3` as (2, 3, False), with `:timed` behind it (2, 3, True); UsageError for anything else."""
    plain = text.removesuffix(TIMED)
    index, slash, count = plain.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count) <= MAX_JOBS):
        raise UsageError(f"{text!r} is no part of a matrix.", advice="Give one such as --shard 2/3.")
    return int(index), int(count), plain != text


def pack_units(
    units: Sequence[Sequence[str]], count: int, seconds: Mapping[str, float] | None = None
) -> list[tuple[str, ...]]:
    """Units that stay together in `count` parts of about equal length: the longest one first, where least is.

    The order of `units` decides between equals, so the same input always gives the same parts.
    """
    durations = seconds or {}
    weights = [sum(durations.get(stack, DEFAULT_SECONDS) for stack in unit) for unit in units]
    by_weight = sorted(range(len(units)), key=lambda position: (-weights[position], position))
    totals = [0.0] * count
    parts: list[list[int]] = [[] for _ in range(count)]
    for position in by_weight:
        least = min(range(count), key=lambda part: (totals[part], part))
        totals[least] += weights[position]
        parts[least].append(position)
    return [tuple(stack for position in sorted(part) for stack in units[position]) for part in parts]


def group_stacks(stacks: Collection[str], dependents: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Stacks that must be in one part: a dependent is planned when a plan of what it reads says so."""
    head = {stack: stack for stack in (*stacks, *dependents)}

    def top(stack: str) -> str:
        while head[stack] != stack:
            stack = head[stack]
        return stack

    for dependent, sources in dependents.items():
        for source in sources:
            if source in head:
                head[top(dependent)] = top(source)
    units: dict[str, list[str]] = {}
    for stack in head:
        units.setdefault(top(stack), []).append(stack)
    return [tuple(unit) for unit in units.values()]


def count_shards(
    requested: str | None, units: Sequence[Sequence[str]], seconds: Mapping[str, float] | None
) -> int:
    """How many parts: as many as requested, or (`auto`) so many that each takes about ten minutes."""
    if not units:
        return 0
    if requested and requested != "auto":
        if not (requested.isdigit() and 1 <= int(requested) <= MAX_JOBS):
            raise UsageError(
                f"--shards wants a number up to {MAX_JOBS}, or auto.", advice="Try --shards auto."
            )
        return min(int(requested), len(units))
    durations = seconds or {}
    total = sum(durations.get(stack, DEFAULT_SECONDS) for unit in units for stack in unit)
    return max(1, min(len(units), MAX_JOBS, -(-int(total) // int(TARGET_SECONDS))))


def make_shards(
    by_environment: Mapping[str, Sequence[Sequence[str]]],
    requested: str | None = None,
    seconds: Mapping[str, float] | None = None,
) -> list[Shard]:
    """The parts of all environments: at most 256 in all, and at least one for each with something to do."""
    counts = {name: count_shards(requested, units, seconds) for name, units in by_environment.items()}
    total = sum(counts.values())
    if total > MAX_JOBS:
        counts = {name: max(1, count * MAX_JOBS // total) if count else 0 for name, count in counts.items()}
        while sum(counts.values()) > MAX_JOBS:
            largest = max(counts, key=lambda name: counts[name])
            if counts[largest] == 1:
                raise UsageError(
                    f"{len(counts)} environments are affected; a matrix has at most {MAX_JOBS} jobs.",
                    advice="Choose some of them: --env.",
                )
            counts[largest] -= 1
    return [
        Shard(name, index, counts[name], part)
        for name, units in by_environment.items()
        if counts[name]
        for index, part in enumerate(pack_units(units, counts[name], seconds), 1)
    ]


def render_matrix(shards: Iterable[Shard], *, timed: bool) -> str:
    """The parts as a matrix of GitHub Actions, on one line. Ids stand one a line in `stacks`."""
    include = [
        {
            "environment": shard.environment,
            "shard": shard.name + (TIMED if timed else ""),
            "stacks": "\n".join(shard.stacks),
        }
        for shard in shards
    ]
    return json.dumps({"include": include}, ensure_ascii=True)


def read_matrix_stacks(document: Mapping[str, Any]) -> tuple[str, ...]:
    """All stacks of a matrix that was printed; what has not its shape has none."""
    include = document.get("include")
    stacks: dict[str, None] = {}
    for job in include if isinstance(include, list) else ():
        text = job.get("stacks") if isinstance(job, dict) else None
        stacks.update(dict.fromkeys(text.split("\n") if isinstance(text, str) and text else ()))
    return tuple(stacks)


def select_environments(all_names: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Those requested, all when none were, in the order known; UsageError for one that there is not."""
    unknown = [name for name in names if name not in all_names]
    if unknown:
        raise UsageError(
            f"There is no environment {', '.join(unknown)}.",
            advice=f"There are {', '.join(all_names) or 'none'}.",
        )
    return tuple(name for name in all_names if not names or name in names)

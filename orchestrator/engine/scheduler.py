"""Runs work over a dependency graph: prerequisites first, and only what can start at once is submitted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Protocol, TypeVar

R = TypeVar("R")

# Python runs signal handlers in the main thread alone, and a thread that waits for a lock is not always woken
# for them: the kernel may give the signal to another thread, or just before the wait begins. So no wait is
# longer than this many seconds, and Ctrl-C works while a stack is at work for an hour.
NOTICE = 0.5

NO_DURATIONS: Mapping[str, float] = {}


class Admission(Protocol):
    """Whether an item may start beside those that run, as long as a worker is free."""

    def admits(self, item: str, running: Collection[str]) -> bool:
        """True when it may start now. With nothing running it has to be: else nothing would ever start."""


class AdmitAll:
    """Every item may start as soon as a worker is free."""

    def admits(self, item: str, running: Collection[str]) -> bool:
        """True."""
        return True


ADMIT_ALL = AdmitAll()


def run_in_order(
    items: Sequence[str],
    prerequisites: Mapping[str, Collection[str]],
    work: Callable[[str], R],
    *,
    workers: int,
    skip: Callable[[str, Mapping[str, R]], R | None] = lambda item, results: None,
    durations: Mapping[str, float] = NO_DURATIONS,
    admission: Admission = ADMIT_ALL,
) -> dict[str, R]:
    """Run `work(item)` for every item, at most `workers` at once, prerequisites first.

    Prerequisites that are not among `items` count as met. `skip(item, results)` is asked when a worker is
    free and the item is about to start, never earlier: what it returns is the item's result and the item
    does not run (a prerequisite failed, the run was stopped). So a stop is seen by everything that has not
    started. Of the items that may start, the one with the longest way to the end goes first, by `durations`
    in seconds; unknown ones count as the mean of those known. One that `admission` does not admit waits until
    something has ended, and the next one is asked about in its place; when nothing runs, none has to wait.

    Results come back in the order of `items`. `work` must not raise: what can go wrong is a result; if it
    raises all the same, nothing new is started, what runs is waited for, and the exception is raised.
    Raises ValueError before anything starts when items wait for each other.
    """
    needs = _within(items, prerequisites)
    graph = TopologicalSorter(needs)
    try:
        graph.prepare()
    except CycleError as error:
        raise ValueError(f"these wait for each other: {', '.join(sorted(set(error.args[1])))}") from None
    lengths = remaining_lengths(needs, durations)
    position = {item: index for index, item in enumerate(items)}
    ready: list[tuple[float, int, str]] = []
    results: dict[str, R] = {}
    running: dict[Future[R], str] = {}

    def collect_ready() -> None:
        for item in graph.get_ready():
            heappush(ready, (-lengths[item], position[item], item))

    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="stack") as pool:
        while graph.is_active():
            collect_ready()
            while len(running) < max(1, workers):
                item = _take_admitted(ready, admission, running.values())
                if item is None:
                    break
                skipped = skip(item, results)
                if skipped is None:
                    running[pool.submit(work, item)] = item
                else:
                    results[item] = skipped
                    graph.done(item)
                    collect_ready()
            if not running:
                continue
            ended, _ = wait(running, timeout=NOTICE, return_when=FIRST_COMPLETED)
            for future in sorted(ended, key=lambda future: position[running[future]]):
                item = running.pop(future)
                results[item] = future.result()
                graph.done(item)
    return {item: results[item] for item in items}


def _take_admitted(
    ready: list[tuple[float, int, str]], admission: Admission, running: Collection[str]
) -> str | None:
    """Take the first item from the heap `ready` that may start now; None when none may."""
    waiting = []
    item = None
    while ready and item is None:
        entry = heappop(ready)
        if not running or admission.admits(entry[2], running):
            item = entry[2]
        else:
            waiting.append(entry)
    for entry in waiting:
        heappush(ready, entry)
    return item


def remaining_lengths(
    prerequisites: Mapping[str, Collection[str]], durations: Mapping[str, float]
) -> dict[str, float]:
    """For each item the seconds of the longest path that starts with it: itself and what waits for it.

    `prerequisites` has every item as a key and no cycle. Items without a duration count as the mean of the
    known ones, or as one second where none is known, so that then the number of items on the path decides.
    """
    known_durations = [durations[item] for item in prerequisites if item in durations]
    mean = sum(known_durations) / len(known_durations) if known_durations else 1.0
    longest_after = dict.fromkeys(prerequisites, 0.0)
    lengths: dict[str, float] = {}
    for item in reversed(list(TopologicalSorter(prerequisites).static_order())):
        lengths[item] = durations.get(item, mean) + longest_after[item]
        for need in prerequisites[item]:
            longest_after[need] = max(longest_after[need], lengths[item])
    return lengths


def _within(items: Sequence[str], prerequisites: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The prerequisites of each item that are items themselves."""
    names = set(items)
    return {
        item: sorted(need for need in set(prerequisites.get(item, ())) if need in names and need != item)
        for item in items
    }

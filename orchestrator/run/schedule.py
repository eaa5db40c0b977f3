"""A ready queue over a graph: each item starts as soon as its own prerequisites have ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

R = TypeVar("R")


def run_in_order(
    items: Sequence[str],
    prerequisites: Mapping[str, Collection[str]],
    work: Callable[[str], R],
    *,
    workers: int,
    instead: Callable[[str, Mapping[str, R]], R | None] = lambda item, done: None,
) -> dict[str, R]:
    """Run `work(item)` for every item, at most `workers` at once, prerequisites first.

    Prerequisites that are not among `items` are taken as met. Before an item starts, `instead(item, done)`
    may give its result without running it (its prerequisite failed, the run was interrupted). Results come
    back in the order of `items`. `work` must not raise: what can go wrong is a result; if it raises all the
    same, nothing new is started, what runs is waited for, and the first exception is raised.
    """
    wanted = set(items)
    missing = {item: {p for p in prerequisites.get(item, ()) if p in wanted and p != item} for item in items}
    waiting = list(items)
    done: dict[str, R] = {}
    running: dict[Future[R], str] = {}
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="stack") as pool:
        while waiting or running:
            started = _start_ready(waiting, missing, done, running, pool, work, instead)
            if not running:
                if started:
                    continue
                raise ValueError(f"these can never start, they wait for each other: {', '.join(waiting)}")
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done[running.pop(future)] = future.result()
    return {item: done[item] for item in items}


def _start_ready(
    waiting: list[str],
    missing: Mapping[str, set[str]],
    done: dict[str, R],
    running: dict[Future[R], str],
    pool: ThreadPoolExecutor,
    work: Callable[[str], R],
    instead: Callable[[str, Mapping[str, R]], R | None],
) -> bool:
    """Start, or settle at once, every waiting item whose prerequisites are done; True if there was one."""
    ready = [item for item in waiting if missing[item] <= done.keys()]
    for item in ready:
        waiting.remove(item)
        settled = instead(item, done)
        if settled is None:
            running[pool.submit(work, item)] = item
        else:
            done[item] = settled
    return bool(ready)

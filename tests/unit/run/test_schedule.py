"""The ready queue: order, concurrency, what is settled without running."""

from __future__ import annotations

import threading
import time

import pytest

from orchestrator.run.schedule import run_in_order


def test_prerequisites_end_before_their_dependants_start() -> None:
    ended: list[str] = []
    lock = threading.Lock()

    def work(item: str) -> int:
        time.sleep(0.01 if item == "network" else 0)
        with lock:
            ended.append(item)
        return len(item)

    results = run_in_order(
        ["service", "network", "ml"], {"service": {"network"}, "ml": {"service"}}, work, workers=3
    )
    assert ended == ["network", "service", "ml"]
    assert list(results) == ["service", "network", "ml"]


def test_independent_items_run_at_once_up_to_the_limit() -> None:
    together = threading.Barrier(2, timeout=5)
    most = 0
    running = 0
    lock = threading.Lock()

    def work(item: str) -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1

    run_in_order(list("abcd"), {}, work, workers=2)
    assert most == 2


def test_an_item_can_be_settled_by_what_came_before() -> None:
    ran: list[str] = []

    def work(item: str) -> str:
        ran.append(item)
        return "failed"

    results = run_in_order(
        ["a", "b", "c"],
        {"b": {"a"}, "c": {"b"}},
        work,
        workers=2,
        instead=lambda item, done: "aborted" if any(v != "ok" for v in done.values()) else None,
    )
    assert ran == ["a"]
    assert results == {"a": "failed", "b": "aborted", "c": "aborted"}


def test_prerequisites_outside_the_run_are_met() -> None:
    assert run_in_order(["b"], {"b": {"a"}}, str.upper, workers=1) == {"b": "B"}


def test_a_cycle_is_an_error_and_not_a_hang() -> None:
    with pytest.raises(ValueError, match="wait for each other: a, b"):
        run_in_order(["a", "b"], {"a": {"b"}, "b": {"a"}}, str.upper, workers=1)


def test_an_exception_waits_for_what_runs_and_starts_nothing_new() -> None:
    ended: list[str] = []

    def work(item: str) -> None:
        if item == "bad":
            raise RuntimeError("no")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(RuntimeError, match="no"):
        run_in_order(["bad", "slow", "later"], {"later": {"bad", "slow"}}, work, workers=2)
    assert ended == ["slow"]

"""The scheduler: order, concurrency, what is skipped, what a stop does; by examples and by properties."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.scheduler import remaining_lengths, run_in_order


def test_prerequisites_end_before_their_dependents_start() -> None:
    ended: list[str] = []

    def work(item: str) -> int:
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


def test_an_item_is_skipped_because_of_what_came_before() -> None:
    ran: list[str] = []

    def work(item: str) -> str:
        ran.append(item)
        return "failed"

    results = run_in_order(
        ["a", "b", "c"],
        {"b": {"a"}, "c": {"b"}},
        work,
        workers=2,
        skip=lambda item, results: "aborted" if any(value != "ok" for value in results.values()) else None,
    )
    assert ran == ["a"]
    assert results == {"a": "failed", "b": "aborted", "c": "aborted"}


def test_whether_to_skip_is_decided_when_a_worker_is_free_and_not_earlier() -> None:
    """An item that waited for a worker while the run was stopped does not start any more."""
    stopped = threading.Event()

    def work(item: str) -> str:
        stopped.set()
        return "ran"

    results = run_in_order(
        list("abcdef"),
        {},
        work,
        workers=1,
        skip=lambda item, results: "skipped" if stopped.is_set() else None,
    )
    assert results == {"a": "ran"} | dict.fromkeys("bcdef", "skipped")


def test_a_signal_that_another_thread_receives_is_handled_while_an_item_runs() -> None:
    handled = threading.Event()
    main = threading.main_thread().ident

    def position() -> tuple[object, int]:
        frame = sys._current_frames()[main or 0]
        return frame.f_code, frame.f_lasti

    def work(item: str) -> bool:
        still = 0
        while still < 50:  # until the main thread waits for us
            before = position()
            threading.Event().wait(0.002)
            still = still + 1 if position() == before else 0
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        return handled.wait(30.0)

    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.set())
    try:
        assert run_in_order(["network"], {}, work, workers=1) == {"network": True}
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_prerequisites_outside_the_run_are_met() -> None:
    assert run_in_order(["b"], {"b": {"a"}}, str.upper, workers=1) == {"b": "B"}


def test_a_cycle_is_an_error_before_anything_starts() -> None:
    started: list[str] = []
    with pytest.raises(ValueError, match="wait for each other: a, b"):
        run_in_order(["c", "a", "b"], {"a": {"b"}, "b": {"a"}}, started.append, workers=1)
    assert started == []


def test_an_exception_waits_for_what_runs_and_starts_nothing_new() -> None:
    ended: list[str] = []
    slow_runs, bad_raised = threading.Event(), threading.Event()

    def work(item: str) -> None:
        if item == "bad":
            slow_runs.wait(5)
            bad_raised.set()
            raise RuntimeError("no")
        slow_runs.set()
        bad_raised.wait(5)
        ended.append(item)

    with pytest.raises(RuntimeError, match="no"):
        run_in_order(["bad", "slow", "later"], {"later": {"bad"}}, work, workers=2)
    assert ended == ["slow"]


def test_the_longest_way_to_the_end_goes_first() -> None:
    started: list[str] = []
    run_in_order(
        ["short", "alone", "head", "tail"],
        {"tail": {"head"}},
        started.append,
        workers=1,
        durations={"short": 1.0, "alone": 4.0, "head": 2.0, "tail": 3.0},
    )
    assert started == ["head", "alone", "tail", "short"]


def test_an_unknown_duration_counts_as_the_mean_of_the_known() -> None:
    assert remaining_lengths({"a": [], "b": ["a"], "c": []}, {"a": 2.0, "c": 6.0}) == {
        "a": 6.0,
        "b": 4.0,
        "c": 6.0,
    }


@st.composite
def _runs(draw: st.DrawFn) -> tuple[dict[str, list[str]], int, set[str], int | None, dict[str, float]]:
    """A graph without cycles, workers, the items that fail, after how many items a stop comes, durations."""
    count = draw(st.integers(1, 12))
    names = [f"s{index}" for index in range(count)]
    needs = {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=3)) if index else []
        for index, name in enumerate(names)
    }
    failing = draw(st.sets(st.sampled_from(names), max_size=3))
    stop = draw(st.none() | st.integers(0, count))
    durations = draw(st.dictionaries(st.sampled_from(names), st.floats(0, 1000), max_size=count))
    order = draw(st.permutations(names))
    return {name: needs[name] for name in order}, draw(st.integers(1, 4)), failing, stop, durations


@given(_runs())
def test_nothing_starts_after_a_stop_nothing_twice_and_the_order_holds(
    run: tuple[dict[str, list[str]], int, set[str], int | None, dict[str, float]],
) -> None:
    needs, workers, failing, stop, durations = run
    lock = threading.Lock()
    stopped = threading.Event()
    events: list[tuple[str, str]] = []
    if stop == 0:
        stopped.set()

    def work(item: str) -> str:
        with lock:
            events.append(("start", item))
        with lock:
            events.append(("end", item))
            if stop is not None and sum(kind == "end" for kind, _ in events) >= stop:
                stopped.set()
        return "failed" if item in failing else "ok"

    def skip(item: str, results: Mapping[str, str]) -> str | None:
        with lock:
            events.append(("asked", item))
        if stopped.is_set():
            return "stopped"
        return "aborted" if any(results[need] != "ok" for need in needs[item]) else None

    results = run_in_order(list(needs), needs, work, workers=workers, skip=skip, durations=durations)

    assert list(results) == list(needs)
    started = [item for kind, item in events if kind == "start"]
    assert len(started) == len(set(started))
    assert sorted(item for kind, item in events if kind == "asked") == sorted(needs)
    for item in started:
        begin = events.index(("start", item))
        assert all(("end", need) in events[:begin] and results[need] == "ok" for need in needs[item])
    # Each item that runs was asked about while fewer than `workers` others ran: none was queued in advance.
    for item in started:
        before = events[: events.index(("asked", item))]
        running = sum(kind == "start" for kind, _ in before) - sum(kind == "end" for kind, _ in before)
        assert running < workers
    if stop is not None and stop <= len(started):
        assert len(started) <= max(0, stop - 1) + workers
    expected_unless_stopped = {"ok", "failed", "aborted"}
    assert set(results.values()) <= expected_unless_stopped | ({"stopped"} if stop is not None else set())

"""Operations of a bucket end by their deadline and are told meanwhile, on a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from orchestrator.state.waiting import Clock, Notices, Operation, OverdueError, tell_to
from tests.support.clocks import WaitingClock

READ = "gs://states: reading dev/ledger/stacks/a.json"


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []
    previous = tell_to(lines.append)
    yield lines
    tell_to(previous)


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """Set when the test is over, so that its threads end."""
    event = threading.Event()
    yield event
    event.set()


def test_what_ends_at_once_is_not_told(told: list[str]) -> None:
    assert Operation(READ, 120, Notices()).run(lambda: 7) == 7
    assert told == []


def test_an_error_comes_back_as_it_was() -> None:
    def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        Operation(READ, 120, Notices()).run(work)


def test_a_wait_is_told_and_ends_by_the_deadline(told: list[str], end: threading.Event) -> None:
    waiting = WaitingClock()
    operation = Operation(READ, 30, Notices(waiting.clock()))
    operation.failure = "status 503"
    with pytest.raises(OverdueError):
        operation.run(end.wait)
    assert waiting.seconds == 30
    assert operation.is_over
    assert told == [
        f"Waiting for {READ} (2 s, asked again after status 503).",
        f"Waiting for {READ} (18 s, asked again after status 503).",
    ]


def test_an_answer_after_a_notice_counts(told: list[str], end: threading.Event) -> None:
    ended = threading.Event()

    def work() -> str:
        end.wait()
        ended.set()
        return "late"

    def before() -> None:
        if waiting.seconds >= 4:
            end.set()
            ended.wait()

    waiting = WaitingClock(before)
    assert Operation(READ, 1000, Notices(waiting.clock())).run(work) == "late"
    assert told == [f"Waiting for {READ} (2 s)."]


def test_many_that_wait_for_one_bucket_are_not_told_at_once(told: list[str]) -> None:
    seconds = [0.0]
    notices = Notices(Clock(now=lambda: seconds[0]))
    assert notices.tell("a")
    assert not notices.tell("b")
    seconds[0] = 2.0
    assert notices.tell("b")
    assert told == ["a", "b"]

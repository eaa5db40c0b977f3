"""Operations of a bucket end by their deadline and are told meanwhile, on a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from orchestrator.state.bucket_operations import (
    STEP,
    BucketOperation,
    Clock,
    OverdueError,
    WaitNotices,
    format_size,
    note_page,
    note_transfer,
    set_wait_listener,
)
from tests.support.clocks import WaitingClock

READ = "gs://states: reading dev/ledger/stacks/a.json"


@pytest.fixture
def messages() -> Iterator[list[str]]:
    lines: list[str] = []
    previous = set_wait_listener(lines.append)
    yield lines
    set_wait_listener(previous)


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """Set when the test is over, so that its threads end."""
    event = threading.Event()
    yield event
    event.set()


def test_what_ends_at_once_is_not_reported(messages: list[str]) -> None:
    assert BucketOperation(READ, 120, WaitNotices()).run(lambda: 7) == 7
    assert messages == []


def test_an_error_comes_back_as_it_was() -> None:
    def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        BucketOperation(READ, 120, WaitNotices()).run(work)


def test_a_wait_is_reported_and_ends_by_the_deadline(messages: list[str], end: threading.Event) -> None:
    waiting = WaitingClock()
    operation = BucketOperation(READ, 30, WaitNotices(waiting.clock()))
    operation.failure = "status 503"
    with pytest.raises(OverdueError):
        operation.run(end.wait)
    assert waiting.seconds == 30
    assert operation.is_over
    assert messages == [
        f"Waiting for {READ} (2 s, asked again after status 503).",
        f"Waiting for {READ} (18 s, asked again after status 503).",
    ]


def test_an_answer_after_a_notice_counts(messages: list[str], end: threading.Event) -> None:
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
    assert BucketOperation(READ, 1000, WaitNotices(waiting.clock())).run(work) == "late"
    assert messages == [f"Waiting for {READ} (2 s)."]


def transfer(parts: int, note: Callable[[], object], every: float) -> tuple[BucketOperation, WaitingClock]:
    """An operation that notes `parts` parts, one each `every` seconds, and then ends."""
    to_send, sent = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        for _ in range(parts):
            to_send.acquire()
            note()
            sent.release()
        to_send.acquire()

    def before() -> None:
        if waiting.seconds < every * (sent_parts[0] + 1):
            return
        to_send.release()
        if sent_parts[0] < parts:
            sent.acquire()
            sent_parts[0] += 1
        else:
            for thread in threading.enumerate():
                if thread.name == READ:
                    thread.join()

    sent_parts = [0]
    waiting = WaitingClock(before)
    operation = BucketOperation(READ, 120, WaitNotices(waiting.clock()))
    try:
        operation.run(work)
    finally:
        # A thread that was given up ends with the test.
        to_send.release(parts + 1)
    return operation, waiting


def test_a_transfer_may_last_as_long_as_bytes_move(messages: list[str]) -> None:
    operation, waiting = transfer(6, lambda: note_transfer(STEP), every=100)
    assert waiting.seconds >= 600
    assert operation.moved == 6 * STEP
    assert messages[0] == f"Waiting for {READ} (2 s)."
    assert messages[-1] == f"Waiting for {READ} (690 s, 384 KiB so far)."


def test_the_pages_of_a_listing_move_the_deadline(messages: list[str]) -> None:
    _, waiting = transfer(3, note_page, every=100)
    assert waiting.seconds >= 300
    assert not any("so far" in line for line in messages)


def test_an_answer_that_drips_ends_by_the_deadline(messages: list[str]) -> None:
    with pytest.raises(OverdueError):
        transfer(20, lambda: note_transfer(STEP // 16), every=60)


def test_bytes_of_no_operation_are_not_counted() -> None:
    note_transfer(STEP)
    note_page()
    operation = BucketOperation(READ, 120, WaitNotices())
    operation.run(lambda: note_transfer(7))
    assert operation.moved == 7


@pytest.mark.parametrize(
    ("size", "text"), [(65_536, "64 KiB"), (1_048_575, "1024 KiB"), (13_107_200, "12.5 MiB")]
)
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert format_size(size) == text


def test_many_that_wait_for_one_bucket_do_not_retry_at_once(messages: list[str]) -> None:
    seconds = [0.0]
    notices = WaitNotices(Clock(now=lambda: seconds[0]))
    assert notices.notify("a")
    assert not notices.notify("b")
    seconds[0] = 2.0
    assert notices.notify("b")
    assert messages == ["a", "b"]

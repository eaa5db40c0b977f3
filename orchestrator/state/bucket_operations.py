"""Operations of a bucket: each ends by a deadline, which moves with its transfer, and reports its waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str], None]

# Bytes that move a deadline: an answer that drips more slowly than this in the time of a deadline ends by it.
STEP = 64 * 1024
# Seconds until a wait is reported, and from then on between two lines about the same operation.
NOTICE_AFTER = 2.0
NOTICE_EVERY = 15.0

_listener: Listener = lambda text: None  # noqa: E731 - a value like the others that it may have


def set_wait_listener(listener: Listener) -> Listener:
    """Have waits told to `listener`, from any thread; returns who was told until now."""
    global _listener
    previous, _listener = _listener, listener
    return previous


@dataclass(frozen=True)
class Clock:
    """How time passes: seconds of a steady clock, and a wait for an event that says whether it came."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


class OverdueError(Exception):
    """An operation did not end by its deadline. Whether it was carried out cannot be told."""


_of_thread = threading.local()


def note_transfer(size: int) -> None:
    """Note that the operation of this thread has sent or received `size` more bytes."""
    operation: BucketOperation | None = getattr(_of_thread, "operation", None)
    if operation:
        operation.note_transfer(size)


def note_page() -> None:
    """Note that the operation of this thread has received a page of a listing."""
    operation: BucketOperation | None = getattr(_of_thread, "operation", None)
    if operation:
        operation.move_deadline()


@dataclass
class WaitNotices:
    """Lines about waits for one bucket: at most one every `NOTICE_AFTER` seconds, whatever waits for it."""

    clock: Clock = field(default_factory=Clock)
    _last: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def notify(self, text: str) -> bool:
        """Say that something is waited for; False when another line came just before."""
        with self._lock:
            now = self.clock.now()
            if now - self._last < NOTICE_AFTER:
                return False
            self._last = now
        _listener(text)
        return True


class BucketOperation:
    """One operation, executed by a thread of its own so that who waits for it can give up.

    A socket's timeout bounds each single read alone: an answer that drips, the pages of a listing and the
    search for credentials have no end of their own. `seconds` is how long it may last without moving `STEP`
    bytes, so that a large object on a slow link has the time that it needs. `failure` is why it was last
    tried again, in a few words; `moved` the bytes sent and received so far.
    """

    def __init__(self, text: str, seconds: float, notices: WaitNotices) -> None:
        self.text = text
        self.failure = ""
        self.is_over = False
        self.moved = 0
        self._seconds = seconds
        self._notices = notices
        self._done = threading.Event()
        # When the deadline was last moved, and the bytes that had moved by then.
        self._since = 0.0
        self._counted = 0

    def note_transfer(self, size: int) -> None:
        """Count bytes that were sent or received; each `STEP` of them moves the deadline."""
        self.moved += size
        if self.moved - self._counted >= STEP:
            self._counted = self.moved
            self.move_deadline()

    def move_deadline(self) -> None:
        """Begin the time again in which nothing may move."""
        self._since = self._notices.clock.now()

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises OverdueError at the deadline; `is_over` is true from then."""
        results: list[T] = []
        errors: list[BaseException] = []

        def execute() -> None:
            _of_thread.operation = self
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
            finally:
                self._done.set()

        self.move_deadline()
        # A daemon: the process may end while a socket hangs.
        threading.Thread(target=execute, name=self.text, daemon=True).start()
        try:
            self._wait()
        finally:
            self.is_over = True
        if errors:
            raise errors[0]
        return results[0]

    def _wait(self) -> None:
        clock = self._notices.clock
        begun = clock.now()
        next_notice = NOTICE_AFTER
        while not clock.wait(self._done, self._pause(clock.now())):
            now = clock.now()
            if now - self._since >= self._seconds:
                raise OverdueError(self.failure)
            spent = now - begun
            if spent >= next_notice and self._notices.notify(self._notice(spent)):
                next_notice = spent + NOTICE_EVERY

    def _pause(self, now: float) -> float:
        return min(NOTICE_AFTER, max(0.0, self._since + self._seconds - now))

    def _notice(self, spent: float) -> str:
        size = f", {format_size(self.moved)} so far" if self.moved >= STEP else ""
        again = f", asked again after {self.failure}" if self.failure else ""
        return f"Waiting for {self.text} ({spent:.0f} s{size}{again})."


def format_size(size: int) -> str:
    """A number of bytes for people: `640 KiB`, `12.5 MiB`."""
    return f"{size / 1024:.0f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MiB"

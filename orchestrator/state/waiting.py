"""Operations of a bucket: each ends by a deadline, and one that lasts is told to who waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str], None]

# Seconds until a wait is told, and from then on between two lines about the same operation.
NOTICE_AFTER = 2.0
NOTICE_EVERY = 15.0

_listener: Listener = lambda text: None  # noqa: E731 - a value like the others that it may have


def tell_to(listener: Listener) -> Listener:
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


@dataclass
class Notices:
    """Lines about waits for one bucket: at most one every `NOTICE_AFTER` seconds, whatever waits for it."""

    clock: Clock = field(default_factory=Clock)
    _last: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, text: str) -> bool:
        """Say that something is waited for; False when another line came just before."""
        with self._lock:
            now = self.clock.now()
            if now - self._last < NOTICE_AFTER:
                return False
            self._last = now
        _listener(text)
        return True


class Operation:
    """One operation, carried out by a thread of its own so that who waits for it can give up.

    A socket's timeout bounds each single read alone: an answer that drips, the pages of a listing and the
    search for credentials have no end of their own. `failure` is why it was last tried again, in a few words.
    """

    def __init__(self, text: str, seconds: float, notices: Notices) -> None:
        self.text = text
        self.failure = ""
        self.is_over = False
        self._seconds = seconds
        self._notices = notices
        self._done = threading.Event()

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises OverdueError at the deadline; `is_over` is true from then."""
        results: list[T] = []
        errors: list[BaseException] = []

        def carry_out() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
            finally:
                self._done.set()

        # A daemon: the process may end while a socket hangs.
        threading.Thread(target=carry_out, name=self.text, daemon=True).start()
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
        while not clock.wait(self._done, min(NOTICE_AFTER, max(0.0, begun + self._seconds - clock.now()))):
            spent = clock.now() - begun
            if spent >= self._seconds:
                raise OverdueError(self.failure)
            if spent >= next_notice and self._notices.tell(self._notice(spent)):
                next_notice = spent + NOTICE_EVERY

    def _notice(self, spent: float) -> str:
        again = f", asked again after {self.failure}" if self.failure else ""
        return f"Waiting for {self.text} ({spent:.0f} s{again})."

"""Clocks that stand still until somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from orchestrator.state.bucket_operations import Clock


class WaitingClock:
    """Seconds pass by waiting alone, at once. `before` is called before each wait, to let others go on."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.seconds = 0.0
        self.before = before

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, wait=self._wait)

    def _wait(self, event: threading.Event, seconds: float) -> bool:
        self.before()
        if event.is_set():
            return True
        self.seconds += seconds
        return False


class SleepingClock:
    """A time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

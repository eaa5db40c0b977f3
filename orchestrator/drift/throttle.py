"""Slows down requests to providers after throttling, within a time budget."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.errors import InterruptedRunError, TerraformError
from orchestrator.terraform.client import Diagnostic

# Seconds to pause, longer each time; a quota per minute is available again after the third.
PAUSES = (15.0, 30.0, 60.0)
_TOO_MUCH = re.compile(
    r"\b(?:Error 429|429 Too Many|HTTP 429|status(?: code)?:? 429|rateLimitExceeded|RATE_LIMIT_EXCEEDED"
    r"|userRateLimitExceeded|Quota exceeded|quotaExceeded|RESOURCE_EXHAUSTED|Too Many Requests)\b",
    re.IGNORECASE,
)


def is_throttled(error: TerraformError) -> bool:
    """Whether Terraform failed because a provider throttles requests: 429, or an exhausted quota."""
    texts = [error.message]
    texts += [
        f"{diagnostic.summary}\n{diagnostic.detail}"
        for diagnostic in error.diagnostics
        if isinstance(diagnostic, Diagnostic)
    ]
    return any(_TOO_MUCH.search(text) for text in texts)


@dataclass
class Throttle:
    """Shared by the threads of a run. `budget` is in seconds from now, None for no limit."""

    budget: float | None = None
    pauses: tuple[float, ...] = PAUSES
    interrupted: Callable[[], bool] = lambda: False
    _began: float = field(default_factory=time.monotonic)
    _not_before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_used_up(self) -> bool:
        """True when the budget is used up: no further stack is started."""
        return self.budget is not None and time.monotonic() - self._began >= self.budget

    def wait(self, note: Callable[[str], None]) -> None:
        """Wait until the end of the current pause. Raises InterruptedRunError when the run is interrupted."""
        is_noted = False
        while (not_before := self._not_before - time.monotonic()) > 0:
            if self.interrupted():
                raise InterruptedRunError("Interrupted while waiting for a provider.")
            if not is_noted:
                note(f"asked too much: waiting {not_before:.0f} s")
                is_noted = True
            time.sleep(min(not_before, 0.2))

    def slow_down(self, refusals: int) -> bool:
        """Start a pause for all threads; False when the budget does not allow another one.

        `refusals` is how often this stack was throttled before.
        """
        if refusals >= len(self.pauses):
            return False
        pause = self.pauses[refusals]
        with self._lock:
            now = time.monotonic()
            if self.budget is not None and now - self._began + pause >= self.budget:
                return False
            self._not_before = max(self._not_before, now + pause)
            return True

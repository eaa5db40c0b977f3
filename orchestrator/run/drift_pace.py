"""How fast providers are asked: slower for a while once one says that it is too much, within a budget."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.errors import InterruptedRunError, TerraformError
from orchestrator.terraform.client import Diagnostic

# Seconds to leave a provider alone, longer each time; a quota by the minute is back after the third.
PAUSES = (15.0, 30.0, 60.0)
_TOO_MUCH = re.compile(
    r"\b(?:Error 429|429 Too Many|HTTP 429|status(?: code)?:? 429|rateLimitExceeded|RATE_LIMIT_EXCEEDED"
    r"|userRateLimitExceeded|Quota exceeded|quotaExceeded|RESOURCE_EXHAUSTED|Too Many Requests)\b",
    re.IGNORECASE,
)


def is_throttled(error: TerraformError) -> bool:
    """Whether Terraform failed since a provider is asked too often: 429, or a quota is used up."""
    texts = [error.message]
    texts += [f"{one.summary}\n{one.detail}" for one in error.diagnostics if isinstance(one, Diagnostic)]
    return any(_TOO_MUCH.search(text) for text in texts)


@dataclass
class Pace:
    """Shared by the threads of a run. `budget` is in seconds from now, None for as long as it takes."""

    budget: float | None = None
    pauses: tuple[float, ...] = PAUSES
    interrupted: Callable[[], bool] = lambda: False
    _began: float = field(default_factory=time.monotonic)
    _not_before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_used_up(self) -> bool:
        """True when the budget is spent: nothing new is begun."""
        return self.budget is not None and time.monotonic() - self._began >= self.budget

    def wait(self, tell: Callable[[str], None]) -> None:
        """Wait until the provider may be asked again. Raises InterruptedRunError when the run is over."""
        told = False
        while (left := self._not_before - time.monotonic()) > 0:
            if self.interrupted():
                raise InterruptedRunError("Interrupted while waiting for a provider.")
            if not told:
                tell(f"asked too much: waiting {left:.0f} s")
                told = True
            time.sleep(min(left, 0.2))

    def slow_down(self, refusals: int) -> bool:
        """Leave the provider alone for a while, for all threads; False when no time is left for that.

        `refusals` says how often this stack was refused before.
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

"""Decides how long to wait before a request is retried, and when to give up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_TWO_MINUTES = 120.0

# What a limit asks for when it does not say: GitHub's guide wants a minute at least.
_LIMIT_PAUSE = 60.0
_LONGEST_PAUSE = 30.0

# The host is in trouble; the request may have been carried out all the same.
TROUBLE = frozenset({408, 500, 502, 503, 504})
_LIMIT_WORDS = ("rate limit", "abuse detection", "retry your request again later", "wait a few minutes")


@dataclass(frozen=True)
class RequestFailure:
    """A failed request. `status` is 0 if there was no answer at all.

    `headers` have names in lower case.
    """

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    details: tuple[str, ...] = ()

    @property
    def is_limit(self) -> bool:
        """Whether a rate limit was hit; the request was not executed."""
        if self.status == 429:
            return True
        return self.status == 403 and (
            "retry-after" in self.headers
            or self.headers.get("x-ratelimit-remaining") == "0"
            or any(words in self.message.lower() for words in _LIMIT_WORDS)
        )

    @property
    def is_lost(self) -> bool:
        """Whether it is unknown if the request was executed."""
        return self.status == 0 or self.status in TROUBLE

    @property
    def is_passing(self) -> bool:
        """Whether a retry may help."""
        return self.is_limit or self.is_lost


@dataclass(frozen=True)
class RetryPolicy:
    """For how many seconds a request is retried, with the clocks to use.

    `clock` counts seconds, `now` is the time since 1970, `sleep` waits, `chance` is a number from 0 to 1.
    """

    total: float = _TWO_MINUTES
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def pause(self, failure: RequestFailure, attempt: int, spent: float) -> float | None:
        """Seconds to wait before attempt number `attempt` + 1; None to give up.

        A pause that the forge asks for is kept to the second or not at all: an earlier retry extends it.
        """
        if not failure.is_passing:
            return None
        wait = self._read_requested_pause(failure)
        if wait is None:
            first = _LIMIT_PAUSE if failure.is_limit else 1.0
            longest = self.total if failure.is_limit else _LONGEST_PAUSE
            wait = min(first * 2.0**attempt, longest)
            if not failure.is_limit:
                wait *= 0.5 + self.chance() / 2
        return wait if spent + wait <= self.total else None

    def _read_requested_pause(self, failure: RequestFailure) -> float | None:
        """The seconds that an answer requests, plus up to one second of jitter."""
        headers = failure.headers
        retry_after = headers.get("retry-after", "")
        if retry_after:
            seconds = self._seconds(retry_after)
            return None if seconds is None else max(0.0, seconds) + self.chance()
        if failure.is_limit and headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            if reset.isdigit():
                return max(0.0, int(reset) - self._time(headers)) + 1.0 + self.chance()
        return None

    def _seconds(self, value: str) -> float | None:
        """`Retry-After`: seconds, or a date."""
        if value.isdigit():
            return float(value)
        moment = _date(value)
        return None if moment is None else moment - self.now()

    def _time(self, headers: Mapping[str, str]) -> float:
        """What the host's clock says, ours when it does not tell."""
        moment = _date(headers.get("date", ""))
        return self.now() if moment is None else moment


def _date(value: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return None

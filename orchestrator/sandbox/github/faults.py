"""Answers that go wrong on purpose, for the next so many requests of a kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.sandbox.github.errors import GitHubError

STATUSES = (401, 403, 404, 409, 422, 429, 500, 502, 503)
_MESSAGES = {
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    409: "Conflict",
    422: "Validation Failed",
    429: "API rate limit exceeded",
    500: "Server Error",
    502: "Server Error",
    503: "Service unavailable",
}
_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@dataclass(frozen=True)
class Fault:
    """Which requests go wrong (`method` and `path` are globs; `*` crosses slashes), and how.

    `status` is answered, with `retry_after` seconds; `secondary` answers 403 for the secondary rate limit;
    `reset` cuts the connection, before the request is done or, with `done`, after; `delay` waits so many
    seconds first. The first `after` such requests pass, then `times` fail (0: all).
    """

    method: str = "*"
    path: str = "*"
    status: int = 0
    times: int = 1
    after: int = 0
    retry_after: int | None = None
    secondary: bool = False
    reset: bool = False
    done: bool = False
    delay: float = 0.0

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Fault:
        """A fault from JSON; UsageError when a field is unknown or a status cannot be played."""
        names = {one.name for one in dataclasses.fields(cls)}
        unknown = sorted(set(raw) - names)
        if unknown:
            told = ", ".join(unknown)
            raise UsageError(f"A fault has no {told}.", advice=f"It has {', '.join(sorted(names))}.")
        fault = cls(**raw)
        if fault.status and fault.status not in STATUSES:
            told = ", ".join(str(one) for one in STATUSES)
            raise UsageError(f"A fault cannot answer {fault.status}.", advice=f"It can answer {told}.")
        return fault

    def error(self) -> GitHubError | None:
        """The error that it answers, if it answers one."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.secondary:
            return GitHubError(403, _SECONDARY, headers={"Retry-After": "1", **headers})
        return GitHubError(self.status, _MESSAGES[self.status], headers=headers) if self.status else None


class Faults:
    """The faults in force, the first that matches strikes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: list[tuple[Fault, list[int]]] = []

    def add(self, fault: Fault) -> None:
        """Put one in force, after those that are."""
        with self._lock:
            self._rules.append((fault, [0]))

    def clear(self) -> None:
        """Take all away."""
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, counted; None when none does."""
        with self._lock:
            for fault, seen in self._rules:
                if not (fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path)):
                    continue
                seen[0] += 1
                struck = seen[0] - fault.after
                if struck > 0 and (not fault.times or struck <= fault.times):
                    return fault
        return None

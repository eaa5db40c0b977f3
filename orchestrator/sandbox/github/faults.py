"""Faults of the GitHub server: their JSON at `/_sandbox/fault`, and the errors that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.sandbox.faults import HttpFault
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
# A cut before the work happens after the whole request was read, however long it is.
_WHOLE_REQUEST = 1 << 40


@dataclass(frozen=True)
class _FaultDocument:
    """The JSON of a fault: globs for `method` and `path`, and what happens.

    `status` is answered, with `retry_after` seconds; `secondary` answers 403 for the secondary rate limit;
    `reset` cuts the connection before the work is done, `done` after it; `delay` waits so many seconds first.
    The first `after` matching requests pass, then `times` fail (0: all).
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


_KEYS = sorted(field.name for field in fields(_FaultDocument))


def read_fault(raw: Mapping[str, Any]) -> HttpFault:
    """A fault from JSON; UsageError for an unknown key or a status that cannot be played."""
    unknown = sorted(set(raw) - set(_KEYS))
    if unknown:
        raise UsageError(f"A fault has no {', '.join(unknown)}.", advice=f"It has {', '.join(_KEYS)}.")
    document = _FaultDocument(**raw)
    if document.status and document.status not in STATUSES:
        statuses = ", ".join(str(status) for status in STATUSES)
        raise UsageError(f"A fault cannot answer {document.status}.", advice=f"It can answer {statuses}.")
    status, message, retry_after = document.status, "", document.retry_after
    if document.secondary:
        status, message = 403, _SECONDARY
        retry_after = 1 if retry_after is None else retry_after
    return HttpFault(
        document.method,
        document.path,
        after=document.after,
        count=document.times,
        latency_ms=document.delay * 1000,
        status=0 if document.done else status,
        message=message,
        retry_after=retry_after,
        cut="answer" if document.done else "request" if document.reset else "",
        bytes=_WHOLE_REQUEST,
    )


def fault_error(fault: HttpFault) -> GitHubError:
    """The error that a fault with a status answers."""
    return GitHubError(fault.status, fault.message or _MESSAGES[fault.status], headers=fault.headers)

"""The sandbox's own endpoints beside the service: faults, and a log of the requests."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from orchestrator.sandbox.faults import HttpFaults
from orchestrator.sandbox.gcs.errors import GcsError, forbidden, invalid
from orchestrator.sandbox.gcs.faults import read_fault, report_faults
from orchestrator.sandbox.gcs.messages import GcsRequest, error_response, json_response
from orchestrator.sandbox.http import CONTROL_PREFIX, HttpResponse

_LIMIT = 1000


@dataclass(frozen=True)
class ServedRequest:
    """One served request. `status` is 0 when the connection was cut, `account` empty for the owner."""

    method: str
    path: str
    query: Mapping[str, str]
    account: str
    status: int


class RequestLog:
    """How many requests there were, and the last thousand of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: deque[ServedRequest] = deque(maxlen=_LIMIT)
        self._count = 0

    def add(self, entry: ServedRequest) -> None:
        """Record a request."""
        with self._lock:
            self._entries.append(entry)
            self._count += 1

    def reset(self) -> None:
        """Delete all entries."""
        with self._lock:
            self._entries.clear()
            self._count = 0

    @property
    def entries(self) -> list[ServedRequest]:
        """The last requests, oldest first."""
        with self._lock:
            return list(self._entries)

    @property
    def count(self) -> int:
        """The number of requests since the start or the last reset."""
        with self._lock:
            return self._count


class Admin:
    """For the owner: `/_sandbox/faults` (GET, POST, DELETE) and `/_sandbox/requests` (GET, DELETE)."""

    def __init__(self, faults: HttpFaults, log: RequestLog) -> None:
        self._faults = faults
        self._log = log

    def answer(self, request: GcsRequest) -> HttpResponse:
        """The response, errors included."""
        try:
            if request.access.member is not None:
                raise forbidden(request.access.who, "sandbox.admin", "bucket")
            return self._answer(request.method, request.path.removeprefix(CONTROL_PREFIX), request)
        except GcsError as error:
            return error_response(error)

    def _answer(self, method: str, name: str, request: GcsRequest) -> HttpResponse:
        if name == "faults":
            if method == "POST":
                for rule in _rules(request.body):
                    self._faults.add(read_fault(rule))
            elif method == "DELETE":
                self._faults.clear()
            return json_response({"faults": report_faults(self._faults)})
        if name == "requests":
            if method == "DELETE":
                self._log.reset()
            entries = [{**asdict(entry), "query": dict(entry.query)} for entry in self._log.entries]
            return json_response({"count": self._log.count, "requests": entries})
        raise GcsError(404, "notFound", "Not Found")


def _rules(body: bytes) -> list[dict[str, Any]]:
    try:
        value = json.loads(body)
    except ValueError:
        raise invalid("Parse Error", reason="parseError") from None
    rules = value if isinstance(value, list) else [value]
    if not all(isinstance(rule, dict) for rule in rules):
        raise invalid("A fault is an object, or a list of them.")
    return rules

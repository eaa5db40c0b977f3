"""One client's connection: reads requests, strikes those that a fault is meant for, sends the answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from orchestrator.sandbox.gcs.admin import PREFIX, Entry
from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.faults import Fault
from orchestrator.sandbox.gcs.messages import Request, Response, error_response
from orchestrator.sandbox.talking import QuietConnection

if TYPE_CHECKING:
    from orchestrator.sandbox.gcs.server import Port

_PIECE = 64 * 1024
_NO_FAULT = Fault()
_REASONS = {429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
_TEXTS = {
    429: "The rate of requests is too high. Please reduce it.",
    503: "We encountered an internal error. Please try again.",
}


class Connection(QuietConnection):
    """Answers as Cloud Storage does, or as a fault wants."""

    server: Port  # type: ignore[assignment]

    def do_GET(self) -> None:  # noqa: N802 - how http.server names a method of HTTP
        """Serve one request of any method."""
        request = self._head()
        if request.path.startswith(PREFIX):
            self._send(self.server.hub.admin.answer(self._with_body(request)))
            return
        target = self.server.hub.router.target(request)
        account = request.access.member or ""
        fault = self.server.hub.faults.strike(request.method, target, account) or _NO_FAULT
        answer: Response | None = None
        try:
            answer = self._answer(request, fault)
        finally:
            # Before the client knows: whoever has the answer finds the request in the log.
            status = answer.status if answer and not fault.cut else 0
            self.server.hub.log.add(Entry(request.method, target, request.query, account, status))
        if answer and fault.cut != "answer":
            self._send(answer, cut_after=fault.bytes if fault.cut else None)
        if fault.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names http.server calls

    def _answer(self, request: Request, fault: Fault) -> Response | None:
        """The answer as the fault has it; None when the connection is cut before there is one."""
        if fault.latency_ms:
            time.sleep(fault.latency_ms / 1000)
        if fault.cut == "before":
            return None
        if fault.cut == "request":
            self._with_body(request, limit=fault.bytes)
            return None
        request = self._with_body(request)
        return self._refusal(fault) if fault.status else self.server.hub.router.answer(request)

    def _head(self) -> Request:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            # A header that comes twice (x-goog-hash) is one list.
            before = headers.get(name.lower())
            headers[name.lower()] = value if before is None else f"{before},{value}"
        return Request(self.command, parts.path, parts.query, query, headers, b"", self.server.access)

    def _with_body(self, request: Request, limit: int | None = None) -> Request:
        """The request with its body, of which `limit` bytes or a little more are read."""
        body = bytearray()
        for piece in self._pieces(request):
            body += piece
            if limit is not None and len(body) >= limit:
                break
        return replace(request, body=bytes(body))

    def _pieces(self, request: Request) -> Iterator[bytes]:
        """The body as it arrives, whether its length was told or it comes in chunks."""
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield from self._exactly(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            yield from self._exactly(int(request.headers.get("content-length", 0)))

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise ConnectionResetError("the client closed the connection in the middle of a body")
            size -= len(piece)
            yield piece

    def _refusal(self, fault: Fault) -> Response:
        text = _TEXTS.get(fault.status, "Backend Error")
        answer = error_response(GcsError(fault.status, _REASONS.get(fault.status, "backendError"), text))
        if fault.retry_after is None:
            return answer
        return replace(answer, headers={**answer.headers, "Retry-After": str(fault.retry_after)})

    def _send(self, answer: Response, *, cut_after: int | None = None) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string(int(self.server.hub.store.clock().timestamp())))
        self.send_header("Server", self.server_version)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body if cut_after is None else answer.body[:cut_after])
        self.wfile.flush()

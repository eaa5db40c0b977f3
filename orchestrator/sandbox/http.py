"""The HTTP layer of the sandbox's servers: a port on loopback, its connections, and their faults.

A server implements `HttpService` and opens an `HttpPort` for it.
"""

from __future__ import annotations

import contextlib
import hmac
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from orchestrator.sandbox.faults import HttpFault

HOST = "127.0.0.1"
# The prefix of the paths by which infra controls a server; they are not part of the service's API.
CONTROL_PREFIX = "/_sandbox/"
_CHUNK = 64 * 1024
_NO_FAULT = HttpFault()


@dataclass(frozen=True)
class HttpRequest:
    """One request. `path` is percent-encoded as it was sent; header names are in lower case."""

    method: str
    path: str
    query_string: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def has_token(self, token: str) -> bool:
        """Whether the Authorization header carries this bearer token."""
        value = self.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(value.encode(), token.encode())


@dataclass(frozen=True)
class HttpResponse:
    """One response. `Date`, `Server` and `Content-Length` are added when it is sent."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpService(Protocol):
    """What a port serves. Every method is called from the thread of a connection."""

    def now(self) -> datetime:
        """The time of the `Date` header."""

    def target(self, request: HttpRequest) -> str:
        """The decoded path that faults match and the log shows."""

    def find_fault(self, request: HttpRequest, target: str) -> HttpFault | None:
        """The fault that applies to the request, counted; the body has not been read yet."""

    def answer(self, request: HttpRequest, fault: HttpFault) -> HttpResponse:
        """The response, errors included; `fault` may have a status to answer instead of the work."""

    def record(
        self, request: HttpRequest, target: str, fault: HttpFault, response: HttpResponse | None
    ) -> None:
        """Log the request before its response is sent; there is no response when a fault cut the request."""


class HttpPort:
    """Listens on loopback and serves each connection in a thread of its own. 0 lets the kernel choose."""

    def __init__(self, name: str, service: HttpService, number: int = 0) -> None:
        self.service = service
        self._socket = socket.create_server((HOST, number), backlog=256)
        self.number: int = self._socket.getsockname()[1]
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        self._closing = False
        self._thread = Thread(target=self._accept, name=f"{name}-{self.number}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the port."""
        return f"http://{HOST}:{self.number}"

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closing = True
        # Wakes the accepting thread: closing a socket does not do so everywhere.
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.number), timeout=5):
            self._thread.join(5)
        self._socket.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:  # no file descriptor left, or the peer is gone again
                time.sleep(0.05)
                continue
            if self._closing:
                connection.close()
                return
            with self._lock:
                self._connections.add(connection)
            Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            _Connection(connection, address, self)  # type: ignore[arg-type]
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Connection(BaseHTTPRequestHandler):
    """One client's connection: HTTP/1.1 with keep-alive, each response sent in one piece.

    A client that closes the connection early is not an error.
    """

    server: HttpPort  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_version = "infra-sandbox"
    sys_version = ""

    def handle(self) -> None:
        """Serve until either side closes."""
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def finish(self) -> None:
        """Close; the peer may have closed already."""
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: each server records its requests."""

    def do_GET(self) -> None:
        """Serve one request of any method."""
        service = self.server.service
        request = self._read_head()
        target = service.target(request)
        fault = service.find_fault(request, target) or _NO_FAULT
        response: HttpResponse | None = None
        try:
            response = self._respond(request, fault)
        finally:
            # Before the response is sent: a client that has it finds the request in the log.
            service.record(request, target, fault, response)
        if response and fault.cut != "answer":
            self._send(response, cut_after=fault.bytes if fault.cut else None)
        if fault.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names http.server calls

    def _respond(self, request: HttpRequest, fault: HttpFault) -> HttpResponse | None:
        """The response under the fault; None when the fault cuts the connection before there is one."""
        if fault.latency_ms:
            time.sleep(fault.latency_ms / 1000)
        if fault.cut == "before":
            return None
        if fault.cut == "request":
            self._read_body(request, limit=fault.bytes)
            return None
        return self.server.service.answer(replace(request, body=self._read_body(request)), fault)

    def _read_head(self) -> HttpRequest:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            # A header that comes twice (x-goog-hash) is one list.
            before = headers.get(name.lower())
            headers[name.lower()] = value if before is None else f"{before},{value}"
        return HttpRequest(self.command, parts.path, parts.query, query, headers, b"")

    def _read_body(self, request: HttpRequest, limit: int | None = None) -> bytes:
        """The body; with a limit, that many bytes or a chunk more."""
        body = bytearray()
        for chunk in self._read_chunks(request):
            body += chunk
            if limit is not None and len(body) >= limit:
                break
        return bytes(body)

    def _read_chunks(self, request: HttpRequest) -> Iterator[bytes]:
        """The body as it arrives, with a length or in HTTP's chunks."""
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield from self._read_exactly(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            yield from self._read_exactly(int(request.headers.get("content-length", 0)))

    def _read_exactly(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self.rfile.read(min(size, _CHUNK))
            if not chunk:
                raise ConnectionResetError("the client closed the connection in the middle of a body")
            size -= len(chunk)
            yield chunk

    def _send(self, response: HttpResponse, *, cut_after: int | None = None) -> None:
        self.send_response_only(response.status)
        self.send_header("Date", self.date_time_string(int(self.server.service.now().timestamp())))
        self.send_header("Server", self.server_version)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body if cut_after is None else response.body[:cut_after])
        self.wfile.flush()

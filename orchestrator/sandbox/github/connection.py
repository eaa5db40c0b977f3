"""One client's connection: reads requests, lets faults strike, sends the answers."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestrator.sandbox.github.call import Answer, Request
from orchestrator.sandbox.talking import QuietConnection

if TYPE_CHECKING:
    from orchestrator.sandbox.github.server import GitHubServer

_LARGEST = 10 * 1024 * 1024


class Connection(QuietConnection):
    """Answers as GitHub does, or as a fault wants."""

    server: GitHubServer  # type: ignore[assignment]

    def do_GET(self) -> None:  # noqa: N802 - how http.server names a method of HTTP
        """Serve one request of any method."""
        request = self._request()
        from orchestrator.sandbox.github.server import is_api

        api = is_api(request.path)
        fault = self.server.faults.strike(request.method, unquote(request.path)) if api else None
        if fault and fault.delay:
            time.sleep(fault.delay)
        if fault and fault.reset and not fault.done:
            self.server.requests.append((request.method, unquote(request.path), 0))
            self._cut()
            return
        answer = self.server.answer(request, fault)
        if fault and fault.done:
            self._cut()
            return
        self._send(request, answer)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names http.server calls

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = int(headers.get("content-length", 0))
        if size > _LARGEST:
            raise ValueError("a request is too large")
        return Request(self.command, parts.path, query, headers, self.rfile.read(size))

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, request: Request, answer: Answer) -> None:
        body = _encoded(answer.content)
        status, headers = answer.status, dict(answer.headers)
        if request.method == "GET" and status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()}"'
            if request.headers.get("if-none-match") == headers["ETag"]:
                status, body = 304, b""
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Server", self.server_version)
        if body:
            self.send_header("Content-Type", answer.media)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _encoded(content: Any) -> bytes:
    """The body of an answer: nothing, bytes and text as they are, anything else as JSON."""
    if content is None:
        return b""
    if isinstance(content, bytes):
        return content
    return content.encode("utf-8", "replace") if isinstance(content, str) else json.dumps(content).encode()

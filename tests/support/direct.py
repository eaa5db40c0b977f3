"""Requests of this process to a Cloud Storage server in this process, without a connection.

Google's library and everything above it runs as it does anywhere; what falls away is the socket, both of its
ends and two changes of thread: most of the time that a small request takes. A server with faults is asked
through its port, since they are faults of connections, and so is everybody in another process.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import format_datetime
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.http import HOST, HttpRequest, HttpService

_servers: list[GcsServer] = []
_send_through_port = HTTPAdapter.send


@contextmanager
def answering_directly(server: GcsServer) -> Iterator[None]:
    """Let the requests of this process to a server be answered directly."""
    _servers.append(server)
    try:
        yield
    finally:
        _servers.remove(server)


def _send(adapter: HTTPAdapter, request: PreparedRequest, *args: Any, **options: Any) -> Response:
    parts = urlsplit(request.url or "")
    service = _service(parts.port) if parts.hostname == HOST else None
    if service is None:
        return _send_through_port(adapter, request, *args, **options)
    # Each side has headers of its own: the library changes those that it was answered.
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    sent = HttpRequest(
        request.method or "GET",
        parts.path,
        parts.query,
        query,
        {"host": parts.netloc, **headers},
        _body(request),
    )
    fault = HttpFault()
    answer = service.answer(sent, fault)
    service.record(sent, service.target(sent), fault, answer)
    received = {"Date": format_datetime(service.now(), usegmt=True), **answer.headers}
    if answer.status not in (204, 304):
        received["Content-Length"] = str(len(answer.body))
    is_bodiless = sent.method == "HEAD"
    response = HTTPResponse(
        body=io.BytesIO(b"" if is_bodiless else answer.body),
        headers=cast(Mapping[str, str], received),
        status=answer.status,
        reason=http.client.responses.get(answer.status, ""),
        version=11,
        preload_content=False,
        request_method=sent.method,
    )
    return adapter.build_response(request, response)  # type: ignore[no-any-return, no-untyped-call, unused-ignore]


def _service(port: int | None) -> HttpService | None:
    """What answers at a port; None where it is no such server's, or one that has faults."""
    for server in _servers:
        for member, number in server.ports.items():
            if number == port and not server.faults.report():
                return server.service_of(member)
    return None


def _body(request: PreparedRequest) -> bytes:
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else cast(bytes, cast(Any, body).read())


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


HTTPAdapter.send = _send  # type: ignore[method-assign, assignment]

"""Serves a portal on 127.0.0.1: the files that a build wrote, and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlsplit

from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.rendering import POLICY

HOST = "127.0.0.1"
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript"}


class PortalServer:
    """A server of one portal; port 0 takes any that is free. Raises OSError where the port is taken."""

    def __init__(self, folder: PortalFolder, port: int) -> None:
        class BoundPortalHandler(PortalHandler):
            portal = folder

        self._server = ThreadingHTTPServer((HOST, port), BoundPortalHandler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The address of its first page."""
        return f"http://{HOST}:{self._server.server_port}/"

    def serve_forever(self) -> None:
        """Answer requests until `close`."""
        self._server.serve_forever(0.1)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()

    def __enter__(self) -> PortalServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()


class PortalHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the files of `portal`."""

    portal: PortalFolder

    def do_GET(self) -> None:
        """A file of the portal."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Its headers."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""

    def _answer(self, *, with_body: bool) -> None:
        status, data, kind = self._find()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", f"{POLICY}; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _find(self) -> tuple[HTTPStatus, bytes, str]:
        # A page of another host whose name leads here may not read it.
        name = (self.headers.get("Host") or "").rpartition(":")[0]
        path = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
        text = "text/plain; charset=utf-8"
        if name not in (HOST, "localhost"):
            return HTTPStatus.FORBIDDEN, b"This host is not served.\n", text
        if path not in self.portal.files:
            return HTTPStatus.NOT_FOUND, b"There is no such page.\n", text
        try:
            data = (self.portal.path / path).read_bytes()
        except OSError:
            return HTTPStatus.NOT_FOUND, b"There is no such page.\n", text
        return HTTPStatus.OK, data, TYPES.get(path.rpartition(".")[2], text)

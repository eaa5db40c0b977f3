"""A receiver of webhooks on this machine, which records what it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """The address of a receiver, and the requests that came: path, headers and body."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies of the requests."""
        return [body for _, _, body in self.requests]


@contextmanager
def receiving(
    answers: Sequence[tuple[int, Mapping[str, str]]] = (), *, hang: threading.Event | None = None
) -> Iterator[Receiver]:
    """A receiver that gives these answers (status and headers), one after the other, then 200.

    With `hang` it answers nothing until the event is set.
    """
    receiver, remaining = Receiver(), list(answers)

    class WebhookRequest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.requests.append((self.path, dict(self.headers), body))
            if hang:
                hang.wait(60)
            status, headers = remaining.pop(0) if remaining else (200, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), WebhookRequest)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        if hang:
            hang.set()
        server.shutdown()
        thread.join()
        server.server_close()

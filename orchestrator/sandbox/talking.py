"""How the sandbox's servers talk HTTP with one client."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler


class QuietConnection(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; an answer leaves in one piece. A client that goes away is nobody's error."""

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
        """Close quietly: the peer may be gone already."""
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: each server keeps a list of requests."""

"""A listening socket on loopback: a thread that accepts, and a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from threading import Lock, Thread

HOST = "127.0.0.1"
Serve = Callable[[socket.socket, tuple[str, int]], object]


class Listener:
    """Calls `serve` with each connection, which it closes afterwards. `number` 0 lets the kernel choose."""

    def __init__(self, name: str, serve: Serve, number: int = 0) -> None:
        self._serve_one = serve
        self._socket = socket.create_server((HOST, number), backlog=256)
        self.number: int = self._socket.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._closing = False
        self._thread = Thread(target=self._accept, name=f"{name}-{self.number}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closing = True
        # Wakes the accepting thread: closing a socket does not do so everywhere.
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.number), timeout=5):
            self._thread.join(5)
        self._socket.close()
        with self._lock:
            for connection in self._open:
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
                self._open.add(connection)
            Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            self._serve_one(connection, address)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

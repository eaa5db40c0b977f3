"""The Cloud Storage server: one store, one port for each account."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from threading import Lock, Thread

from orchestrator.sandbox.gcs.admin import Admin, RequestLog
from orchestrator.sandbox.gcs.buckets import Clock, system_clock
from orchestrator.sandbox.gcs.connection import Connection
from orchestrator.sandbox.gcs.faults import Faults
from orchestrator.sandbox.gcs.iam import Access, ProjectRoles, no_project_roles
from orchestrator.sandbox.gcs.routes import Router
from orchestrator.sandbox.gcs.store import Store

_HOST = "127.0.0.1"


class Hub:
    """What all ports of a server share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.router = Router(store)
        self.faults = Faults()
        self.log = RequestLog()
        self.admin = Admin(self.faults, self.log)


class Port:
    """One listening socket, a thread that accepts, and a thread for each connection."""

    def __init__(self, hub: Hub, access: Access, number: int = 0) -> None:
        self.hub = hub
        self.access = access
        self._listener = socket.create_server((_HOST, number), backlog=256)
        self.number: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._closing = False
        self._thread = Thread(target=self._accept, name=f"gcs-{self.number}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closing = True
        # Wakes the accepting thread: closing a socket does not do so everywhere.
        with contextlib.suppress(OSError), socket.create_connection((_HOST, self.number), timeout=5):
            self._thread.join(5)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
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
            Connection(connection, address, self)  # type: ignore[arg-type]
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


class GcsServer:
    """A Cloud Storage server on loopback, with its data in `folder`.

    The owner's port may do everything, and alone serves `/_sandbox/`. `project_roles` tells which basic roles
    an account holds, as policies name them (`projectViewer:PROJECT`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        project_roles: ProjectRoles = no_project_roles,
        clock: Clock = system_clock,
    ) -> None:
        self.store = Store(folder, clock=clock)
        self._hub = Hub(self.store)
        self._project_roles = project_roles
        self._ports: dict[str | None, Port] = {}
        self._lock = Lock()

    def start(self, port: int = 0) -> None:
        """Open the owner's port."""
        self.open_port(None, port)

    def open_port(self, member: str | None = None, port: int = 0) -> int:
        """The port of an account (`serviceAccount:…`, `user:…`, `allUsers`; None: the owner), opened once."""
        with self._lock:
            if member not in self._ports:
                access = Access(self.store, member, self._project_roles)
                self._ports[member] = Port(self._hub, access, port)
            return self._ports[member].number

    def url_of(self, member: str | None = None) -> str:
        """What `STORAGE_EMULATOR_HOST` is for an account; its port is opened if need be."""
        return f"http://{_HOST}:{self.open_port(member)}"

    @property
    def url(self) -> str:
        """What `STORAGE_EMULATOR_HOST` is for the owner."""
        return self.url_of()

    @property
    def ports(self) -> dict[str | None, int]:
        """The open port of each account."""
        with self._lock:
            return {member: port.number for member, port in self._ports.items()}

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self._hub.faults

    @property
    def requests(self) -> RequestLog:
        """The requests so far."""
        return self._hub.log

    def close(self) -> None:
        """Close every port. The data stays."""
        with self._lock:
            for port in self._ports.values():
                port.close()
            self._ports.clear()

    def __enter__(self) -> GcsServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

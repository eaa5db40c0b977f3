"""The Cloud Storage server: one store, one port for each account."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Lock

from orchestrator.sandbox.gcs.admin import Admin, RequestLog
from orchestrator.sandbox.gcs.buckets import Clock, system_clock
from orchestrator.sandbox.gcs.connection import Connection
from orchestrator.sandbox.gcs.faults import Faults
from orchestrator.sandbox.gcs.iam import Access, ProjectRoles, no_project_roles
from orchestrator.sandbox.gcs.routes import Router
from orchestrator.sandbox.gcs.store import Store
from orchestrator.sandbox.listener import HOST, Listener


class Hub:
    """What all ports of a server share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.router = Router(store)
        self.faults = Faults()
        self.log = RequestLog()
        self.admin = Admin(self.faults, self.log)


class Port(Listener):
    """The port of one account."""

    def __init__(self, hub: Hub, access: Access, number: int = 0) -> None:
        self.hub = hub
        self.access = access
        super().__init__("gcs", self._connected, number)

    def _connected(self, connection: socket.socket, address: tuple[str, int]) -> None:
        Connection(connection, address, self)  # type: ignore[arg-type]


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
        return f"http://{HOST}:{self.open_port(member)}"

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

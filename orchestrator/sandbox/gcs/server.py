"""The Cloud Storage server: one store, one port for each account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock

from orchestrator.sandbox.faults import HttpFault, HttpFaults
from orchestrator.sandbox.gcs.admin import Admin, RequestLog, ServedRequest
from orchestrator.sandbox.gcs.buckets import Clock, system_clock
from orchestrator.sandbox.gcs.faults import fault_response
from orchestrator.sandbox.gcs.iam import Access, ProjectRoles, no_project_roles
from orchestrator.sandbox.gcs.messages import GcsRequest
from orchestrator.sandbox.gcs.routes import Router
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import CONTROL_PREFIX, HttpPort, HttpRequest, HttpResponse, HttpService


class _Hub:
    """What all ports of a server share."""

    def __init__(self, store: GcsStore) -> None:
        self.store = store
        self.router = Router(store)
        self.faults = HttpFaults()
        self.log = RequestLog()

    @property
    def admin(self) -> Admin:
        """The server's own endpoints."""
        return Admin(self.faults, self.log)


@dataclass(frozen=True)
class _AccountService:
    """What the port of one account serves."""

    hub: _Hub
    access: Access

    def now(self) -> datetime:
        """The time of the store."""
        return self.hub.store.clock()

    def target(self, request: HttpRequest) -> str:
        """The decoded path; an upload's includes the name of the object."""
        return self.hub.router.target(request)

    def find_fault(self, request: HttpRequest, target: str) -> HttpFault | None:
        """The fault that applies; the server's own endpoints have none."""
        if request.path.startswith(CONTROL_PREFIX):
            return None
        return self.hub.faults.strike(request.method, target, self._account)

    def answer(self, request: HttpRequest, fault: HttpFault) -> HttpResponse:
        """The response of the service, of a fault, or of the server's own endpoints."""
        gcs_request = GcsRequest(
            request.method,
            request.path,
            request.query_string,
            request.query,
            request.headers,
            request.body,
            self.access,
        )
        if request.path.startswith(CONTROL_PREFIX):
            return self.hub.admin.answer(gcs_request)
        return fault_response(fault) if fault.status else self.hub.router.answer(gcs_request)

    def record(
        self, request: HttpRequest, target: str, fault: HttpFault, response: HttpResponse | None
    ) -> None:
        """Log the request; the status is 0 when the connection is cut."""
        if request.path.startswith(CONTROL_PREFIX):
            return
        status = response.status if response and not fault.cut else 0
        self.hub.log.add(ServedRequest(request.method, target, request.query, self._account, status))

    @property
    def _account(self) -> str:
        return self.access.member or ""


class GcsServer:
    """A Cloud Storage server on loopback, with its data in `folder`.

    The owner's port may do everything, and alone serves `/_sandbox/`. `project_roles` returns the basic roles
    that an account holds, as policies name them (`projectViewer:PROJECT`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        project_roles: ProjectRoles = no_project_roles,
        clock: Clock = system_clock,
    ) -> None:
        self.store = GcsStore(folder, clock=clock)
        self._hub = _Hub(self.store)
        self._project_roles = project_roles
        self._ports: dict[str | None, HttpPort] = {}
        self._lock = Lock()

    def start(self, port: int = 0) -> None:
        """Open the owner's port."""
        self.open_port(None, port)

    def open_port(self, member: str | None = None, port: int = 0) -> int:
        """The port of an account (`serviceAccount:…`, `user:…`, `allUsers`; None: the owner), opened once."""
        with self._lock:
            if member not in self._ports:
                access = Access(self.store, member, self._project_roles)
                self._ports[member] = HttpPort("gcs", _AccountService(self._hub, access), port)
            return self._ports[member].number

    def url_of(self, member: str | None = None) -> str:
        """What `STORAGE_EMULATOR_HOST` is for an account; its port is opened if need be."""
        self.open_port(member)
        return self._ports[member].url

    @property
    def url(self) -> str:
        """What `STORAGE_EMULATOR_HOST` is for the owner."""
        return self.url_of()

    def service_of(self, member: str | None = None) -> HttpService:
        """What the port of an account serves."""
        self.open_port(member)
        return self._ports[member].service

    @property
    def ports(self) -> dict[str | None, int]:
        """The open port of each account."""
        with self._lock:
            return {member: port.number for member, port in self._ports.items()}

    @property
    def faults(self) -> HttpFaults:
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

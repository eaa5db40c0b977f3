"""A store, a server, and raw HTTP requests to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.gcs.store import GcsStore

BUCKET = "acme-state"


class MovableClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        """Let time pass."""
        self.moment += timedelta(**by)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason word of an error."""
        return str(self.json["error"]["errors"][0]["reason"])


Call = Callable[..., Answer]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(tmp_path: Path, clock: MovableClock) -> GcsStore:
    """A store with one bucket, versioned and with uniform access."""
    gcs_store = GcsStore(tmp_path / "gcs", clock=clock)
    access = {"uniformBucketLevelAccess": {"enabled": True}}
    gcs_store.create_bucket(
        "acme", {"name": BUCKET, "versioning": {"enabled": True}, "iamConfiguration": access}
    )
    return gcs_store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    """A server with one bucket, versioned and with uniform access."""
    roles = {"serviceAccount:viewer@acme.example": {"projectViewer:acme"}}
    with GcsServer(tmp_path / "gcs", project_roles=lambda member: roles.get(member, set())) as gcs_server:
        access = {"uniformBucketLevelAccess": {"enabled": True}}
        gcs_server.store.create_bucket(
            "acme", {"name": BUCKET, "versioning": {"enabled": True}, "iamConfiguration": access}
        )
        yield gcs_server


@pytest.fixture
def call(server: GcsServer) -> Call:
    """`call("GET", "/storage/v1/b", prefix="a", member=…, headers=…, body=…)`; a dict body goes as JSON."""

    def request(
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        member: str | None = None,
        **query: object,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", server.open_port(member), timeout=10)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        target = path + ("?" + urlencode(query) if query else "")
        try:
            connection.request(method, target, data, dict(headers or {}))
            answer = connection.getresponse()
            lowered = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, lowered, answer.read())
        finally:
            connection.close()

    return request

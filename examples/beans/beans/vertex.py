"""The few calls of Vertex AI's and Artifact Registry's APIs that a deployment needs.

REST by `google-auth`'s session. Source of the paths and fields: Google's discovery documents `aiplatform.v1`
and the KFP registry's client; a test holds the requests against the former.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from kfp.registry import RegistryClient

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT = 60
_ENDED = ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED")


class VertexError(Exception):
    """A request that Google refused, or an answer that is not as documented."""


class Vertex:
    """Pipeline jobs and schedules of one project and location."""

    def __init__(self, session: requests.Session, base: str, project: str, location: str) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._parent = f"projects/{project}/locations/{location}"

    def create_run(self, body: dict[str, Any]) -> str:
        """Starts a pipeline job, and returns its resource name."""
        return str(self._call("POST", f"{self._parent}/pipelineJobs", body)["name"])

    def wait_for_run(
        self, name: str, limit: float, pause: float = 20, on_state: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """The pipeline job once it has ended; `limit` and `pause` are seconds.

        Raises VertexError at the limit.
        """
        end = time.monotonic() + limit
        seen = ""
        while True:
            job = self._call("GET", name)
            state = str(job.get("state", "PIPELINE_STATE_UNSPECIFIED"))
            if state != seen:
                on_state(state)
                seen = state
            if state in _ENDED:
                return job
            if time.monotonic() > end:
                raise VertexError(f"{name} has not ended after {limit:.0f} seconds: {state}")
            time.sleep(pause)

    def find_schedule(self, display_name: str) -> dict[str, Any] | None:
        """The schedule of a display name. Raises VertexError if there are several."""
        schedules = [
            schedule
            for schedule in self._list(f"{self._parent}/schedules", "schedules")
            if schedule.get("displayName") == display_name
        ]
        if len(schedules) > 1:
            names = ", ".join(str(schedule.get("name")) for schedule in schedules)
            raise VertexError(f"several schedules are called {display_name}: {names}; delete all but one")
        return schedules[0] if schedules else None

    def create_schedule(self, body: dict[str, Any]) -> str:
        """Creates a schedule, and returns its resource name."""
        return str(self._call("POST", f"{self._parent}/schedules", body)["name"])

    def update_schedule(self, name: str, body: dict[str, Any]) -> None:
        """Changes the given fields of a schedule."""
        self._call("PATCH", f"{name}?updateMask={','.join(sorted(body))}", body)

    def _list(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            answer = self._call("GET", f"{path}?pageSize=100{f'&pageToken={token}' if token else ''}")
            yield from answer.get(key, [])
            token = answer.get("nextPageToken", "")
            if not token:
                return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._session.request(method, f"{self._base}/v1/{path}", json=body, timeout=TIMEOUT)
            answer = response.json()
        except requests.RequestException as error:
            raise VertexError(f"{method} {path}: {error}") from error
        if response.status_code >= 400 or not isinstance(answer, dict):
            message = answer.get("error", {}).get("message") if isinstance(answer, dict) else None
            raise VertexError(f"{method} {path}: {response.status_code} {message or response.reason}")
        return answer


def upload_template(client: RegistryClient, compiled: Path) -> str:
    """Uploads a compiled pipeline to the registry, and returns its version, `sha256:HEX`.

    The same bytes have the same version in every registry. Raises VertexError.
    """
    try:
        _, version = client.upload_pipeline(str(compiled))
    except (requests.RequestException, ValueError) as error:
        raise VertexError(f"the registry did not take {compiled.name}: {error}") from error
    version = version.strip()
    if not version.startswith("sha256:"):
        raise VertexError(f"the registry's answer names no version: {version[:100]!r}")
    return version

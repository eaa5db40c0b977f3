"""The GitHub server: its API, its pages for people and its control endpoint on one port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from orchestrator.errors import InfraError, SandboxError
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.github import api_users, control, routes, tokens
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall, encode_response
from orchestrator.sandbox.github.errors import GitHubError, not_found
from orchestrator.sandbox.github.faults import fault_error
from orchestrator.sandbox.github.repository import Clock
from orchestrator.sandbox.github.service import GitHubService, system_clock
from orchestrator.sandbox.github.shapes import ApiDocuments
from orchestrator.sandbox.http import CONTROL_PREFIX, HttpPort, HttpRequest, HttpResponse

_LIMIT = 15_000
Observer = Callable[[HttpRequest, ApiResponse, HttpFault], None]


class GitHubServer(GitHubService):
    """A GitHub that answers on a port of loopback.

    `observer` is called with each request to the API, its response and its fault, before the client has the
    response.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        folder: Path | None = None,
        clock: Clock = system_clock,
        control_token: str = "",
        observer: Observer | None = None,
    ) -> None:
        super().__init__(environ, folder=folder, clock=clock, control_token=control_token)
        self._observer = observer
        self._port: HttpPort | None = None

    def start(self, port: int = 0) -> None:
        """Answer from now on."""
        self._port = HttpPort("github", self, port)

    def close(self) -> None:
        """Stop answering; what is in the folder stays."""
        if self._port:
            self._port.close()

    @property
    def port(self) -> int:
        """The port; SandboxError before the start."""
        return self._open_port().number

    @property
    def url(self) -> str:
        """What GITHUB_API_URL and GITHUB_SERVER_URL are; SandboxError before the start."""
        return self._open_port().url

    def _open_port(self) -> HttpPort:
        if self._port is None:
            raise SandboxError("The sandbox's GitHub has not been started.")
        return self._port

    # Requests, as HttpService

    def now(self) -> datetime:
        """The time of this machine: that of the service may be a test's."""
        return datetime.now(UTC)

    def target(self, request: HttpRequest) -> str:
        """The decoded path."""
        return unquote(request.path)

    def find_fault(self, request: HttpRequest, target: str) -> HttpFault | None:
        """The fault that applies; only the API has faults."""
        return self.faults.strike(request.method, target) if _is_api(request.path) else None

    def answer(self, request: HttpRequest, fault: HttpFault) -> HttpResponse:
        """The response of the API, of a fault, of a page or of the control endpoint."""
        if request.path.startswith(CONTROL_PREFIX):
            response = control.answer(self, request)
        elif _is_api(request.path):
            response = self._answer_api(request, fault)
        else:
            # Only people look at pages: commands start without them.
            from orchestrator.sandbox.github import page

            response = page.answer(self, request)
        return encode_response(request, response)

    def record(
        self, request: HttpRequest, target: str, fault: HttpFault, response: HttpResponse | None
    ) -> None:
        """Log a request that a fault cut; `_answer_api` logs the others with the status of their work."""
        if response is None and _is_api(request.path):
            self.requests.append((request.method, target, 0))

    def _answer_api(self, request: HttpRequest, fault: HttpFault) -> ApiResponse:
        try:
            if fault.status:
                raise fault_error(fault)
            with self._lock:
                response = self._call(request)
        except GitHubError as error:
            response = ApiResponse(error.status, error.document(), error.headers)
        except InfraError as error:
            response = ApiResponse(500, {"message": error.message})
        headers = {**self._rate_headers(), **response.headers}
        response = ApiResponse(response.status, response.content, headers, response.media)
        self.requests.append((request.method, unquote(request.path), response.status))
        if self._observer:
            self._observer(request, response, fault)
        return response

    def _call(self, request: HttpRequest) -> ApiResponse:
        _, token = tokens.authenticate(self.world, request.headers.get("authorization", ""))
        shapes = ApiDocuments(self.world, self.url)
        content = _parse_body(request)
        response = api_users.answer(shapes, token, request)
        if response:
            return response
        match = routes.find_route(request.method, request.path)
        if match is None:
            raise not_found()
        route, arguments = match
        name = f"{arguments.pop('owner')}/{arguments.pop('repo')}"
        with self.open_repository(name, reads=request.method == "GET") as service:
            tokens.authorize(token, service.repository, route.needs)
            return route.handler(RepositoryCall(request, token, service, shapes, arguments, content))

    def _rate_headers(self) -> dict[str, str]:
        used = len(self.requests) % _LIMIT
        return {
            "X-RateLimit-Limit": str(_LIMIT),
            "X-RateLimit-Remaining": str(_LIMIT - used),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Media-Type": "github.v3; format=json",
        }


def _is_api(path: str) -> bool:
    """Whether the path is the API's: everything else but the control endpoint is a page for people."""
    return path.startswith(("/repos/", "/users/", "/orgs/")) or path in ("/user", "/rate_limit")


def _parse_body(request: HttpRequest) -> dict[str, Any]:
    if not request.body:
        return {}
    try:
        content = json.loads(request.body)
    except ValueError:
        raise GitHubError(400, "Problems parsing JSON") from None
    if isinstance(content, list):
        # GitHub takes a bare list of labels too.
        return {"labels": content}
    if not isinstance(content, dict):
        raise GitHubError(400, "Body should be a JSON object")
    return content

"""Requests of commands to the sandbox's process: JSON over loopback, with the token of sandbox.json."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.errors import InfraError, SandboxError
from orchestrator.sandbox.attach import LOOPBACK, Info
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.http import HttpPort, HttpRequest, HttpResponse

Operation = Callable[..., Any]
DEADLINE = 60.0


def call(info: Info, operation: str, /, **arguments: Any) -> Any:
    """Call an operation of the sandbox's process; raises the SandboxError that it answers."""
    answer = _request(info, info.control, "POST", f"/{operation}", arguments)
    if "error" in answer:
        raise SandboxError(answer["error"]["message"], advice=answer["error"]["advice"])
    return answer["result"]


def request_gcs(info: Info, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
    """Send a request to the GCS server as its owner; {} for an empty answer."""
    answer = _request(info, info.gcs, method, path, content)
    if isinstance(answer, dict) and "error" in answer:
        raise SandboxError(answer["error"]["message"])
    return answer


def call_github(info: Info, operation: str, /, **arguments: Any) -> Any:
    """Call an operation of `github.control`; SandboxError when it is refused."""
    if not info.github:
        raise SandboxError(
            f"The sandbox in {info.folder} has no GitHub.",
            advice="It was started by an older infra: `infra sandbox down`, then `infra sandbox up`.",
        )
    answer = _request(info, info.github, "POST", f"/_sandbox/{operation}", arguments)
    if "result" not in answer:
        errors = [error for error in answer.get("errors", ()) if isinstance(error, dict)]
        details = [
            str(error.get("message") or f"{error.get('field')} is {error.get('code')}") for error in errors
        ]
        raise SandboxError(f"GitHub says: {': '.join([str(answer.get('message')), *details])}.")
    return answer["result"]


def read_github(info: Info, path: str) -> Any:
    """Read a path of GitHub's API below the project's repository: `issues/1/comments`."""
    answer = _request(info, info.github, "GET", f"/repos/{info.repository}/{path}", None, info.github_token)
    if isinstance(answer, dict) and "message" in answer:
        raise SandboxError(f"GitHub says: {answer['message']}.")
    return answer


def read_page(info: Info, path: str) -> str:
    """A page of the sandbox's GitHub as a browser gets it."""
    connection = http.client.HTTPConnection(LOOPBACK, info.github, timeout=DEADLINE)
    try:
        connection.request("GET", path, headers={"Accept": "text/html"})
        return connection.getresponse().read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise SandboxError(f"The page {path} cannot be read: {error}.") from error
    finally:
        connection.close()


def _request(
    info: Info, port: int, method: str, path: str, content: Mapping[str, Any] | None, token: str = ""
) -> Any:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=DEADLINE)
    headers = {"Authorization": f"Bearer {token or info.token}", "Content-Type": "application/json"}
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body=body, headers=headers)
        return json.loads(connection.getresponse().read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SandboxError(
            f"The sandbox in {info.folder} does not answer: {error or type(error).__name__}.",
            advice="Start it again: `infra sandbox down`, then `infra sandbox up`.",
        ) from error
    finally:
        connection.close()


class ControlServer:
    """Serves a table of operations, each a function of keyword arguments that returns JSON."""

    def __init__(self, token: str, operations: Mapping[str, Operation]) -> None:
        self._service = _ControlService(token, operations)
        self._port: HttpPort | None = None

    @property
    def port(self) -> int:
        """The port; SandboxError before the start."""
        if self._port is None:
            raise SandboxError("The sandbox's control server has not been started.")
        return self._port.number

    def start(self) -> None:
        """Answer from now on."""
        self._port = HttpPort("control", self._service)

    def close(self) -> None:
        """Stop answering."""
        if self._port:
            self._port.close()


@dataclass(frozen=True)
class _ControlService:
    """Checks the token, finds the operation, and answers with its result or its error."""

    token: str
    operations: Mapping[str, Operation]

    def now(self) -> datetime:
        """The time of this machine."""
        return datetime.now(UTC)

    def target(self, request: HttpRequest) -> str:
        """The path."""
        return request.path

    def find_fault(self, request: HttpRequest, target: str) -> HttpFault | None:
        """None: there are no faults here."""
        return None

    def record(
        self, request: HttpRequest, target: str, fault: HttpFault, response: HttpResponse | None
    ) -> None:
        """Nothing: only failures are logged."""

    def answer(self, request: HttpRequest, fault: HttpFault) -> HttpResponse:
        """The result of the operation, or its error."""
        operation = self.operations.get(request.path.removeprefix("/"))
        if not request.has_token(self.token):
            status, content = 403, _error("The token is not this sandbox's.", "Read sandbox.json again.")
        elif operation is None or request.method != "POST":
            advice = "Is infra of another version?"
            status, content = 404, _error(f"There is no operation {request.path}.", advice)
        else:
            status, content = _run(operation, request)
        return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def _run(operation: Operation, request: HttpRequest) -> tuple[int, dict[str, Any]]:
    try:
        return 200, {"result": operation(**json.loads(request.body or b"{}"))}
    except InfraError as error:
        return 400, _error(error.message, error.advice)
    except Exception as error:
        # Standard error is the sandbox's log.
        sys.stderr.write(f"{request.path}: {error!r}\n")
        sys.stderr.flush()
        message = f"The sandbox failed: {type(error).__name__}: {error}"
        return 500, _error(message, "Its log says more: DIR/log.")


def _error(message: str, advice: str) -> dict[str, Any]:
    return {"error": {"message": message, "advice": advice}}

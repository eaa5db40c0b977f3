"""How a command speaks to the sandbox's process: JSON over loopback, with the token of sandbox.json."""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from orchestrator.errors import InfraError, SandboxError
from orchestrator.sandbox.attach import LOOPBACK, Info

Operation = Callable[..., Any]
DEADLINE = 60.0


def call(info: Info, operation: str, /, **arguments: Any) -> Any:
    """Have the sandbox's process do `operation`; its answer, or the SandboxError that it gave."""
    answer = _ask(info, info.control, "POST", f"/{operation}", arguments)
    if "error" in answer:
        raise SandboxError(answer["error"]["message"], advice=answer["error"]["advice"])
    return answer["result"]


def ask_gcs(info: Info, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
    """What the GCS server answers its owner; {} for an empty answer."""
    answer = _ask(info, info.gcs, method, path, content)
    if isinstance(answer, dict) and "error" in answer:
        raise SandboxError(answer["error"]["message"])
    return answer


def ask_github(info: Info, operation: str, /, **arguments: Any) -> Any:
    """Have the GitHub server do `operation` of `github.control`; SandboxError when it says no."""
    if not info.github:
        raise SandboxError(
            f"The sandbox in {info.folder} has no GitHub.",
            advice="It was started by an older infra: `infra sandbox down`, then `infra sandbox up`.",
        )
    answer = _ask(info, info.github, "POST", f"/_sandbox/{operation}", arguments)
    if "result" not in answer:
        errors = [one for one in answer.get("errors", ()) if isinstance(one, dict)]
        details = [str(one.get("message") or f"{one.get('field')} is {one.get('code')}") for one in errors]
        raise SandboxError(f"GitHub says: {': '.join([str(answer.get('message')), *details])}.")
    return answer["result"]


def read_github(info: Info, path: str) -> Any:
    """What GitHub's own API answers about the project's repository: `issues/1/comments`."""
    answer = _ask(info, info.github, "GET", f"/repos/{info.repository}/{path}", None, info.github_token)
    if isinstance(answer, dict) and "message" in answer:
        raise SandboxError(f"GitHub says: {answer['message']}.")
    return answer


def _ask(
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
        class Handler(_Handler):
            pass

        Handler.token = token
        Handler.operations = dict(operations)
        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on, in a thread."""
        Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request: check the token, find the operation, answer with its result or its error."""

    token: str
    operations: Mapping[str, Operation]
    timeout = DEADLINE

    def do_POST(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        operation = self.operations.get(self.path.removeprefix("/"))
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            self._answer(403, _error("The token is not this sandbox's.", "Read sandbox.json again."))
        elif operation is None:
            self._answer(404, _error(f"There is no operation {self.path}.", "Is infra of another version?"))
        else:
            self._answer(*self._outcome(operation))

    def _outcome(self, operation: Operation) -> tuple[int, dict[str, Any]]:
        try:
            length = int(self.headers.get("Content-Length", "0"))
            return 200, {"result": operation(**json.loads(self.rfile.read(length) or b"{}"))}
        except InfraError as error:
            return 400, _error(error.message, error.advice)
        except Exception as error:
            self.log_error("%s: %r", self.path, error)
            told = f"{type(error).__name__}: {error}"
            return 500, _error(f"The sandbox failed: {told}", "Its log says more: DIR/log.")

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only failures are logged."""


def _error(message: str, advice: str) -> dict[str, Any]:
    return {"error": {"message": message, "advice": advice}}

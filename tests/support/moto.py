"""AWS as a server on loopback (moto), behind a proxy that a test can stop at one request.

`MOTO_SERVER` names the server's program, else it is looked for on PATH.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qs, urlencode

Moment = Literal["before", "during", "after"]
_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@dataclass
class Aws:
    """The server, seen through the proxy at `url`.

    `stop_at` is the operation at which `act` is called once: before the server has it or after it has done it
    and before anybody knows, and its answer is then lost; or during it, and the request waits for `act`.
    """

    url: str
    server: str
    stop_at: str = ""
    moment: Moment = "before"
    act: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def stop(self, operation: str, moment: Moment, act: Callable[[], None]) -> None:
        """Call `act` at the next such operation."""
        self.stop_at, self.moment, self.act = operation, moment, act

    @property
    def has_stopped(self) -> bool:
        """True once the operation came."""
        return not self.stop_at

    def claim(self, operation: str) -> bool:
        """Whether this request is the one to stop at; only one is."""
        with self._lock:
            self.calls.append(operation)
            if not self.stop_at or operation != self.stop_at:
                return False
            self.stop_at = ""
            return True

    def reset(self) -> None:
        """Forget all resources."""
        self._ask("POST", "/moto-api/reset")
        self.stop_at = ""
        self.calls.clear()

    def call(self, service: str, action: str, **parameters: str) -> str:
        """An operation of a service by its query API, as somebody else calls it; gives its answer."""
        scope = f"Credential=other/20260101/eu-west-1/{service}/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({"Action": action, **{name.replace("_", "."): v for name, v in parameters.items()}})
        return self._ask("POST", "/", body.encode(), headers).decode()

    def _ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
    ) -> bytes:
        """The server's own answer, past the proxy."""
        connection = http.client.HTTPConnection(self.server.removeprefix("http://"), timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            data = answer.read()
        assert answer.status < 400, data
        return data


def moto_server(environ: dict[str, str]) -> str | None:
    """The server's program."""
    return shutil.which(environ.get("MOTO_SERVER") or "moto_server")


@contextmanager
def serving(program: str) -> Iterator[Aws]:
    """Moto on a free port, and the proxy before it."""
    argv = [program, "-H", "127.0.0.1", "-p", "0"]
    with (
        subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process,
        ThreadingHTTPServer(("127.0.0.1", 0), _ForwardingHandler) as proxy,
    ):
        matches = (re.search(r"Running on (http://\S+)", line) for line in process.stderr or ())
        aws = Aws(f"http://127.0.0.1:{proxy.server_address[1]}", next(match[1] for match in matches if match))
        # Its log must not fill the pipe.
        reader = threading.Thread(target=(process.stderr or sys.stdin).read, daemon=True)
        reader.start()
        _ForwardingHandler.aws = aws
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield aws
        finally:
            proxy.shutdown()
            process.terminate()
            reader.join()


class _ForwardingHandler(BaseHTTPRequestHandler):
    """Passes a request on, and its answer back; a connection serves one request, so that none is reused."""

    protocol_version = "HTTP/1.0"
    aws: Aws

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = _operation(self.command, self.path, dict(self.headers), body)
        is_stop = self.aws.claim(operation)
        if is_stop and self.aws.moment == "before":
            self._lose_answer()
            return
        if is_stop and self.aws.moment == "during":
            self.aws.act()
            is_stop = False
        upstream = http.client.HTTPConnection(self.aws.server.removeprefix("http://"), timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP - {"host"}}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        if is_stop:
            self._lose_answer()
            return
        with contextlib.suppress(ConnectionError):
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def _lose_answer(self) -> None:
        self.aws.act()
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests print what matters."""


def _operation(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """`CreateVpc`, `CreateQueue`; for the REST services `PUT /bucket/key`."""
    target = next((value for name, value in headers.items() if name.lower() == "x-amz-target"), "")
    if target:
        return target.rpartition(".")[2]
    if "x-www-form-urlencoded" in headers.get("Content-Type", ""):
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    return f"{method} {path.partition('?')[0]}"

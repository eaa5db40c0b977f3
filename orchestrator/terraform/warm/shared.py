"""A run's side of the provider host: finds or starts it, and asks it for processes of providers."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import ProcessError
from orchestrator.process import Command, start_detached
from orchestrator.terraform.credentials import file_identity
from orchestrator.terraform.warm.host import READY, Package
from orchestrator.terraform.warm.host_folder import (
    folder_lock,
    prepare_host_folder,
    socket_path,
    socket_paths,
)
from orchestrator.terraform.warm.instances import CallableProvider, Instances
from orchestrator.terraform.warm.messages import receive, send
from orchestrator.terraform.warm.paths import absolute_paths
from orchestrator.terraform.warm.provider import Channel, Handshake, Provider

# Seconds; backstops for a host that hangs. A provider may take a minute to start, and as long to configure.
_START_LIMIT = 60.0
_ANSWER_LIMIT = 300.0
_STATUS_LIMIT = 10.0


class HostClient:
    """A run's lease of a provider host. Raises ProcessError when there is none and none can be started."""

    def __init__(self, folder: Path, idle_limit: float) -> None:
        self._path = socket_path(folder)
        self._idle_limit = idle_limit
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        prepare_host_folder(folder)
        with folder_lock(folder, wait=True):
            self._lease = self._connect_or_start(folder)
            try:
                self._run = str(_ask(self._lease, {"operation": "open"})[0]["run"])
            except BaseException:
                self._lease.close()
                raise

    def _connect_or_start(self, folder: Path) -> socket.socket:
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            return _connect(self._path, _ANSWER_LIMIT)
        # Nobody listens there: that host was killed.
        self._path.unlink(missing_ok=True)
        argv = (sys.executable, "-P", "-m", "orchestrator.terraform.warm.host", str(folder))
        if start_detached(Command(argv, Path("/"), {}, title="the provider host"), _START_LIMIT) != READY:
            raise ProcessError("The provider host did not start.")
        return _connect(self._path, _ANSWER_LIMIT)

    def ask(self, operation: str, package: Package, body: bytes = b"", **words: str) -> tuple[Any, bytes]:
        """Send one request; raises ProcessError with what the host says, or when it is gone."""
        header = {
            "operation": operation,
            "run": self._run,
            "idle": self._idle_limit,
            "package": package.document(),
            **words,
        }
        try:
            with _connect(self._path, _ANSWER_LIMIT) as connection:
                return _ask(connection, header, body)
        except OSError as error:
            raise ProcessError(f"The provider host is gone: {error}.") from error

    def channel(self, answer: Mapping[str, Any]) -> Channel:
        """The channel to the process that an answer names."""
        handshake = Handshake(int(answer["protocol"]), str(answer["target"]))
        with self._lock:
            if handshake.target not in self._channels:
                self._channels[handshake.target] = Channel(handshake)
            return self._channels[handshake.target]

    def close(self) -> None:
        """End the lease; the processes stay with the host."""
        with self._lock:
            channels = self._channels.copy()
            self._channels.clear()
        with self._lease, contextlib.suppress(OSError):
            calls = {target: channel.calls for target, channel in channels.items()}
            send(self._lease, {"operation": "close", "calls": calls})
        for channel in channels.values():
            channel.close()


class SharedInstances:
    """The processes of one package at the host; `own` are the run's, for when the host cannot help."""

    def __init__(
        self, client: HostClient, package: Package, own: Instances[Provider], report: Callable[[str], None]
    ) -> None:
        self._client = client
        self._package = package
        self._own = own
        self._report = report
        self._home = dict(package.env).get("HOME", "/")
        self._lock = threading.Lock()
        self._is_lost = False
        self._answers: dict[tuple[str, bytes], bytes] = {}

    def unconfigured(self) -> CallableProvider:
        """The process for calls that come before any configuration."""
        answer = self._ask("unconfigured")
        return self._client.channel(answer[0]) if answer else self._own.unconfigured()

    def answer(self, method: str, request: bytes) -> bytes:
        """What the unconfigured process answers; raises grpc.RpcError."""
        key = (method, request)
        with self._lock:
            known_answer = self._answers.get(key)
        if known_answer is not None:
            return known_answer
        answer = self._ask("answer", request, method=method)
        response = answer[1] if answer else self._own.answer(method, request)
        with self._lock:
            self._answers[key] = response
        return response

    def configured(self, method: str, request: bytes) -> tuple[CallableProvider, bytes]:
        """The process with exactly this configuration, and its answer to it; raises grpc.RpcError."""
        paths = sorted(set(absolute_paths(request, self._home)))
        files = hashlib.sha256("\n".join(map(file_identity, paths)).encode("utf-8", "replace")).hexdigest()
        answer = self._ask("configured", request, method=method, files=files)
        if answer is None:
            return self._own.configured(method, request)
        return self._client.channel(answer[0]), answer[1]

    def discard(self, provider: CallableProvider) -> None:
        """Never hand out a process again: it has failed."""
        if isinstance(provider, Channel):
            self._ask("discard", target=provider.target)
        else:
            self._own.discard(provider)

    def _ask(self, operation: str, body: bytes = b"", **words: str) -> tuple[Any, bytes] | None:
        """The host's answer; None from the first failure on."""
        if self._is_lost:
            return None
        try:
            return self._client.ask(operation, self._package, body, **words)
        except ProcessError as error:
            self._is_lost = True
            name = self._package.source.rpartition("/")[2]
            self._report(f"{name} runs for this run alone: {error.message}")
            return None


def host_statuses(folder: Path) -> list[dict[str, Any]]:
    """What each host of the folder says of itself; none for those that were killed."""
    return [answer for path in socket_paths(folder) if (answer := _ask_host(path, "status"))]


def stop_hosts(folder: Path) -> list[int]:
    """End every host of the folder, and wait for that; gives their process ids."""
    return [int(answer["pid"]) for path in socket_paths(folder) if (answer := _ask_host(path, "stop"))]


def _ask_host(path: Path, operation: str) -> dict[str, Any] | None:
    try:
        with _connect(path, _STATUS_LIMIT) as connection:
            answer: dict[str, Any] = _ask(connection, {"operation": operation})[0]
            if operation == "stop":
                # It never says more, so this waits for its end.
                with contextlib.suppress(OSError):
                    connection.recv(1)
            return answer
    except (OSError, ProcessError):
        return None


def _connect(path: Path, limit: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(limit)
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _ask(connection: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> tuple[Any, bytes]:
    """Send a request and wait for its answer; raises ProcessError for one that says what went wrong."""
    try:
        send(connection, header, body)
        answer, data = receive(connection)
    except (EOFError, ValueError) as error:
        raise ProcessError(f"The provider host gave no answer: {error}.") from error
    if "error" in answer:
        raise ProcessError(str(answer["error"]))
    return answer, data

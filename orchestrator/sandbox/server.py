"""The sandbox's process: runs all servers until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import InfraError
from orchestrator.process import started_at
from orchestrator.sandbox import attach
from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.control import ControlServer, Operation
from orchestrator.sandbox.github.server import GitHubServer
from orchestrator.sandbox.sentinel import Sentinel

# The first users of a repository on the sandbox's GitHub, with their roles.
PEOPLE = {"owner": "admin", "reviewer": "write"}
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Server:
    """One sandbox: its cloud, its GitHub, its control server, the sentinel, and sandbox.json."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._token = secrets.token_urlsafe(24)
        self._sentinel = Sentinel()
        self._cloud = Cloud(folder, read_locations(environ))
        self._github = GitHubServer(environ, folder=folder / "github", control_token=self._token)
        self._repository = ""
        # Requests are answered in threads: what is written last must be the newest.
        self._writing = threading.Lock()
        own: dict[str, Operation] = {"prepare": self._prepare, "prepare_repository": self._prepare_repository}
        operations = {**self._cloud.operations(), **own}
        self._control = ControlServer(self._token, operations)

    def start(self) -> None:
        """Answer on every port, then write sandbox.json."""
        self._cloud.start()
        self._github.start()
        self._control.start()
        self._write()

    def revive_sentinel(self) -> None:
        """Start another sentinel if it was killed: its pid may soon be another process's."""
        if self._sentinel.has_ended():
            self._sentinel.close()
            self._sentinel = Sentinel()
            self._write()

    def close(self) -> None:
        """Delete sandbox.json, then stop answering."""
        (self._folder / attach.NAME).unlink(missing_ok=True)
        self._control.close()
        self._github.close()
        self._cloud.close()
        self._sentinel.close()

    def _prepare(self, needs: dict[str, Any]) -> dict[str, list[str]]:
        result = self._cloud.prepare(needs)
        self._write()
        return result

    def _prepare_repository(self, name: str, branch: str) -> str:
        """Create the project's repository on GitHub if it is missing; returns the folder to push to."""
        repository = self._github.add_repository(name, branch=branch)
        for login, role in PEOPLE.items():
            if login not in repository.roles:
                self._github.set_role(name, login, role)
        if self._repository != name:
            self._repository = name
            self._write()
        return repository.git

    def _write(self) -> None:
        with self._writing:
            attach.write(
                attach.Info(
                    folder=self._folder,
                    pid=os.getpid(),
                    started=started_at(os.getpid()) or "",
                    control=self._control.port,
                    token=self._token,
                    gcs=self._cloud.gcs_port,
                    accounts=self._cloud.accounts,
                    reattach=self._cloud.reattach(self._sentinel.pid),
                    github=self._github.port,
                    github_token=self._github.owners_token(),
                    repository=self._repository,
                )
            )


class Signals:
    """Signals as bytes on a socket, so that one `select` waits for them and for the `hold` pipe."""

    def __enter__(self) -> Self:
        self.reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        numbers = (*STOP_SIGNALS, signal.SIGCHLD)
        self._before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.reader.close()
        self._writer.close()


def _wait_for_stop(server: Server, signals: Signals, hold: int | None) -> None:
    """Wait for a signal to stop, or until the pipe `hold` has no writer any more."""
    watched = [signals.reader.fileno(), *([hold] if hold is not None else [])]
    while True:
        ready = select.select(watched, [], [])[0]
        if hold is not None and hold in ready and not os.read(hold, 4096):
            return
        if signals.reader.fileno() in ready:
            came = signals.reader.recv(4096)
            if any(number in came for number in STOP_SIGNALS):
                return
            server.revive_sentinel()


def lock_folder(folder: Path) -> int | None:
    """Lock the folder until this process ends: the descriptor, or None when another process has it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _report_start(descriptor: int, **content: Any) -> None:
    """Report how the start went to the process that started this one, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(content).encode())
        os.close(descriptor)


def read_locations(environ: Mapping[str, str]) -> dict[str, str]:
    """The default project, region and zone of the google provider in this environment."""
    return {variable: environ[name] for variable, name in attach.LOCATIONS.items() if environ.get(name)}


def serve(folder: Path, environ: Mapping[str, str], ready: int, hold: int | None) -> int:
    """Start, report it, and serve until stopped; the exit code."""
    claimed = lock_folder(folder)
    if claimed is None:
        _report_start(
            ready, taken=True, error=f"Another sandbox is starting in {folder}.", advice="Try again."
        )
        return 1
    try:
        with Signals() as signals, _run_server(folder, environ, ready) as server:
            _wait_for_stop(server, signals, hold)
    finally:
        os.close(claimed)
    return 0


@contextlib.contextmanager
def _run_server(folder: Path, environ: Mapping[str, str], ready: int) -> Iterator[Server]:
    """A server that answers, until the end of the block."""
    try:
        server = Server(folder, environ)
        server.start()
    except InfraError as error:
        _report_start(ready, error=error.message, advice=error.advice)
        raise
    _report_start(ready, ready=True)
    try:
        yield server
    finally:
        server.close()


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Parse the arguments that launch.py gives."""
    parser = argparse.ArgumentParser(prog="orchestrator.sandbox.server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--hold-fd", type=int)
    args = parser.parse_args(argv)
    # The sentinel must inherit neither: who waits for our end would wait for the sentinel's.
    for descriptor in (args.ready_fd, args.hold_fd):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    return serve(args.folder, environ, args.ready_fd, args.hold_fd)


if __name__ == "__main__":
    code = main(sys.argv[1:], os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    # Every file is written by now; threads of the servers may still be in a request, and need not end it.
    os._exit(code)

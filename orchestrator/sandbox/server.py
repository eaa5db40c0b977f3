"""The sandbox's process: a GCS server, simulated providers and their world, until it is told to end."""

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

# Who may do what in a repository of the sandbox's GitHub from the beginning.
PEOPLE = {"owner": "admin", "reviewer": "write"}
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Server:
    """One sandbox: its cloud, the port that takes our own requests, the sentinel, and sandbox.json."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._token = secrets.token_urlsafe(24)
        self._sentinel = Sentinel()
        self._cloud = Cloud(folder, places(environ))
        self._github = GitHubServer(environ, folder=folder / "github", control_token=self._token)
        self._repository = ""
        own: dict[str, Operation] = {"prepare": self._prepare, "prepare_repository": self._prepare_repository}
        operations = {**self._cloud.operations(), **own}
        self._control = ControlServer(self._token, operations)

    def start(self) -> None:
        """Answer on every port, then say so in sandbox.json."""
        self._cloud.start()
        self._github.start()
        self._control.start()
        self._write()

    def revive_sentinel(self) -> None:
        """If somebody killed the sentinel: its pid may be anybody's soon, so give Terraform another."""
        if self._sentinel.has_ended():
            self._sentinel.close()
            self._sentinel = Sentinel()
            self._write()

    def close(self) -> None:
        """Take sandbox.json away, then stop answering."""
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
        """Make the project's repository on GitHub, when it is not there; the folder to push to."""
        made = self._github.add_repository(name, branch=branch)
        for login, role in PEOPLE.items():
            if login not in made.roles:
                self._github.set_role(name, login, role)
        if self._repository != name:
            self._repository = name
            self._write()
        return made.git

    def _write(self) -> None:
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
    """Signals as bytes on a socket, so that one `select` waits for them and for the pipe we are held by."""

    def __enter__(self) -> Self:
        self.reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        numbers = (*ENDING, signal.SIGCHLD)
        self._before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.reader.close()
        self._writer.close()


def wait_until_told(server: Server, signals: Signals, hold: int | None) -> None:
    """Until a signal ends us, or the pipe `hold` has no writer any more."""
    watched = [signals.reader.fileno(), *([hold] if hold is not None else [])]
    while True:
        ready = select.select(watched, [], [])[0]
        if hold is not None and hold in ready and not os.read(hold, 4096):
            return
        if signals.reader.fileno() in ready:
            came = signals.reader.recv(4096)
            if any(number in came for number in ENDING):
                return
            server.revive_sentinel()


def claim(folder: Path) -> int | None:
    """A descriptor that holds the folder for us as long as we live; None when another process holds it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def tell(descriptor: int, **content: Any) -> None:
    """Say how the start went to whoever started us; that nobody listens any more does not matter."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(content).encode())
        os.close(descriptor)


def places(environ: Mapping[str, str]) -> dict[str, str]:
    """The project, region and zone that the google provider would take from this environment."""
    return {place: environ[name] for place, name in attach.PLACES.items() if environ.get(name)}


def serve(folder: Path, environ: Mapping[str, str], ready: int, hold: int | None) -> int:
    """Start, say so, and stay until told to end; the exit code."""
    claimed = claim(folder)
    if claimed is None:
        tell(ready, taken=True, error=f"Another sandbox is starting in {folder}.", advice="Try again.")
        return 1
    try:
        with Signals() as signals, started(folder, environ, ready) as server:
            wait_until_told(server, signals, hold)
    finally:
        os.close(claimed)
    return 0


@contextlib.contextmanager
def started(folder: Path, environ: Mapping[str, str], ready: int) -> Iterator[Server]:
    """A server that answers, until the end of the block."""
    try:
        server = Server(folder, environ)
        server.start()
    except InfraError as error:
        tell(ready, error=error.message, advice=error.advice)
        raise
    tell(ready, ready=True)
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
    given = parser.parse_args(argv)
    # The sentinel must inherit neither: who waits for our end would wait for the sentinel's.
    for descriptor in (given.ready_fd, given.hold_fd):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    return serve(given.folder, environ, given.ready_fd, given.hold_fd)


if __name__ == "__main__":
    code = main(sys.argv[1:], os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    # Every file is written by now; threads of the servers may still be in a request, and need not end it.
    os._exit(code)

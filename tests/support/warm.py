"""`infra` as a process of its own, without the second that imports take: see `cli.support.prefork`.

The server is one for all tests of a process. `Forked` is a process as `subprocess.Popen` knows it; `programs`
makes a folder whose `infra` is forked too, for those who find it on PATH.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from orchestrator.cli.support import prefork, prefork_client
from tests.support.cli import InfraResult

# Seconds for a command that hangs: a backstop, no measure.
_LIMIT = 120.0
_SERVER = """
import socket, sys
from orchestrator.cli.support import prefork, prefork_client
prefork.serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
"""


class Forked:
    """A running `infra`; of `subprocess.Popen` what tests use.

    Its output is there at its end, unless it has a terminal (a file descriptor), which is all its streams.
    """

    def __init__(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], terminal: int | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.returncode: int | None = None
        self._streams = (_unnamed_file(), _unnamed_file())
        with Path(os.devnull).open() as nothing:
            streams = [nothing.fileno(), *(stream.fileno() for stream in self._streams)]
            if terminal is not None:
                streams = [terminal] * 3
            self._control = prefork_client.request(str(server()), argv, str(cwd), env, streams)
        self.pid = prefork_client.receive(self._control)
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, daemon=True).start()

    def _await_end(self) -> None:
        self.returncode = prefork_client.receive(self._control)
        self._control.close()
        self._ended.set()

    def poll(self) -> int | None:
        """The exit code once it has ended, negative for a signal."""
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(self.argv, timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; standard output and standard error."""
        self.wait(timeout)
        texts = []
        for stream in self._streams:
            stream.seek(0)
            texts.append(stream.read())
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Forget what it wrote."""
        for stream in self._streams:
            stream.close()


def run_warm(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> InfraResult:
    """Run `infra ARGV` to its end."""
    child = Forked(argv, cwd, env)
    try:
        out, err = child.communicate(_LIMIT)
        return InfraResult(child.wait(), out, err)
    finally:
        child.kill()
        child.close()


def programs(folder: Path) -> Path:
    """Make a folder with an `infra` that is forked, and give it."""
    folder.mkdir(parents=True)
    infra = folder / "infra"
    infra.write_text(f'#!/bin/sh\nexec {shlex.join(prefork.client_argv(server()))} "$@"\n')
    infra.chmod(0o755)
    return folder


def _unnamed_file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


@functools.cache
def server() -> Path:
    """The socket of the process that forks; it ends when we do."""
    path = prefork.new_socket_path()
    reader, writer = os.pipe()
    with prefork.listen(path) as listener:
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(listener.fileno()), str(reader)],
            cwd=Path(__file__).parents[2],
            pass_fds=[listener.fileno(), reader],
            start_new_session=True,
        )
    os.close(reader)
    atexit.register(_end, writer, server)
    return path


def _end(writer: int, server: subprocess.Popen[bytes]) -> None:
    os.close(writer)
    server.wait()

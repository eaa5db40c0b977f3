"""Programs that run beside us and answer over a socket: started, drained, and never left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time

from orchestrator.errors import ProcessError
from orchestrator.job_tokens import without_token_requests
from orchestrator.process.command import Command

_CHUNK = 1 << 16
# Reads process ids, and `-ID` for one that has ended, until its standard input ends, which it does when we
# die; then kills the groups of those that are left.
_KILL_AFTER_US = """
import os, signal, sys
left = set()
for line in sys.stdin:
    number = int(line)
    (left.add if number > 0 else left.discard)(abs(number))
for number in left:
    try:
        os.killpg(number, signal.SIGKILL)
    except OSError:
        pass
"""


class BackgroundPrograms:
    """Starts programs that end with us at the latest, also when we are killed. Safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guard: subprocess.Popen[bytes] | None = None
        self._programs: list[BackgroundProgram] = []

    @property
    def guard_pid(self) -> int:
        """The process that kills the programs after our death; it may itself be killed at any time."""
        with self._lock:
            return self._started_guard().pid

    def start(self, command: Command) -> BackgroundProgram:
        """Start a program; ProcessError when it cannot be started.

        Of the command only `argv`, `cwd`, `env` and `title` count.
        """
        with self._lock:
            guard = self._started_guard()
            program = BackgroundProgram(command)
            self._programs.append(program)
            _write_to(guard, program.pid)
        return program

    def end(self, program: BackgroundProgram) -> None:
        """End one program; the guard forgets its id before another process can have it."""
        with self._lock:
            program.kill()
            if program in self._programs:
                self._programs.remove(program)
                if self._guard is not None:
                    _write_to(self._guard, -program.pid)
        program.close()

    def close(self) -> None:
        """End everything."""
        with self._lock:
            guard, self._guard = self._guard, None
            programs, self._programs = self._programs, []
        if guard is not None:
            # First, so that it never signals an id that is somebody else's by then.
            guard.kill()
            guard.wait()
            if guard.stdin is not None:
                guard.stdin.close()
        for program in programs:
            program.close()

    def _started_guard(self) -> subprocess.Popen[bytes]:
        if self._guard is None:
            try:
                self._guard = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _KILL_AFTER_US],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
                    start_new_session=True,
                    bufsize=0,
                )
            except OSError as error:
                raise ProcessError(f"A guard process cannot be started: {error}.") from error
        return self._guard


def _write_to(guard: subprocess.Popen[bytes], number: int) -> None:
    """Tell the guard of a program; one that was killed takes no more: programs then end by `close` alone."""
    if guard.stdin is not None:
        with contextlib.suppress(OSError):
            guard.stdin.write(f"{number}\n".encode())


def start_detached(command: Command, limit: float) -> bytes:
    """Start a program that goes on without us by a fork of its own, and give the first line that it prints.

    Of the command only `argv`, `cwd`, `env` and `title` count. Raises ProcessError when it prints no line
    within `limit` seconds; it is then killed.
    """
    program = BackgroundProgram(command)
    try:
        return program.first_line(limit)
    except ProcessError:
        program.kill()
        raise
    finally:
        program.wait()


class BackgroundProgram:
    """One running program; what it writes after its first line is read and dropped."""

    def __init__(self, command: Command) -> None:
        try:
            self._process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=without_token_requests(command.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            raise ProcessError(f"{command.name} cannot be started: {error}.") from error
        self._name = command.name
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet. Its id stays its own until `close`, which signals it."""
        if self._process.returncode is not None:
            return False
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def first_line(self, limit: float) -> bytes:
        """The first line that it prints, without its end.

        Call it once: from then on its output is dropped. Raises ProcessError when none comes within `limit`
        seconds.
        """
        stream = self._process.stdout
        if stream is None:
            raise RuntimeError("the output is a pipe")
        line, end = b"", time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in line:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise ProcessError(f"{self._name} printed no line within {limit:.0f} s.")
                chunk = os.read(stream.fileno(), _CHUNK)
                if not chunk:
                    raise ProcessError(f"{self._name} ended before it printed a line.")
                line += chunk
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        return line.partition(b"\n")[0].rstrip(b"\r")

    def kill(self) -> None:
        """Kill it and what it has started, without waiting for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it and what it has started."""
        self.kill()
        self.wait()

    def wait(self) -> None:
        """Wait for its end, and give up its output."""
        self._process.wait()
        if self._reader is None and self._process.stdout is not None:
            self._process.stdout.close()

    def _drain(self) -> None:
        """Read on until it ends: a full pipe would stop it."""
        stream = self._process.stdout
        if stream is not None:
            with stream, contextlib.suppress(OSError, ValueError):
                while os.read(stream.fileno(), _CHUNK):
                    pass

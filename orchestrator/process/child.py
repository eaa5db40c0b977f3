"""One child: started, timed, signalled once, reaped."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from orchestrator.errors import BinaryError, InfraError, ProcessError
from orchestrator.job_tokens import without_token_requests
from orchestrator.process.command import Command, Completed, OnLine, Stream
from orchestrator.process.identity import write_pid_file
from orchestrator.process.streams import open_streams

# Seconds after the interrupt of a child that hangs in a phase with a deadline of its own.
PHASE_GRACE = 10.0
# A child that has ended and was not reaped yet can be signalled on Linux; elsewhere that is an error.
_GONE = contextlib.suppress(ProcessLookupError, PermissionError)


class Child:
    """A running child. The supervisor's lock is held for `start`, `interrupt`, `kill` and `reap`."""

    def __init__(self, command: Command, on_line: OnLine | None) -> None:
        self.command = command
        self._on_line = on_line
        self._failure: Exception | None = None
        self._markers = dict(command.phase_deadlines)
        hears = on_line is not None or bool(self._markers)
        try:
            self._streams = open_streams(command, self._hear if hears else None)
        except OSError as error:
            raise ProcessError(f"The output of {command.name} cannot be kept: {error}.") from error
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()
        self._deadline = None if command.deadline is None else self._began + command.deadline
        self._phase: bytes | None = None
        self._late_phase: bytes | None = None
        self._kill_at: float | None = None
        self._signalled = False
        self._ended: Literal["exited", "deadline", "interrupted"] = "exited"
        self._peak_memory = 0

    @property
    def pid(self) -> int:
        """The child's pid, which is also its process group's and its session's."""
        if self._process is None:
            raise RuntimeError("the child has not been started")
        return self._process.pid

    def start(self) -> None:
        """Start it in a session of its own, so that the terminal's signals reach only us."""
        command = self.command
        try:
            # Without preexec_fn subprocess takes vfork: the cost does not grow with our memory.
            self._process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=without_token_requests(command.env),
                start_new_session=True,
                bufsize=0,
                **self._streams.popen_arguments(),  # type: ignore[call-overload]
            )
        except (OSError, ValueError) as error:
            self._streams.close()
            raise _start_error(command, error) from error
        self._streams.attach(self._process)
        if command.pid_file is not None:
            self._write_pid_file(command.pid_file)

    def _write_pid_file(self, path: Path) -> None:
        try:
            write_pid_file(path, self.pid, self.command.argv[0])
        except OSError as error:
            # Nobody could find it again: it must not run.
            self.kill()
            if self._process is not None:
                self._process.wait()
            raise ProcessError(f"{self.command.name} was not run: {error}.") from error

    def pump(self) -> bool:
        """Take output until something happens; True when the child may have ended."""
        moments = [m for m in (self._deadline, self._kill_at) if m is not None]
        timeout = min(moments) - time.monotonic() if moments else 60.0
        return self._streams.pump(timeout)

    def enforce(self) -> None:
        """Signal or kill the child when its time is up."""
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            if self._ended == "exited":
                self._ended = "deadline"
                self._late_phase = self._phase
            self._send_interrupt()
            self._kill_at = now + self._grace
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self.kill()

    @property
    def _grace(self) -> float:
        """A phase comes when the work is done: what hangs in it is not waited for any longer than need be."""
        late = self._late_phase is not None
        return min(self.command.grace, PHASE_GRACE) if late else self.command.grace

    def interrupt(self) -> None:
        """Forward the user's interrupt. A child that changes state may take its time, others have `grace`."""
        if self._ended == "exited":
            self._ended = "interrupted"
        self._send_interrupt()
        if not self.command.changes_state and self._kill_at is None:
            self._kill_at = time.monotonic() + self.command.grace

    def _send_interrupt(self) -> None:
        # Terraform drops everything at a second signal: there is one, whoever asks. It goes to the child
        # alone: Terraform stops its providers itself.
        if not self._signalled:
            self._signalled = True
            with _GONE:
                os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the child and all that is left in its process group."""
        with _GONE:
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> bool:
        """True when the child has ended; its pid is then no longer ours."""
        process = self._process
        if process is None or process.returncode is not None:
            return process is not None
        try:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        except ChildProcessError:
            # Somebody else has waited for it: subprocess knows what to make of that.
            return process.poll() is not None
        if not pid:
            return False
        # As subprocess would, which does not tell how much memory was used.
        process.returncode = os.waitstatus_to_exitcode(status)
        self._peak_memory = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
        return True

    def completed(self) -> Completed:
        """What came of it, once it was reaped. Raises what `on_line` raised."""
        stdout, stderr = self._streams.finish()
        if self._failure is not None:
            raise self._failure
        if self._process is None or self._process.returncode is None:
            raise RuntimeError("the child has not ended")
        return Completed(
            argv=self.command.argv,
            returncode=self._process.returncode,
            stdout=stdout,
            stderr=stderr,
            seconds=time.monotonic() - self._began,
            ended=self._ended,
            phase=self._late_phase,
            peak_memory=self._peak_memory,
        )

    def close(self) -> None:
        """Close our ends of its streams, the child untouched."""
        self._streams.close()

    def _hear(self, stream: Stream, line: bytes) -> None:
        for marker in [m for m in self._markers if m in line]:
            end = time.monotonic() + self._markers.pop(marker)
            if self._deadline is None or end < self._deadline:
                self._deadline, self._phase = end, marker
        if self._on_line is not None and self._failure is None:
            try:
                self._on_line(stream, line)
            except Exception as error:
                self._failure = error


def _start_error(command: Command, error: OSError | ValueError) -> InfraError:
    """What to tell a user whose program did not start."""
    program = command.argv[0]
    if isinstance(error, ValueError):
        return ProcessError(f"{command.name} cannot be started: {error}.")
    if not Path(command.cwd).is_dir():
        return ProcessError(f"The folder {command.cwd} to run {program} in does not exist.")
    advice = "Check the path, or name another program under terraform.binary in infra.yaml."
    if error.errno == errno.ENOENT:
        return BinaryError(f"The program {program} does not exist.", advice=advice)
    if error.errno in (errno.EACCES, errno.ENOEXEC):
        return BinaryError(f"The program {program} cannot be run: {error.strerror}.", advice=advice)
    return ProcessError(
        f"{command.name} cannot be started: {error.strerror}.",
        advice="Try again; if it persists, look at the machine's limits (`ulimit -a`).",
    )

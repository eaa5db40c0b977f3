"""`infra` as a process of its own, without the second that its imports take.

Each run is forked from a process that has imported everything and has one thread. It is a real process: with
a session, a working directory, an environment and streams of its own, and it can be interrupted and killed.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support.cli import Ran

# Seconds for a command that hangs: a backstop, no measure.
_LIMIT = 120.0
_NUMBER = struct.Struct("i")
# Of `orchestrator`, what need not be there before a command asks for it.
_UNUSED = ("orchestrator.__main__", "orchestrator.terraform.embedded_main")
_FOREIGN = ("google.cloud.storage", "github")


class Forked:
    """A running `infra`; of `subprocess.Popen` what tests use."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.argv = tuple(argv)
        self.returncode: int | None = None
        self._streams = (_unnamed_file(), _unnamed_file())
        self._control, theirs = socket.socketpair()
        request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
        with theirs, Path(os.devnull).open() as nothing:
            fds = [nothing.fileno(), *(stream.fileno() for stream in self._streams), theirs.fileno()]
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            _parent().sendmsg([request], passed)
        self.pid = self._number()
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, daemon=True).start()

    def _await_end(self) -> None:
        self.returncode = self._number()
        self._control.close()
        self._ended.set()

    def _number(self) -> int:
        data = self._control.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(data) != _NUMBER.size:
            raise RuntimeError(f"infra {' '.join(self.argv)} was not started")
        return int(_NUMBER.unpack(data)[0])

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


def run_warm(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Ran:
    """Run `infra ARGV` to its end."""
    child = Forked(argv, cwd, env)
    try:
        out, err = child.communicate(_LIMIT)
        return Ran(child.wait(), out, err)
    finally:
        child.kill()
        child.close()


def _unnamed_file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


@functools.cache
def _parent() -> socket.socket:
    """The socket to the process that forks; it ends when we do."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(_end, ours, parent)
    return ours


def _end(ours: socket.socket, parent: subprocess.Popen[bytes]) -> None:
    ours.close()
    parent.wait()


def _serve(requests: socket.socket) -> None:
    """Fork an `infra` for each request until the other side closes."""
    _import_everything()
    # Who waits for each child is a process of its own, which the kernel takes away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            _attend(json.loads(message), fds)
        for fd in fds:
            os.close(fd)


def _import_everything() -> None:
    import orchestrator

    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if module.name not in _UNUSED:
            importlib.import_module(module.name)
    for name in _FOREIGN:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _attend(request: dict[str, object], fds: list[int]) -> None:
    """Run an `infra`; tell its pid, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, control = fds
    pid = os.fork()
    if pid == 0:
        os.close(control)
        _become(request, streams)
    for fd in streams:
        os.close(fd)
    os.write(control, _NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(control, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(request: dict[str, object], streams: list[int]) -> None:
    """Be an `infra` that a user started."""
    os.setsid()
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.closerange(3, 256)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    sys.argv = ["infra", *request["argv"]]  # type: ignore[misc]
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww")
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from orchestrator.__main__ import start

    code: object = 0
    try:
        start()
    except SystemExit as end:
        code = end.code
    threading._shutdown()  # type: ignore[attr-defined]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(bool(code)))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))

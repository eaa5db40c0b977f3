"""Runs `infra` in processes that are forked from one which has imported everything: each saves a second.

`infra demo` and the tests run many commands. Each is a real process, with a session, a working directory, an
environment and streams of its own; it can be interrupted and killed. Only for Linux.

A request is one message to the server's socket: argv, working directory and environment as JSON, with the
three standard streams. The answers are the process id and, once it has ended, the exit code (negative for a
signal). A process whose requester closes the connection is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.cli.support.prefork_client import NUMBER

_MAX_REQUEST = 1 << 20
# Of `orchestrator`, what runs only as a program.
_PROGRAMS = ("orchestrator.__main__", "orchestrator.terraform.embedded_main")
_LIBRARIES = ("github",)
# A program of the standard library alone, so that it starts at once.
CLIENT = Path(__file__).with_name("prefork_client.py")


def client_argv(path: Path) -> tuple[str, ...]:
    """The argv, without the arguments of `infra`, of a program that does as the `infra` it requests."""
    return (sys.executable, "-I", "-S", str(CLIENT), str(path))


@contextmanager
def serving() -> Iterator[Path]:
    """A server forked from this process, which must have one thread; gives the path of its socket.

    It ends with this block, and with this process if that dies inside it.
    """
    path = new_socket_path()
    listener = listen(path)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        _detach()
        try:
            serve(listener, reader)
        finally:
            os._exit(0)
    listener.close()
    os.close(reader)
    try:
        yield path
    finally:
        os.close(writer)
        os.waitpid(pid, 0)


def new_socket_path() -> Path:
    """A path for a socket, in a folder of its own; short, since sockets allow no more than 100 characters."""
    return Path(tempfile.mkdtemp(prefix="infra-")) / "requests"


def listen(path: Path) -> socket.socket:
    """The socket at a path, for requests; those sent before `serve` wait."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(64)
    return listener


def serve(listener: socket.socket, hold: int) -> None:
    """Fork an `infra` for each request, until the writers of the pipe `hold` are gone.

    Then the socket's folder is removed.
    """
    folder = Path(listener.getsockname()).parent
    try:
        _import_everything()
        _fork_until_released(listener, hold)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fork_until_released(listener: socket.socket, hold: int) -> None:
    # Each process is waited for by one of its own, which the kernel reaps.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener.fileno(), hold], [], [])
        if hold in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                os.close(hold)
                _attend(connection)


def _detach() -> None:
    """Be in a session of our own, without the terminal's signals and without anybody's pipes."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def _import_everything() -> None:
    import orchestrator
    from orchestrator.state.gcs import load_library

    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if module.name not in _PROGRAMS:
            importlib.import_module(module.name)
    load_library()
    for name in _LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _attend(connection: socket.socket) -> NoReturn:
    """Run an `infra` to its end, or to that of its requester."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, _MAX_REQUEST, 3)
    if not message:
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become_infra(json.loads(message), streams)
    for stream in streams:
        os.close(stream)
    with contextlib.suppress(OSError):
        connection.send(NUMBER.pack(pid))
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([ended, connection.fileno()], [], [])
    if ended not in ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.send(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become_infra(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be an `infra` that a user started."""
    os.setsid()
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.closerange(3, 256)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["infra", *request["argv"]]
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww")
    )
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
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

"""Requests an `infra` from the server of prefork.py and does as it does: `prefork_client.py SOCKET ARGV...`.

Run as a program, so that it starts at once: nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

NUMBER = struct.Struct("i")


def request(
    path: str, argv: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[int]
) -> socket.socket:
    """Request `infra ARGV` with three standard streams; its process id and exit code can be received."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    message = json.dumps({"argv": list(argv), "cwd": cwd, "env": dict(env)})
    socket.send_fds(connection, [message.encode()], list(streams))
    return connection


def receive(connection: socket.socket) -> int:
    """The next number from the server. ConnectionError when it has none to send."""
    data = connection.recv(NUMBER.size)
    if len(data) != NUMBER.size:
        raise ConnectionError("infra was not started")
    return int(NUMBER.unpack(data)[0])


def main(path: str, argv: Sequence[str]) -> int:
    """Run `infra ARGV` with our streams, folder and environment; signals are forwarded to it."""
    connection = request(path, argv, str(Path.cwd()), os.environ, (0, 1, 2))
    pid = receive(connection)

    def forward(number: int, frame: FrameType | None) -> None:
        os.kill(pid, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    code = receive(connection)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

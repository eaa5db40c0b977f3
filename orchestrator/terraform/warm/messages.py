"""Messages between a run and the provider host: a JSON header and raw bytes, over a Unix socket."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from orchestrator.jsontext import read_object

_LENGTHS = struct.Struct(">II")
# A header has an environment; a body is a message of the plugin protocol.
_LONGEST_HEADER = 4 << 20
_LONGEST_BODY = 512 << 20


def send(connection: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one message; raises OSError."""
    text = json.dumps(header).encode()
    connection.sendall(_LENGTHS.pack(len(text), len(body)) + text + body)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message. Raises EOFError at the end, OSError, and ValueError for what is no message."""
    header_length, body_length = _LENGTHS.unpack(_read(connection, _LENGTHS.size))
    if header_length > _LONGEST_HEADER or body_length > _LONGEST_BODY:
        raise ValueError("the message is too long")
    header = read_object(_read(connection, header_length))
    return header, _read(connection, body_length)


def _read(connection: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view, at = memoryview(data), 0
    while at < length:
        count = connection.recv_into(view[at:])
        if not count:
            raise EOFError("the other side closed the connection")
        at += count
    return bytes(data)

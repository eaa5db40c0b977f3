"""A real provider whose schema is cut down to the types that a test uses.

The AWS provider describes 1,500 types, which it builds and Terraform decodes anew for each command. That is
most of the time of a test. All other calls reach the provider as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import grpc

# Fields of GetProviderSchema's answer that are maps by type: resources, data sources, ephemeral ones, lists.
_BY_TYPE = frozenset({2, 3, 8, 9})
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_STREAMS = frozenset({"StreamStdio", "ListResource", "StartStream"})


@contextmanager
def served(reattach: str, types: Collection[str]) -> Iterator[str]:
    """The provider that a value of TF_REATTACH_PROVIDERS names; gives such a value of its own."""
    document: dict[str, Any] = json.loads(reattach)
    [(source, settings)] = document.items()
    network, address = settings["Addr"]["Network"], settings["Addr"]["String"]
    target = f"unix:{address}" if network == "unix" else address
    with grpc.insecure_channel(target, options=_UNLIMITED) as channel, ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool, handlers=[_SchemaHandler(channel, types)], options=_UNLIMITED)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            location = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
            yield json.dumps({source: {**settings, "Addr": location}})
        finally:
            server.stop(grace=None).wait()


class _SchemaHandler:
    """Passes each call on as bytes; the schema is asked for once."""

    def __init__(self, channel: Any, types: Collection[str]) -> None:
        self._channel = channel
        self._schema: Callable[[str, bytes], bytes] = cache(
            lambda method, request: _cut(self._call(method, request), types)
        )

    def service(self, call: Any) -> Any:
        """The handler of a method; streams are not served, which Terraform takes for an old provider."""
        method: str = call.method
        name = method.rpartition("/")[2]
        if name in _STREAMS:
            return None
        answer = self._schema if name in ("GetSchema", "GetProviderSchema") else self._call
        return grpc.unary_unary_rpc_method_handler(lambda request, _: answer(method, request))

    def _call(self, method: str, request: bytes) -> bytes:
        response: bytes = self._channel.unary_unary(method)(request)
        return response


def _cut(response: bytes, types: Collection[str]) -> bytes:
    """A GetProviderSchema answer without the types that are not in use."""
    parts = []
    for number, start, content, end in _fields(response):
        is_entry = number in _BY_TYPE and isinstance(content, bytes)
        if not is_entry or _key(content) in types:
            parts.append(response[start:end])
    return b"".join(parts)


def _key(entry: bytes | int) -> str:
    """The key of an entry of a map."""
    assert isinstance(entry, bytes)
    return next(
        (
            content.decode()
            for number, _, content, _ in _fields(entry)
            if number == 1 and isinstance(content, bytes)
        ),
        "",
    )


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes | int, int]]:
    """The fields of a protobuf message: number, start, content and end."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        if tag & 7 == 0:
            value, position = _varint(message, position)
            yield tag >> 3, start, value, position
        elif tag & 7 == 2:
            length, position = _varint(message, position)
            position += length
            yield tag >> 3, start, message[position - length : position], position
        else:
            raise AssertionError(f"field {tag >> 3} has the unknown type {tag & 7}")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position

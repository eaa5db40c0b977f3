"""Starts a provider's program as Terraform does, and calls it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import ProcessError
from orchestrator.process import BackgroundProgram, BackgroundPrograms, Command

# Terraform's handshake with its plugins: without the cookie a provider prints a note for people and ends.
HANDSHAKE = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5,6",
}
CORE_VERSION = b"1"
PROTOCOLS = (5, 6)
# Seconds for the handshake: as long as Terraform waits.
START_LIMIT = 60.0
# Credentials that a provider was configured with may live an hour.
OLDEST = 45 * 60.0
MOST_CALLS = 20_000
LARGEST_KIB = 2 * 1024 * 1024
UNLIMITED_MESSAGES = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


@dataclass(frozen=True)
class Handshake:
    """What a provider prints when it is ready: the plugin protocol's major version and gRPC's target."""

    protocol: int
    target: str


@dataclass(frozen=True)
class ProviderUsage:
    """A provider's process: its id, its age in seconds, how often it was called, its resident memory."""

    pid: int
    seconds: float
    calls: int
    memory_kib: int


def _read_handshake(line: bytes) -> Handshake:
    """`1|5|unix|PATH|grpc|…`, or with `tcp|HOST:PORT`; ProcessError for anything else.

    A provider that insists on TLS although it was given no certificate is refused.
    """
    parts = line.split(b"|")
    try:
        core, protocol, network, address, kind = parts[:5]
        target = {b"unix": "unix:", b"tcp": ""}[network] + address.decode()
        has_certificate = any(parts[5:6])
        if core == CORE_VERSION and kind == b"grpc" and int(protocol) in PROTOCOLS and not has_certificate:
            return Handshake(int(protocol), target)
    except (ValueError, KeyError):
        pass
    raise ProcessError("The provider's first line is not a plugin's handshake.")


class Channel:
    """Calls to a provider that listens at gRPC's `target`."""

    def __init__(self, handshake: Handshake) -> None:
        import grpc

        self.protocol = handshake.protocol
        self.target = handshake.target
        options = [*UNLIMITED_MESSAGES, ("grpc.default_authority", "localhost")]
        self._channel = grpc.insecure_channel(handshake.target, options=options)
        self._methods: dict[str, Any] = {}
        self.calls = 0

    def call(self, method: str, request: bytes) -> Any:
        """Begin a call (`/tfplugin6.Provider/…`) with raw bytes; gives gRPC's future."""
        self.calls += 1
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(
                method, request_serializer=None, response_deserializer=None
            )
        return self._methods[method].future(request)

    def close(self) -> None:
        """Cancel the running calls."""
        with contextlib.suppress(Exception):
            self._channel.close()


class Provider:
    """A running provider and a channel to it. Raises ProcessError when it does not start."""

    def __init__(
        self, programs: BackgroundPrograms, program: Path, env: Mapping[str, str], folder: Path
    ) -> None:
        self._programs = programs
        command = Command((str(program),), folder, {**env, **HANDSHAKE}, title=program.name)
        self._program: BackgroundProgram = programs.start(command)
        try:
            self._channel = Channel(_read_handshake(self._program.first_line(START_LIMIT)))
        except BaseException:
            programs.end(self._program)
            raise
        self._began = now()
        self.calls_of_others = 0

    @property
    def protocol(self) -> int:
        """The major version of the plugin protocol."""
        return self._channel.protocol

    @property
    def target(self) -> str:
        """Where it listens, as gRPC writes it."""
        return self._channel.target

    def call(self, method: str, request: bytes) -> Any:
        """Begin a call, as `Channel.call`."""
        return self._channel.call(method, request)

    def usage(self) -> ProviderUsage:
        """What it has done until now."""
        return ProviderUsage(
            self._program.pid,
            now() - self._began,
            self._channel.calls + self.calls_of_others,
            _memory_kib(self._program.pid),
        )

    @property
    def is_worn(self) -> bool:
        """Whether it is to be replaced: it has ended, is old, has answered much, or has grown large."""
        usage = self.usage()
        return (
            not self._program.is_running
            or usage.seconds > OLDEST
            or usage.calls > MOST_CALLS
            or usage.memory_kib > LARGEST_KIB
        )

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._programs.end(self._program)


def now() -> float:
    """Seconds of a clock that goes on while the machine sleeps, since credentials expire then too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _memory_kib(pid: int) -> int:
    """The resident memory of a process, 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0

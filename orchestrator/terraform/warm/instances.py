"""The running processes of one provider package in one environment, one for each configuration.

Sharing more loosely would mix up accounts: two aliases that share a process make each other's resources.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from orchestrator.protobuf import read_fields

_DIAGNOSTICS = 1


class Call(Protocol):
    """A call under way; the interface of gRPC's future that is used here."""

    def result(self) -> bytes:
        """Wait for the answer; raises grpc.RpcError."""

    def cancel(self) -> bool:
        """Give it up."""


class CallableProvider(Protocol):
    """A provider's process that can be called."""

    @property
    def protocol(self) -> int:
        """The major version of the plugin protocol."""

    def call(self, method: str, request: bytes) -> Call:
        """Begin a call."""


class RunningProvider(CallableProvider, Protocol):
    """A provider's process that is ours to end, as `provider.Provider` is one."""

    @property
    def is_worn(self) -> bool:
        """Whether a new one is to take its place."""

    def close(self) -> None:
        """End it."""


class ProviderPool(Protocol):
    """Where a gateway gets its provider's processes from."""

    def unconfigured(self) -> CallableProvider:
        """The process for calls that come before any configuration."""

    def answer(self, method: str, request: bytes) -> bytes:
        """What the unconfigured process answers."""

    def configured(self, method: str, request: bytes) -> tuple[CallableProvider, bytes]:
        """The process with exactly this configuration, and its answer to it."""

    def discard(self, provider: CallableProvider) -> None:
        """Never hand out a process again."""


RunningT = TypeVar("RunningT", bound=RunningProvider)


@dataclass
class _Slot(Generic[RunningT]):
    """A place for one process, filled by the first who needs it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    provider: RunningT | None = None
    answer: bytes = b""


class Instances(Generic[RunningT]):
    """Starts processes as they are requested, and keeps those that are configured. Safe from many threads."""

    def __init__(self, start: Callable[[], RunningT]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._unconfigured: _Slot[RunningT] = _Slot()
        self._configured: dict[tuple[bytes, str], _Slot[RunningT]] = {}
        self._answers: dict[tuple[str, bytes], bytes] = {}
        self._started: list[RunningT] = []
        # Of these, those that no further caller gets.
        self._retired: list[RunningT] = []

    def unconfigured(self) -> RunningT:
        """The process for calls that come before any configuration."""
        slot = self._unconfigured
        with slot.lock:
            if slot.provider is None or slot.provider.is_worn:
                self._retire(slot.provider)
                slot.provider = self._begin()
            return slot.provider

    def answer(self, method: str, request: bytes) -> bytes:
        """What the unconfigured process answers, from memory when it was asked before; raises grpc.RpcError.

        An answer with diagnostics is not remembered.
        """
        key = (method, request)
        with self._lock:
            known_answer = self._answers.get(key)
        if known_answer is not None:
            return known_answer
        response = self.unconfigured().call(method, request).result()
        if not _has_diagnostics(method, response):
            with self._lock:
                self._answers[key] = response
        return response

    def configured(self, method: str, request: bytes, identity: str = "") -> tuple[RunningT, bytes]:
        """The process with exactly this configuration, and its answer to it; raises grpc.RpcError.

        `identity` is of the files that the configuration names. A process whose configuration came with
        diagnostics is used for this connection alone.
        """
        with self._lock:
            slot = self._configured.setdefault((request, identity), _Slot())
        with slot.lock:
            if slot.provider is not None and not slot.provider.is_worn:
                return slot.provider, slot.answer
            self._retire(slot.provider)
            slot.provider = None
            provider = self._begin()
            try:
                response = provider.call(method, request).result()
            except BaseException:
                self._retire(provider)
                raise
            if _has_diagnostics(method, response):
                self._retire(provider)
            else:
                slot.provider, slot.answer = provider, response
            return provider, response

    def discard(self, provider: CallableProvider) -> None:
        """Never hand out a process again: it has failed."""
        with self._lock:
            slots = [self._unconfigured, *self._configured.values()]
        for slot in slots:
            running = slot.provider
            if running is not None and running is provider:
                slot.provider = None
                self._retire(running)

    def running(self) -> tuple[RunningT, ...]:
        """Every process that was started and not ended here."""
        with self._lock:
            return tuple(self._started)

    def prune(self, in_use: Collection[RunningProvider]) -> None:
        """End the processes that are handed out no more and that nobody uses."""
        with self._lock:
            ended = [provider for provider in self._retired if provider not in in_use]
            self._retired = [provider for provider in self._retired if provider in in_use]
            self._started = [provider for provider in self._started if provider not in ended]
        for provider in ended:
            provider.close()

    def close(self) -> None:
        """End every process."""
        with self._lock:
            providers, self._started, self._retired = self._started, [], []
            self._configured.clear()
        for provider in providers:
            provider.close()

    def _retire(self, provider: RunningT | None) -> None:
        with self._lock:
            if provider is not None and provider not in self._retired:
                self._retired.append(provider)

    def _begin(self) -> RunningT:
        provider = self._start()
        with self._lock:
            self._started.append(provider)
        return provider


def _has_diagnostics(method: str, response: bytes) -> bool:
    """Whether an answer to a configuration, its validation or a schema carries a diagnostic."""
    number = {
        "GetSchema": 4,
        "GetProviderSchema": 4,
        "GetResourceIdentitySchemas": 2,
        "PrepareProviderConfig": 2,
        "ValidateProviderConfig": 1,
    }.get(method.rpartition("/")[2], _DIAGNOSTICS)
    return any(field_number == number for field_number, _ in read_fields(response))

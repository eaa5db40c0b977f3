"""The gateway with real gRPC on both sides, and providers in memory behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import grpc
import msgpack
import pytest

from orchestrator.terraform.warm.gateway import Gateway, owns_connection
from orchestrator.terraform.warm.instances import Instances

SERVICE = "/tfplugin6.Provider/"
DIAGNOSTIC = b"\x0a\x00"


class FailedCall(grpc.RpcError):  # type: ignore[misc]
    """What gRPC raises when the other side has gone."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "it has gone"


@dataclass
class ReadingProvider:
    """Answers a read with the configuration that it has, as the real ones would act on it."""

    number: int
    configurations: list[bytes] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    fails: bool = False
    hangs: bool = False
    protocol: int = 6
    is_worn: bool = False
    is_closed: bool = False

    def call(self, method: str, request: bytes) -> Future[bytes]:
        name = method.rpartition("/")[2]
        self.methods.append(name)
        answer: Future[bytes] = Future()
        if self.fails:
            answer.set_exception(FailedCall())
        elif name == "ConfigureProvider":
            self.configurations.append(request)
            answer.set_result(DIAGNOSTIC if b"warns" in request else b"")
        elif not self.hangs:
            configured = self.configurations[-1] if self.configurations else b"none"
            answer.set_result(self.answers.get(name, configured))
        return answer

    def close(self) -> None:
        self.is_closed = True


class Connection(Protocol):
    """Calls over one connection, by the name of the method."""

    def __call__(self, name: str, request: bytes = b"") -> bytes:
        """The answer; raises grpc.RpcError."""


class House:
    """Providers, gateways and connections of one test."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self.folder, self.exits = folder, exits
        self.started: list[ReadingProvider] = []
        self.instances = Instances(self.start)
        self.pool = ThreadPoolExecutor(32)
        self.on_start: Callable[[ReadingProvider], None] = lambda provider: None
        exits.callback(self.pool.shutdown)
        (folder / "stack").mkdir()

    def start(self) -> ReadingProvider:
        provider = ReadingProvider(len(self.started))
        self.started.append(provider)
        self.on_start(provider)
        return provider

    def gateway(self, words: frozenset[bytes] | None = None, connections: Path | None = None) -> Gateway:
        tables = {} if connections is None else {"connections": [connections]}
        gateway = Gateway(self.instances, self.pool, self.folder / "stack", words, self.folder, **tables)
        self.exits.callback(gateway.close)
        return gateway

    def connect(self, gateway: Gateway) -> Connection:
        """A connection of its own, as Terraform opens one for each provider instance."""
        address = gateway.address["String"]
        target = address if gateway.address["Network"] == "tcp" else f"unix:{address}"
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost")]
        channel = self.exits.enter_context(grpc.insecure_channel(target, options))

        def call(name: str, request: bytes = b"") -> bytes:
            answer: bytes = channel.unary_unary(SERVICE + name)(request, timeout=60)
            return answer

        return call


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as exits:
        yield House(tmp_path, exits)


def configuration(**values: str) -> bytes:
    """A ConfigureProvider.Request: field 2 is a DynamicValue, whose field 1 is msgpack."""
    packed: bytes = msgpack.packb(values)
    value = b"\x0a" + bytes([len(packed)]) + packed
    return b"\x12" + bytes([len(value)]) + value


def test_each_of_five_aliases_reaches_the_process_with_its_own_configuration(house: House) -> None:
    gateway = house.gateway()
    requests = [configuration(token=f"alias-{number}") for number in range(5)]
    calls = [house.connect(gateway) for _ in requests]
    barrier = threading.Barrier(len(requests))

    def use(number: int) -> list[bytes]:
        barrier.wait()
        assert calls[number]("ConfigureProvider", requests[number]) == b""
        return [calls[number]("ReadResource") for _ in range(20)]

    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(use, range(len(requests))))
    assert answers == [[request] * 20 for request in requests]
    # One for each, and the one that answers before any configuration.
    assert len(house.started) == 6
    assert gateway.problem == ""


def test_a_connection_without_configuration_never_reaches_a_configured_process(house: House) -> None:
    gateway = house.gateway()
    house.connect(gateway)("ConfigureProvider", configuration(token="x"))
    assert house.connect(gateway)("ReadResource") == b"none"


def test_equal_configurations_share_a_process_across_commands(house: House) -> None:
    for _ in range(3):
        call = house.connect(house.gateway())
        call("ConfigureProvider", configuration(token="x"))
        assert call("ReadResource") == configuration(token="x")
    assert [provider.configurations for provider in house.started] == [[], [configuration(token="x")]]


def test_a_configuration_with_diagnostics_is_used_by_its_connection_alone(house: House) -> None:
    for _ in range(2):
        call = house.connect(house.gateway())
        assert call("ConfigureProvider", configuration(token="warns")) == DIAGNOSTIC
        assert call("ReadResource") == configuration(token="warns")
    assert len(house.started) == 3


def test_a_worn_process_is_replaced(house: House) -> None:
    house.connect(house.gateway())("ConfigureProvider", configuration(token="x"))
    house.started[1].is_worn = True
    house.connect(house.gateway())("ConfigureProvider", configuration(token="x"))
    assert len(house.started[2].configurations) == 1


def refused(house: House, gateway: Gateway, *calls: tuple[str, bytes]) -> str:
    """The problem that the last call ends with."""
    call = house.connect(gateway)
    for name, request in calls[:-1]:
        call(name, request)
    with pytest.raises(grpc.RpcError):
        call(*calls[-1])
    return gateway.problem


def test_a_second_configuration_over_one_connection_is_a_problem(house: House) -> None:
    calls = [("ConfigureProvider", configuration(token=token)) for token in ("a", "b")]
    assert "second configuration" in refused(house, house.gateway(), *calls)


def test_an_apply_is_never_passed_on(house: House) -> None:
    assert "never uses a shared provider" in refused(house, house.gateway(), ("ApplyResourceChange", b""))
    assert "ApplyResourceChange" not in house.started[0].methods


@pytest.mark.parametrize("path", [".", "./key.json", "key.json", "../stack/key.json"])
def test_what_may_be_a_file_of_the_stack_s_folder_is_a_problem(house: House, path: str) -> None:
    (house.folder / "stack/key.json").write_text("{}")
    problem = refused(house, house.gateway(), ("ConfigureProvider", configuration(credentials=path)))
    assert path in problem
    assert all(provider.configurations == [] for provider in house.started)


def test_other_strings_are_no_paths(house: House) -> None:
    request = configuration(credentials="key.json", absolute=str(house.folder), empty="")
    assert house.connect(house.gateway())("ConfigureProvider", request) == b""


def test_a_provider_that_fails_is_not_handed_out_again(house: House) -> None:
    gateway = house.gateway()
    call = house.connect(gateway)
    call("ConfigureProvider", configuration(token="x"))
    house.started[1].fails = True
    with pytest.raises(grpc.RpcError):
        call("ReadResource", b"")
    assert "it has gone" in gateway.problem
    other = house.connect(house.gateway())
    other("ConfigureProvider", configuration(token="x"))
    assert other("ReadResource", b"") == configuration(token="x")


def test_a_stop_gives_up_what_its_command_waits_for_and_nothing_else(house: House) -> None:
    def hang(provider: ReadingProvider) -> None:
        provider.hangs = True

    house.on_start = hang
    gateway = house.gateway()
    call = house.connect(gateway)
    call("ConfigureProvider", configuration(token="x"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, "ReadResource", b"")
        while "ReadResource" not in house.started[1].methods:
            pass
        house.connect(gateway)("StopProvider", b"")
        with pytest.raises(grpc.RpcError):
            waiting.result()
    assert not any("Stop" in method for provider in house.started for method in provider.methods)
    assert not house.started[1].is_closed


def test_the_schema_is_cut_to_the_words_of_the_code(house: House) -> None:
    def entry(name: bytes) -> bytes:
        content = b"\x0a" + bytes([len(name)]) + name
        return b"\x12" + bytes([len(content)]) + content

    def describe(provider: ReadingProvider) -> None:
        provider.answers["GetProviderSchema"] = entry(b"thing_item") + entry(b"thing_other")

    house.on_start = describe
    gateway = house.gateway(frozenset({b"thing_item"}))
    assert house.connect(gateway)("GetProviderSchema") == entry(b"thing_item")
    assert gateway.omitted == {b"thing_other"}
    whole = house.connect(house.gateway())("GetProviderSchema")
    assert whole == entry(b"thing_item") + entry(b"thing_other")
    assert house.started[0].methods == ["GetProviderSchema"]


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:{client:04X} 0100007F:{port:04X} 01 00000000:00000000 00:00000000 00000000  {user}        0 1
"""


def test_only_connections_of_our_own_user_are_answered(house: House, tmp_path: Path) -> None:
    table = TABLE.format(client=1025, port=4097, user=1000)
    assert owns_connection(table, "ipv4:127.0.0.1:1025", 4097, 1000)
    mapped = table.replace("0100007F", "0000000000000000FFFF00000100007F")
    assert owns_connection(mapped, "ipv4:127.0.0.1:1025", 4097, 1000)
    assert not owns_connection(table.replace("0100007F", "0200007F"), "ipv4:127.0.0.1:1025", 4097, 1000)
    assert not owns_connection(table, "ipv4:127.0.0.1:1025", 4097, 1001)
    assert not owns_connection(table, "ipv4:127.0.0.1:1026", 4097, 1000)
    assert not owns_connection(table, "unix:", 4097, 1000)
    empty = tmp_path / "tcp"
    empty.write_text(table)
    gateway = house.gateway(connections=empty)
    assert "another user's" in refused(house, gateway, ("ReadResource", b""))
    assert house.started[0].methods == []


def test_without_that_table_a_socket_takes_one_configuration(house: House, tmp_path: Path) -> None:
    gateway = house.gateway(connections=tmp_path / "none")
    assert gateway.address["Network"] == "unix"
    assert Path(gateway.address["String"]).stat().st_uid == os.getuid()
    calls = [("ConfigureProvider", configuration(token=token)) for token in ("a", "a", "b")]
    assert "second configuration" in refused(house, gateway, *calls)

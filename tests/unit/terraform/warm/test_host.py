"""The provider host: who shares a process, when one ends, and what a run does without it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from orchestrator.errors import ProcessError
from orchestrator.terraform.warm import host as host_module
from orchestrator.terraform.warm.host import Host, Package, ProviderTable
from orchestrator.terraform.warm.host_folder import (
    folder_lock,
    host_folder,
    prepare_host_folder,
    socket_path,
)
from orchestrator.terraform.warm.instances import Instances
from orchestrator.terraform.warm.provider import Channel, ProviderUsage
from orchestrator.terraform.warm.shared import HostClient, SharedInstances, host_statuses, stop_hosts

IDLE = 600.0
PACKAGE = Package(
    source="example.com/test/thing",
    version="1.0.0",
    program="/nowhere/provider",
    checksum="h1:x",
    account=("/home/x/.aws/credentials: 1",),
    env=(("HOME", "/home/x"), ("TOKEN", "hunter2")),
)
CONFIGURE = "/tfplugin6.Provider/ConfigureProvider"


@dataclass(eq=False)
class LaunchedProvider:
    """A provider that is nowhere but in memory."""

    package: Package
    number: int
    protocol: int = 6
    is_worn: bool = False
    is_closed: bool = False
    calls_of_others: int = 0
    requests: list[bytes] = field(default_factory=list)
    answer: bytes = b""

    @property
    def target(self) -> str:
        return f"unix:/nowhere/{self.number}"

    def call(self, method: str, request: bytes) -> Future[bytes]:
        self.requests.append(request)
        future: Future[bytes] = Future()
        future.set_result(self.answer)
        return future

    def usage(self) -> ProviderUsage:
        return ProviderUsage(1, 0.0, self.calls_of_others, 0)

    def close(self) -> None:
        self.is_closed = True


class Table:
    """A table on a clock of the test."""

    def __init__(self) -> None:
        self.at = 0.0
        self.started: list[LaunchedProvider] = []
        self.answer = b""
        self.table = ProviderTable(self.start, lambda: self.at)

    def start(self, package: Package) -> LaunchedProvider:
        self.started.append(LaunchedProvider(package, len(self.started), answer=self.answer))
        return self.started[-1]

    def use(self, run: str, package: Package = PACKAGE, request: bytes = b"", files: str = "") -> Any:
        instances = self.table.instances(run, package, IDLE)
        provider, _ = instances.configured(CONFIGURE, request, files)
        self.table.hand_out(run, provider)
        return provider


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.mark.parametrize(
    "other",
    [
        replace(PACKAGE, checksum="h1:y"),
        replace(PACKAGE, program="/nowhere/other"),
        replace(PACKAGE, account=("/home/x/.aws/credentials: 2",)),
        replace(PACKAGE, env=(*PACKAGE.env[:1], ("TOKEN", "changed"))),
    ],
    ids=["binary", "path", "credentials", "environment"],
)
def test_what_differs_in_anything_has_a_process_of_its_own(table: Table, other: Package) -> None:
    run = table.table.open_run()
    assert table.use(run) is table.use(table.table.open_run())
    assert table.use(run, other) is not table.use(run)


def test_another_configuration_or_another_file_in_it_too(table: Table) -> None:
    run = table.table.open_run()
    providers = [table.use(run), table.use(run, request=b"b"), table.use(run, request=b"b", files="written")]
    assert len({provider.number for provider in providers}) == 3


def test_a_process_ends_once_no_run_has_used_it_for_the_idle_time(table: Table) -> None:
    run = table.table.open_run()
    provider = table.use(run)
    table.at = 10 * IDLE
    table.table.tidy()
    assert not provider.is_closed
    table.table.close_run(run, {provider.target: 7})
    assert provider.calls_of_others == 7
    table.at += IDLE - 1
    table.table.tidy()
    assert not provider.is_closed
    again = table.table.open_run()
    assert table.use(again) is provider
    table.table.close_run(again, {})
    assert not table.table.is_idle
    table.at += IDLE
    table.table.tidy()
    assert provider.is_closed
    assert table.table.is_idle


def test_a_process_that_was_replaced_lives_as_long_as_a_run_uses_it(table: Table) -> None:
    first, second = table.table.open_run(), table.table.open_run()
    old = table.use(first)
    old.is_worn = True
    new = table.use(second)
    assert new is not old
    table.table.tidy()
    assert not old.is_closed
    table.table.close_run(first, {})
    assert old.is_closed
    assert not new.is_closed


def test_a_configuration_with_diagnostics_is_never_given_to_another_run(table: Table) -> None:
    table.answer = b"\x0a\x00"
    run = table.table.open_run()
    assert table.use(run) is not table.use(table.table.open_run())
    table.table.close_run(run, {})
    assert [provider.is_closed for provider in table.started] == [True, False]


def test_a_full_table_ends_what_is_idle_for_longest_and_refuses_when_all_is_in_use(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "MOST_PROCESSES", 2)
    packages = [replace(PACKAGE, checksum=f"h1:{number}") for number in range(4)]
    for package in packages[:2]:
        table.at += 1
        run = table.table.open_run()
        table.use(run, package)
        table.table.close_run(run, {})
    run = table.table.open_run()
    table.use(run, packages[2])
    assert [provider.is_closed for provider in table.started] == [True, False, False]
    table.use(run, packages[1])
    with pytest.raises(ProcessError, match="in use"):
        table.use(run, packages[3])


def test_the_status_has_neither_environment_nor_configuration(table: Table) -> None:
    run = table.table.open_run()
    table.use(run, request=b"secret")
    assert table.table.status()[0]["ends_in_seconds"] is None
    table.table.close_run(run, {})
    table.at += 60
    (status,) = table.table.status()
    assert status["ends_in_seconds"] == IDLE - 60
    assert status["runs"] == 0
    assert "hunter2" not in str(status)
    assert "secret" not in str(status)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a short path: the path of a socket may have a hundred characters."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@dataclass
class Running:
    """A host in a thread of the test."""

    folder: Path
    table: Table
    thread: threading.Thread
    exits: ExitStack
    reports: list[str] = field(default_factory=list)
    own: list[LaunchedProvider] = field(default_factory=list)

    def client(self) -> HostClient:
        client = HostClient(self.folder, IDLE)
        self.exits.callback(client.close)
        return client

    def shared(self, client: HostClient, package: Package = PACKAGE) -> SharedInstances:
        def start() -> Any:
            self.own.append(LaunchedProvider(package, -1))
            return self.own[-1]

        own: Instances[Any] = Instances(start)
        return SharedInstances(client, package, own, self.reports.append)


@pytest.fixture
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(host_module, "_TICK", 0.01)
    table = Table()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_path(folder)))
    listener.listen()
    host = Host(listener, folder, table.table)
    # Without a run it would end at once.
    table.table.open_run()
    thread = threading.Thread(target=host.serve)
    thread.start()
    with ExitStack() as exits:
        yield Running(folder, table, thread, exits)
    stop_hosts(folder)
    thread.join()


def _wait_for(is_done: Callable[[], bool]) -> None:
    while not is_done():
        threading.Event().wait(0.01)


def test_two_runs_get_the_same_process_and_a_run_that_dies_frees_it(running: Running) -> None:
    first, second = running.client(), running.client()
    providers = [running.shared(client).configured(CONFIGURE, b"")[0] for client in (first, second)]
    assert isinstance(providers[0], Channel)
    assert {provider.target for provider in providers if isinstance(provider, Channel)} == {
        running.table.started[0].target
    }
    (status,) = host_statuses(running.folder)
    assert [provider["runs"] for provider in status["providers"]] == [2]
    # As the kernel does for a run that is killed.
    first._lease.close()
    second.close()
    _wait_for(lambda: host_statuses(running.folder)[0]["providers"][0]["runs"] == 0)
    assert not running.table.started[0].is_closed


def test_files_that_a_configuration_names_are_part_of_it(running: Running, folder: Path) -> None:
    key = folder / "key.json"
    key.write_text("first")
    packed = msgpack.packb({"credentials": str(key)})
    value = b"\x0a" + bytes([len(packed)]) + packed
    request = b"\x12" + bytes([len(value)]) + value
    shared = running.shared(running.client())
    before = shared.configured(CONFIGURE, request)[0]
    assert shared.configured(CONFIGURE, request)[0] is before
    key.write_text("another account")
    assert shared.configured(CONFIGURE, request)[0] is not before


def test_a_run_goes_on_with_its_own_when_the_host_refuses_or_is_gone(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = running.client()
    shared = running.shared(client)
    assert isinstance(shared.unconfigured(), Channel)
    monkeypatch.setattr(host_module, "MOST_PROCESSES", 0)
    assert shared.configured(CONFIGURE, b"")[0] is running.own[0]
    assert shared.unconfigured() is running.own[1]
    assert [len(running.reports), "in use already" in running.reports[0]] == [1, True]
    stop_hosts(running.folder)
    running.thread.join()
    assert all(provider.is_closed for provider in running.table.started)
    late = running.shared(client)
    assert late.answer("/tfplugin6.Provider/ValidateProviderConfig", b"") == b""
    assert "gone" in running.reports[1]


def test_a_host_leaves_unless_a_run_connects_or_is_about_to(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(folder)))
        listener.listen()
        host = Host(listener, folder, Table().table)
        with folder_lock(folder, wait=True):
            assert not host._leave()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(socket_path(folder)))
            assert not host._leave()
        assert socket_path(folder).exists()
        assert host._leave()
        assert not socket_path(folder).exists()


def test_what_is_no_message_ends_that_connection_alone(running: Running) -> None:
    for data in (b"", b"\xff" * 64, b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\2\0\0\0\1{}"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path(running.folder)))
            # Whoever reads not all of it before closing resets the connection.
            with contextlib.suppress(OSError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                assert not connection.recv(1)
    assert host_statuses(running.folder)


def test_the_folder_is_private_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    prepare_host_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(ProcessError, match="only you"):
        prepare_host_folder(folder)
    link = tmp_path / "link"
    folder.chmod(0o700)
    link.symlink_to(folder)
    with pytest.raises(ProcessError, match="only you"):
        prepare_host_folder(link)


def test_the_folder_is_below_the_runtime_folder_of_the_user(tmp_path: Path) -> None:
    assert host_folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "infra"
    for unusable in ("", "relative", str(tmp_path / "none")):
        assert host_folder({"XDG_RUNTIME_DIR": unusable}).parent == Path(tempfile.gettempdir())

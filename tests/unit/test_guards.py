"""The guards themselves: a guard that lets everything through would go unnoticed."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support import guards


def test_addresses_beyond_loopback_are_refused() -> None:
    with pytest.raises(RuntimeError, match="loopback"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match="loopback"):
        socket.getaddrinfo("example.com", 443)
    with socket.socket() as listener, pytest.raises(RuntimeError, match="loopback"):
        listener.bind(("0.0.0.0", 0))  # noqa: S104


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        assert client.getpeername() == listener.getsockname()


def test_children_are_sent_to_a_proxy_that_is_not_there() -> None:
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen("http://example.com/", timeout=5)


def test_the_home_directory_is_a_temporary_one(home: Path) -> None:
    assert Path("~").expanduser() == home
    assert guards.files_below(home) == []


def test_no_foreign_variable_reaches_a_test() -> None:
    test_environment = guards.test_environment(Path())
    environ = [name for name in os.environ if guards.is_foreign(name) and name not in test_environment]
    assert environ == []


def test_commits_have_a_fixed_identity(make_repo: MakeRepo) -> None:
    repo, two = make_repo({"a.tf": "x"}, name="one"), make_repo({"a.tf": "x"}, name="two")
    assert repo.head == two.head
    assert repo.git("log", "-1", "--format=%ae") == "ada@example.com"


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"A": "1"}, {"A": "1", "PYTEST_CURRENT_TEST": "x"}, []),
        ({"A": "1"}, {"A": "2"}, ["A"]),
        ({"A": "1"}, {"B": "1"}, ["A", "B"]),
    ],
)
def test_differences(before: dict[str, str], after: dict[str, str], names: list[str]) -> None:
    assert guards.differences(before, after) == names


def test_the_embedded_terraform_starts(embedded_argv: tuple[str, ...]) -> None:
    done = subprocess.run([*embedded_argv, "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Terraform v")

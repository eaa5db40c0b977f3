"""The marker of a memory: how origins are compared, and what is made of an object that is none."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import NewerMarkerError, OwnershipError
from orchestrator.state.marker import (
    Identity,
    Marker,
    marker_name,
    normalised_origin,
    read_marker,
    same_origin,
    write_marker,
)
from orchestrator.state.storage import PreconditionFailed
from tests.support.memory_storage import MemoryStorage


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://github.com/acme/infra", "github.com/acme/infra"),
        ("https://ada:ghp_secret@github.com/acme/infra.git", "github.com/acme/infra"),
        ("git@github.com:acme/infra.git", "github.com/acme/infra"),
        ("github.com:acme/infra", "github.com/acme/infra"),
        ("ssh://git@ssh.github.com:443/Acme/Infra.git/", "github.com/acme/infra"),
        ("git@work:acme/infra.git", "work/acme/infra"),
        ("https://ghe.acme.example:8443/a/b%20c.git", "ghe.acme.example/a/b c"),
        ("/srv/git/infra.git", "file:/srv/git/infra"),
        ("file:///srv/git/infra.git/", "file:/srv/git/infra"),
        ("../infra.git", "file:/work/infra"),
        ("", ""),
    ],
)
def test_an_origin_is_the_same_however_it_is_written(url: str, normal: str) -> None:
    assert normalised_origin(url, "/work/checkout") == normal


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("github.com/acme/infra", "github.com/acme/infra", True),
        ("github.com/acme/infra", "github.com/eve/infra", False),
        ("github.com/acme/infra", "gitlab.com/acme/infra", False),
        ("github.com/acme/infra", "work/acme/infra", True),
        ("127.0.0.1/acme/infra", "github.com/acme/infra", True),
        ("127.0.0.1/acme/infra", "github.com/acme/other", False),
        ("file:/srv/a", "file:/srv/a", True),
        ("file:/srv/a", "file:/srv/b", False),
        ("file:/srv/a", "github.com/acme/infra", None),
        ("", "github.com/acme/infra", None),
    ],
)
def test_origins_are_compared_where_they_can_be(first: str, other: str, same: bool | None) -> None:
    assert same_origin(first, other) is same
    assert same_origin(other, first) is same


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        # Renamed: the number stays.
        (Identity("7", "github.com/acme/old"), Identity("7", "github.com/acme/new"), True),
        # A new repository under the name of an old one, and a fork.
        (Identity("7", "github.com/acme/infra", "c1"), Identity("8", "github.com/acme/infra", "c1"), False),
        (Identity("7", "github.com/acme/infra", "c1"), Identity("", "github.com/eve/infra", "c1"), False),
        (Identity("7", "github.com/acme/infra"), Identity("", "github.com/acme/infra"), True),
        # Before and after the repository got its first origin.
        (Identity("", "", "c1"), Identity("", "github.com/acme/infra", "c1"), True),
        (Identity("", "", "c1"), Identity("", "", "c2"), False),
        # A shallow clone without an origin: nothing to compare.
        (Identity("7", "github.com/acme/infra", "c1"), Identity(), False),
        (Identity("", "", ""), Identity("", "", ""), False),
    ],
)
def test_two_identities_are_one_repository(first: Identity, other: Identity, same: bool) -> None:
    assert first.is_same(other) is same
    assert other.is_same(first) is same


def test_a_marker_comes_back_as_it_was_written_and_only_once() -> None:
    storage = MemoryStorage()
    marker = Marker(Identity("7", "github.com/acme/infra", "c1"), "2026-11-30T12:00:00Z", "ada")
    write_marker(storage, "teams/shop", marker)

    assert list(storage.objects) == ["teams/shop/repository.json"]
    assert read_marker(storage, "teams/shop") == marker
    assert read_marker(storage, "") is None
    with pytest.raises(PreconditionFailed):
        write_marker(storage, "teams/shop", marker)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b'"x"', b"\xff", b'{"version": 1}'),
        b'{"version": "1", "repository": {"id": "7"}}',
        b'{"version": 1, "repository": {}}',
        b'{"version": 1, "repository": {"id": 7}}',
    ],
)
def test_a_broken_marker_stops_and_names_the_way_out(data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(marker_name(""), data)

    with pytest.raises(OwnershipError, match=r"repository\.json is not readable") as caught:
        read_marker(storage, "")

    assert "infra ledger claim" in caught.value.advice
    assert int(caught.value.exit_code) == 3


def test_a_newer_marker_stops_and_asks_for_an_upgrade() -> None:
    storage = MemoryStorage()
    storage.write(marker_name(""), json.dumps({"version": 2, "owners": []}).encode())

    with pytest.raises(NewerMarkerError, match="version 2") as caught:
        read_marker(storage, "")

    assert "upgrade" in caught.value.advice

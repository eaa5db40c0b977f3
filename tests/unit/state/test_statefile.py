"""State files and locations, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.state.folder import Files
from orchestrator.state.location import Location
from orchestrator.state.locks import read_lock
from orchestrator.state.statefile import read_state


@pytest.mark.parametrize(
    ("url", "remote", "lock"),
    [
        ("gs://b/prod/state/net/default.tfstate", True, "prod/state/net/default.tflock"),
        ("/tmp/x/terraform.tfstate", False, "/tmp/x/.terraform.tfstate.lock.info"),
    ],
)
def test_a_location_knows_its_lock(url: str, remote: bool, lock: str) -> None:
    location = Location.parse(url)
    assert (location.url, location.is_remote, location.lock_name) == (url, remote, lock)


def test_a_state_is_read() -> None:
    state = read_state(
        json.dumps(
            {
                "version": 4,
                "terraform_version": "1.11.4",
                "serial": 7,
                "lineage": "l",
                "outputs": {"id": {"value": 1, "type": "number"}},
                "resources": [{}],
            }
        ).encode(),
        "x",
    )
    assert (state.serial, state.lineage, state.terraform_version) == (7, "l", "1.11.4")
    assert list(state.outputs) == ["id"]
    assert not state.is_empty


@pytest.mark.parametrize("data", [b"", b"no json", b"[]", b"{}", b'{"version": 5}', b'"4"', b"\xff\xfe"])
def test_what_is_no_state_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(StateError, match=r"gs://b/x"):
        read_state(data, "gs://b/x")


def test_files_change_their_generation_with_their_content(tmp_path: Path) -> None:
    path = tmp_path / "a.tfstate"
    files = Files()
    assert files.stat(str(path)) is None
    path.write_text("one")
    first = files.stat(str(path))
    path.write_text("two")
    second = files.read(str(path))
    assert first is not None
    assert second is not None
    assert first.generation != second.generation
    assert second.data == b"two"


def test_a_local_lock_names_its_holder(tmp_path: Path) -> None:
    location = Location.parse(str(tmp_path / "terraform.tfstate"))
    assert read_lock(Files(), location) is None
    Path(location.lock_name).write_text(
        json.dumps({"ID": "1", "Operation": "OperationTypeApply", "Who": "ada@host", "Created": "2026-01-02"})
    )
    assert str(read_lock(Files(), location)) == "ada@host holds it for apply since 2026-01-02"
    Path(location.lock_name).write_text("torn")
    assert "somebody holds it" in str(read_lock(Files(), location))

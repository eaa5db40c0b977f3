"""The server and its cloud inside the test's own process, where each step can be looked at."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SandboxError
from orchestrator.sandbox import attach, control
from orchestrator.sandbox.needs import Account, Needs, ResourceTypes
from orchestrator.sandbox.schemas import record_schemas

pytest.importorskip("grpc")

from orchestrator.sandbox import server
from orchestrator.sandbox.cloud import Cloud, add_member

STATE = {
    "version": 4,
    "resources": [
        {"mode": "managed", "type": "google_compute_router", "instances": [{}, {}]},
        {"mode": "data", "type": "google_project", "instances": [{}]},
    ],
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud that answers."""
    cloud = Cloud(tmp_path)
    cloud.start()
    yield cloud
    cloud.close()


def served(cloud: Cloud) -> frozenset[str]:
    """The resource types of google that the cloud's provider answers with."""
    types = cloud._providers._types["registry.terraform.io/hashicorp/google"]
    return types._resources


def test_needs_are_met_as_often_as_one_likes(cloud: Cloud) -> None:
    needs = Needs(
        buckets=("states",),
        accounts=(Account("dev", "plan", "states"), Account("dev", "apply", "states")),
        types=ResourceTypes(frozenset({"google_compute_network"})),
    )

    assert cloud.prepare(needs.document()) == {"providers": [], "types": []}
    ports = dict(cloud.accounts)
    assert cloud.prepare(needs.document()) == {"providers": [], "types": []}

    assert cloud.accounts == ports
    assert set(ports) == {"dev:plan", "dev:apply"}
    assert cloud.status()["buckets"] == {"states": 0}
    policy = cloud._store.get_managed_folder_policy("states", "dev/state/")
    assert [binding["members"] for binding in policy["bindings"]] == [[needs.accounts[0].member]]
    assert "google_compute_network" in served(cloud)


def test_a_provider_recorded_meanwhile_is_attached(cloud: Cloud, tmp_path: Path) -> None:
    source = "example.com/acme/acme"
    needs = Needs(providers=(source,)).document()
    assert cloud.prepare(needs)["providers"] == [source]
    assert source not in cloud.reattach(1)
    schema = {"provider": {"version": 0, "block": {}}, "resource_schemas": {}}
    record_schemas(
        json.dumps({"format_version": "1.0", "provider_schemas": {source: schema}}).encode(),
        tmp_path / "schemas",
    )

    assert cloud.prepare(needs)["providers"] == []

    attached = json.loads(cloud.reattach(1))
    port = cloud.status()["providers"][source]
    assert attached[source]["Addr"]["String"] == f"127.0.0.1:{port}"


def test_the_waiting_of_a_real_cloud_can_be_switched_on(cloud: Cloud) -> None:
    assert cloud.set_delays() == 0
    assert cloud.set_delays(0.5) == 0.5
    assert cloud.set_delays() == cloud.world.delay_scale == 0.5


def test_types_of_states_are_served_after_a_restart(cloud: Cloud, tmp_path: Path) -> None:
    cloud.prepare(Needs(buckets=("states",)).document())
    cloud._store.insert_object("states", "dev/state/a/default.tfstate", json.dumps(STATE).encode())
    assert cloud.states() == {"dev/state/a/default.tfstate": 2}
    assert "google_compute_router" not in served(cloud)
    cloud.close()

    again = Cloud(tmp_path)
    again.start()

    assert "google_compute_router" in served(again)
    again.close()


@pytest.mark.parametrize("name", ["", "No Such Bucket!"])
def test_a_bucket_that_cannot_be_is_refused(cloud: Cloud, name: str) -> None:
    with pytest.raises(SandboxError, match="cannot be made"):
        cloud.prepare(Needs(buckets=(name,)).document())


def test_an_account_without_its_bucket_is_refused(cloud: Cloud) -> None:
    with pytest.raises(SandboxError, match="dev:plan cannot be given rights in missing"):
        cloud.prepare(Needs(accounts=(Account("dev", "plan", "missing"),)).document())


def test_a_member_is_added_once() -> None:
    policy: dict[str, Any] = {"etag": "x", "bindings": [{"role": "r", "members": ["a"]}]}

    once = add_member(policy, "r", "b")

    assert once == {"etag": "x", "bindings": [{"role": "r", "members": ["a", "b"]}]}
    assert add_member(once, "r", "b") == once
    assert add_member({}, "r", "a") == {"bindings": [{"role": "r", "members": ["a"]}]}
    assert policy["bindings"] == [{"role": "r", "members": ["a"]}]


def run_served(folder: Path, act: Callable[[attach.Info, int], None]) -> tuple[int, dict[str, Any]]:
    """Serve in this thread while another one acts; the exit code and what was told of the start.

    `act` gets the sandbox and the writing end of the pipe that holds it.
    """
    reader, ready = os.pipe()
    hold, holder = os.pipe()
    ready_document: dict[str, Any] = {}

    def watch() -> None:
        ready_document.update(json.loads(os.read(reader, 65536)))
        if ready_document.get("ready"):
            act(attach.require(folder), holder)

    thread = threading.Thread(target=watch)
    thread.start()
    code = server.serve(folder, {}, ready, hold)
    thread.join()
    for descriptor in (reader, hold):
        os.close(descriptor)
    return code, ready_document


def test_it_serves_until_it_is_let_go(tmp_path: Path) -> None:
    seen: list[Any] = []

    def act(info: attach.Info, holder: int) -> None:
        control.call(info, "prepare", needs=Needs(buckets=("states",)).document())
        seen.append(control.call(info, "status")["buckets"])
        os.write(holder, b"still here")
        os.close(holder)

    assert run_served(tmp_path, act) == (0, {"ready": True})
    assert seen == [{"states": 0}]
    assert not (tmp_path / "sandbox.json").exists()


def test_a_signal_ends_it(tmp_path: Path) -> None:
    def act(info: attach.Info, holder: int) -> None:
        sentinel = next(iter(json.loads(info.reattach).values()))["Pid"]
        os.kill(sentinel, signal.SIGKILL)
        while json.loads(attach.require(tmp_path).reattach) == json.loads(info.reattach):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    assert run_served(tmp_path, act) == (0, {"ready": True})


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    descriptor = server.lock_folder(tmp_path)
    assert descriptor is not None

    code, ready_document = run_served(tmp_path, lambda info, holder: None)

    assert (code, ready_document["taken"]) == (1, True)
    os.close(descriptor)

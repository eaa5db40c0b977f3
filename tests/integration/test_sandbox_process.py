"""The sandbox's process: how it starts, answers, survives, and ends. Real processes, real sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.process import started_at
from orchestrator.sandbox import attach, control, launch
from orchestrator.sandbox.needs import ROLES, Account, Needs, ResourceTypes

pytest.importorskip("grpc")

BUCKET = "team-states"
NEEDS = Needs(
    buckets=(BUCKET,),
    accounts=tuple(Account(environment, role, BUCKET) for environment in ("dev", "prod") for role in ROLES),
    providers=("registry.terraform.io/hashicorp/google", "registry.terraform.io/hashicorp/aws"),
    types=ResourceTypes(frozenset({"google_compute_network", "google_no_such_thing", "aws_instance"})),
)


class RunningSandbox:
    """A running sandbox that ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        reader, self._writer = os.pipe()
        self.info, self.started = launch.start(folder, os.environ, hold=reader)
        os.close(reader)

    def let_go(self) -> None:
        """Close the pipe that holds it."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[], RunningSandbox]]:
    """Start the sandbox of this test."""
    sandboxes: list[RunningSandbox] = []

    def start() -> RunningSandbox:
        sandboxes.append(RunningSandbox(tmp_path / "cloud"))
        return sandboxes[-1]

    yield start
    for sandbox in sandboxes:
        sandbox.let_go()
        wait_until(lambda sandbox=sandbox: not sandbox.info.alive)  # type: ignore[misc]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[attach.Info]:
    """A sandbox with a bucket and accounts, for the tests that leave it as it is."""
    sandbox = RunningSandbox(tmp_path_factory.mktemp("shared") / "cloud")
    control.call(sandbox.info, "prepare", needs=NEEDS.document())
    yield attach.require(sandbox.folder)
    sandbox.let_go()


def wait_until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Fail when something does not come true in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """One request to the GCS server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body=body, headers={"Content-Type": "text/plain"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content or b"null") if "json" in (
        answer.getheader("Content-Type") or ""
    ) else content


def upload(port: int, name: str) -> int:
    """Try to write an object; the status."""
    return ask(port, "POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", b"x")[0]


def test_it_starts_once(hold: Callable[[], RunningSandbox]) -> None:
    first = hold()
    again = hold()

    assert first.started
    assert not again.started
    assert again.info == first.info
    assert os.getsid(first.info.pid) == first.info.pid != os.getsid(0)
    assert_a_signal_ends(first.folder, signal.SIGTERM)


def test_two_that_start_at_once_are_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(launch.start, tmp_path / "cloud", os.environ) for _ in range(2)]
        (first, first_start), (second, second_start) = (future.result() for future in futures)

    assert first == second
    assert first_start != second_start
    launch.stop(first)


def assert_a_signal_ends(folder: Path, number: int) -> None:
    """A signal ends the sandbox in a folder, and nothing is left behind."""
    info = attach.require(folder)
    sentinel = sentinel_of(info)

    os.kill(info.pid, number)

    wait_until(lambda: not info.alive and started_at(sentinel) is None)
    assert not (folder / "sandbox.json").exists()


def test_it_ends_when_nobody_holds_it_any_more(hold: Callable[[], RunningSandbox]) -> None:
    sandbox = hold()

    sandbox.let_go()

    wait_until(lambda: not sandbox.info.alive)
    assert not (sandbox.folder / "sandbox.json").exists()


def test_a_killed_one_is_started_again_with_all_it_had(hold: Callable[[], RunningSandbox]) -> None:
    sandbox = hold()
    sentinel = sentinel_of(sandbox.info)
    control.call(sandbox.info, "prepare", needs=NEEDS.document())
    assert upload(sandbox.info.gcs, "kept") == 200

    os.kill(sandbox.info.pid, signal.SIGKILL)

    wait_until(lambda: started_at(sentinel) is None and not sandbox.info.alive)
    assert (sandbox.folder / "sandbox.json").exists()
    assert attach.running(sandbox.folder) is None
    again = hold()
    assert again.started
    assert again.info.pid != sandbox.info.pid
    assert control.call(again.info, "status")["buckets"] == {BUCKET: 1}
    assert_a_signal_ends(again.folder, signal.SIGHUP)


def test_a_killed_sentinel_is_replaced(hold: Callable[[], RunningSandbox]) -> None:
    sandbox = hold()
    sentinel = sentinel_of(sandbox.info)

    os.kill(sentinel, signal.SIGKILL)

    wait_until(lambda: sentinel_of(attach.require(sandbox.folder)) != sentinel)
    replacement = sentinel_of(attach.require(sandbox.folder))
    assert started_at(replacement) is not None
    assert sandbox.info.alive
    assert_a_signal_ends(sandbox.folder, signal.SIGINT)


def test_stopping_it_is_waited_for(hold: Callable[[], RunningSandbox]) -> None:
    sandbox = hold()

    launch.stop(sandbox.info)

    assert attach.running(sandbox.folder) is None
    assert not sandbox.info.alive


def test_only_its_owner_may_look_into_its_folder(prepared: attach.Info) -> None:
    assert prepared.folder.stat().st_mode & 0o777 == 0o700
    assert (prepared.folder / "sandbox.json").stat().st_mode & 0o777 == 0o600
    assert (prepared.folder / "log").stat().st_mode & 0o777 == 0o600


def test_a_state_bucket_is_made_as_it_should_be(prepared: attach.Info) -> None:
    status, bucket = ask(prepared.gcs, "GET", f"/storage/v1/b/{BUCKET}")

    assert status == 200
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] is True
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"


def test_what_has_no_schema_is_named(prepared: attach.Info) -> None:
    assert control.call(prepared, "prepare", needs=NEEDS.document()) == {
        "providers": ["registry.terraform.io/hashicorp/aws"],
        "types": ["google_no_such_thing"],
    }


def test_preparing_again_changes_nothing(prepared: attach.Info) -> None:
    control.call(prepared, "prepare", needs=NEEDS.document())

    assert attach.require(prepared.folder) == prepared


@pytest.mark.parametrize(
    ("account", "may_write", "may_not_write"),
    [
        ("dev:plan", ["dev/plans/1"], ["dev/state/s", "dev/ledger/l", "dev/drift/d", "prod/plans/1", "top"]),
        ("dev:apply", ["dev/state/s", "dev/ledger/l", "dev/plans/2"], ["prod/state/s", "top"]),
        ("dev:drift", ["dev/drift/d"], ["dev/state/s", "dev/plans/3", "prod/drift/d", "top"]),
    ],
)
def test_an_account_writes_where_it_may(
    prepared: attach.Info, account: str, may_write: list[str], may_not_write: list[str]
) -> None:
    port = prepared.accounts[account]

    assert {name: upload(port, name) for name in may_write} == dict.fromkeys(may_write, 200)
    assert {name: upload(port, name) for name in may_not_write} == dict.fromkeys(may_not_write, 403)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "attest"])
def test_every_account_reads_the_states_of_its_environment_only(prepared: attach.Info, role: str) -> None:
    assert upload(prepared.gcs, "dev/state/read") == upload(prepared.gcs, "prod/state/read") == 200
    port = prepared.accounts[f"dev:{role}"]

    assert ask(port, "GET", f"/{BUCKET}/dev/state/read") == (200, b"x")
    assert ask(port, "GET", f"/{BUCKET}/prod/state/read")[0] == 403


def sentinel_of(info: attach.Info) -> int:
    """The pid that Terraform is given."""
    pids = {load["Pid"] for load in json.loads(info.reattach).values()}
    assert len(pids) == 1
    return int(pids.pop())

"""States in a bucket, through the real client library, against the sandbox's server."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.bucket_access import create_object
from orchestrator.state.bucket_operations import Clock, set_wait_listener
from orchestrator.state.gcs import Bucket
from orchestrator.state.location import Location
from orchestrator.state.locks import read_lock
from tests.support.clocks import WaitingClock
from tests.support.hanging import HangingServer

NAME = "prod/state/net/default.tfstate"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    gcs_server = GcsServer(tmp_path / "gcs")
    gcs_server.start()
    gcs_server.store.create_bucket("p", {"name": "states", "versioning": {"enabled": True}})
    yield gcs_server
    gcs_server.close()


@pytest.fixture
def env(server: GcsServer) -> dict[str, str]:
    return {"STORAGE_EMULATOR_HOST": server.url}


def fail(server: GcsServer, **rule: object) -> None:
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/_sandbox/faults", json.dumps(rule).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).read()  # noqa: S310


def test_an_object_is_read_with_its_generation(server: GcsServer, env: dict[str, str]) -> None:
    bucket = Bucket("states", env)
    assert bucket.stat(NAME) is None
    assert bucket.read(NAME) is None
    server.store.insert_object("states", NAME, b"one")
    first = bucket.read(NAME)
    server.store.insert_object("states", NAME, b"two!")
    second = bucket.stat(NAME)
    assert first is not None
    assert second is not None
    assert first.data == b"one"
    assert second.size == 4
    assert first.generation != second.generation


def test_a_missing_bucket_is_not_a_missing_object(env: dict[str, str]) -> None:
    with pytest.raises(StateError, match="gs://nowhere does not exist"):
        Bucket("nowhere", env).stat(NAME)


def test_a_refusal_names_the_role(server: GcsServer) -> None:
    stranger = Bucket("states", {"STORAGE_EMULATOR_HOST": server.url_of("serviceAccount:x@p.iam")})
    with pytest.raises(StateError) as error:
        stranger.read(NAME)
    assert "objectViewer" in error.value.advice


def test_a_request_to_a_busy_service_is_retried(server: GcsServer, env: dict[str, str]) -> None:
    server.store.insert_object("states", NAME, b"one")
    fail(server, method="GET", path="*", count=2, status=503)
    blob = Bucket("states", env).read(NAME)
    assert blob is not None
    assert blob.data == b"one"


def test_many_threads_share_a_bucket(server: GcsServer, env: dict[str, str]) -> None:
    for number in range(20):
        server.store.insert_object("states", f"{number}", str(number).encode())
    bucket = Bucket("states", env)
    with ThreadPoolExecutor(20) as pool:
        blobs = list(pool.map(lambda number: bucket.read(str(number)), range(20)))
    assert [blob.data if blob else None for blob in blobs] == [str(number).encode() for number in range(20)]


def test_versions_and_locks_are_reported(server: GcsServer, env: dict[str, str]) -> None:
    server.store.create_bucket("p", {"name": "plain"})
    assert Bucket("states", env).keeps_versions()
    assert not Bucket("plain", env).keeps_versions()
    location = Location.parse(f"gs://states/{NAME}")
    server.store.insert_object("states", location.lock_name, json.dumps({"ID": "u", "Who": "bo"}).encode())
    lock = read_lock(Bucket("states", env), location)
    assert lock is not None
    assert lock.who == "bo"
    assert lock.generation.isdigit()


LARGE = b"0123456789abcdef" * 65536
OPERATIONS: dict[str, Callable[[Bucket], object]] = {
    "reading x": lambda bucket: bucket.stat("x"),
    "reading y": lambda bucket: bucket.read("y"),
    "writing x": lambda bucket: bucket.write("x", b"1", if_generation="0"),
    "writing y": lambda bucket: bucket.patch_metadata("y", {"a": "b"}, if_metageneration="1"),
    "deleting x": lambda bucket: bucket.delete("x"),
    "listing x/": lambda bucket: bucket.list("x/"),
    "listing x": lambda bucket: bucket.versions("x"),
    "looking at the bucket": lambda bucket: bucket.keeps_versions(),
    "creating x": lambda bucket: create_object(bucket, "x"),
}


@pytest.mark.parametrize("doing", OPERATIONS)
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"], ids=["none", "torn"]
)
def test_no_operation_waits_without_a_word_or_an_end(doing: str, answer: bytes) -> None:
    """The socket hangs before an answer, or within one."""
    messages: list[str] = []
    previous = set_wait_listener(messages.append)
    with HangingServer(answer) as server:
        waiting = WaitingClock(server.asked.wait)
        bucket = Bucket("states", {"STORAGE_EMULATOR_HOST": server.url}, waiting.clock())
        try:
            with pytest.raises(StateError, match="did not answer within 120 seconds when asked to") as error:
                OPERATIONS[doing](bucket)
            with pytest.raises(StateError, match="within 10 seconds"):
                OPERATIONS[doing](bucket)
        finally:
            set_wait_listener(previous)
    assert "gs://states" in error.value.message
    assert waiting.seconds == 130
    assert messages[0] == f"Waiting for gs://states: {doing} (2 s)."


@pytest.mark.parametrize(
    ("operation", "moves"),
    [
        (lambda bucket: bucket.write("large", LARGE), 16),
        (lambda bucket: bucket.read("large").data == LARGE, 16),
        (lambda bucket: bucket.list(""), 1),
    ],
    ids=["write", "read", "list"],
)
def test_a_transfer_moves_its_deadline(
    env: dict[str, str], operation: Callable[[Bucket], object], moves: int
) -> None:
    """The clock is asked by the thread that waits, and by an operation's own only when its deadline moves."""
    Bucket("states", env).write("large", LARGE)
    askers: list[str] = []

    def now() -> float:
        askers.append(threading.current_thread().name)
        return time.monotonic()

    assert operation(Bucket("states", env, Clock(now=now)))
    assert sum(name.startswith("gs://states: ") for name in askers) >= moves


def test_the_reason_of_another_try_is_reported(server: GcsServer, env: dict[str, str]) -> None:
    messages: list[str] = []
    fail(server, method="GET", path="*", status=503)
    bucket = Bucket("states", env, WaitingClock(lambda: wait_for_a_fault(server)).clock())
    previous = set_wait_listener(messages.append)
    try:
        with pytest.raises(StateError, match=r"list dev/ in gs://states; the last try ended with status 503"):
            bucket.list("dev/")
    finally:
        set_wait_listener(previous)
    assert messages[0] == "Waiting for gs://states: listing dev/ (2 s, asked again after status 503)."


def wait_for_a_fault(server: GcsServer) -> None:
    """Until a request was refused and the client knows it, which it does when it asks again."""
    while server.faults.report()[0]["struck"] < 2:
        time.sleep(0.01)

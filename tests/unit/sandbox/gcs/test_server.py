"""The server itself: connections, dates, errors in both shapes, faults, the record of requests, restarts."""

from __future__ import annotations

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import active_count

import pytest

from orchestrator.sandbox.faults import HttpFault, HttpFaults
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Call, MovableClock

B = f"/storage/v1/b/{BUCKET}"
O = f"{B}/o"  # noqa: E741
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"


def upload(call: Call, name: str, data: bytes = b"x", **query: object) -> int:
    return call("POST", UPLOAD, data, uploadType="media", name=name, **query).status


def test_one_connection_serves_many_requests(server: GcsServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.open_port(), timeout=10)
    for number in range(5):
        connection.request("POST", f"{UPLOAD}?uploadType=media&name=n{number}", b"x")
        answer = connection.getresponse()
        assert (answer.status, answer.read() != b"") == (200, True)
    local = connection.sock.getsockname()
    connection.request("DELETE", f"{O}/n0")
    assert connection.getresponse().read() == b""
    assert connection.sock.getsockname() == local
    connection.close()


def test_a_body_may_come_in_chunks(server: GcsServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.open_port(), timeout=10)
    pieces = iter([b"one", b"two" * 50_000])
    connection.request("POST", f"{UPLOAD}?uploadType=media&name=a", pieces, encode_chunked=True)
    answer = connection.getresponse()
    assert json.loads(answer.read())["size"] == "150003"
    connection.request("GET", f"{O}/a")
    assert connection.getresponse().status == 200
    connection.close()


def test_every_answer_has_the_servers_time(tmp_path: Path, clock: MovableClock) -> None:
    with GcsServer(tmp_path / "clocked", clock=clock) as server:
        for path in ("/storage/v1/b", "/storage/v1/b/none", "/none/none"):
            connection = http.client.HTTPConnection("127.0.0.1", server.open_port(), timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert parsedate_to_datetime(str(answer.getheader("Date"))) == datetime(
                2026, 1, 2, 3, 4, 5, tzinfo=UTC
            )
            connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/storage/v1/b/none", 404),
        ("GET", "/storage/v1/nothing", 404),
        ("GET", "/", 404),
        ("DELETE", "/storage/v1/b", 405),
        ("GET", f"{B}/acl", 400),
        ("GET", f"{B}/defaultObjectAcl/allUsers", 400),
        ("GET", f"{O}/a/acl", 400),
        ("POST", f"{B}/notificationConfigs", 400),
        ("GET", "/storage/v1/projects/p/hmacKeys", 400),
        ("GET", f"{O}/none", 404),
        ("PATCH", f"/storage/v1/b/{BUCKET}", 400),
        ("POST", f"{O}/a/compose", 400),
    ],
)
def test_errors_have_googles_shape(call: Call, method: str, path: str, status: int) -> None:
    answer = call(method, path, b'{"sourceObjects": "no"}' if method == "POST" else b"not json")
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (status, status)
    assert error["message"] == error["errors"][0]["message"]
    assert error["errors"][0]["domain"] == "global"
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("path", "code"), [(f"/{BUCKET}/none", "NoSuchKey"), ("/nowhere/none", "NoSuchBucket")]
)
def test_errors_on_xml_paths_are_xml(call: Call, path: str, code: str) -> None:
    answer = call("GET", path)
    assert answer.status == 404
    assert answer.body.startswith(b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code.encode())


def test_data_and_sessions_of_accounts_survive_a_restart(tmp_path: Path) -> None:
    with GcsServer(tmp_path / "kept") as first:
        first.store.create_bucket("acme", {"name": "kept"})
        first.store.insert_object("kept", "a", b"data")
        port = first.open_port()
    with GcsServer(tmp_path / "kept") as second:
        assert second.store.read_object("kept", "a")[1] == b"data"
    third = GcsServer(tmp_path / "kept")
    third.start(port)
    assert third.open_port() == port
    third.close()


def test_closing_ends_threads_and_connections(tmp_path: Path) -> None:
    before = active_count()
    server = GcsServer(tmp_path / "gcs")
    server.start()
    connection = socket.create_connection(("127.0.0.1", server.open_port()), timeout=10)
    connection.sendall(b"GET /storage/v1/b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(8).startswith(b"HTTP/1.1")
    began = time.monotonic()
    server.close()
    while connection.recv(4096):
        pass
    connection.close()
    while active_count() > before and time.monotonic() < began + 60:
        time.sleep(0.01)
    assert active_count() == before


def test_of_many_writers_by_http_one_wins(call: Call) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: upload(call, "lock", ifGenerationMatch=0), range(24)))
    assert sorted(statuses) == [200] + [412] * 23


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_fault_refuses_so_often_and_no_more(server: GcsServer, call: Call, status: int) -> None:
    rule = {"method": "POST", "path": "*/dev/*", "status": status, "count": 2, "after": 1, "retry_after": 3}
    assert call("POST", "/_sandbox/faults", rule).status == 200
    assert upload(call, "prod/a") == 200
    assert [upload(call, "dev/a") for _ in range(4)] == [200, status, status, 200]
    answer = call("GET", "/_sandbox/faults").json["faults"][0]
    assert (answer["seen"], answer["struck"]) == (4, 2)
    call("DELETE", "/_sandbox/faults")
    server.faults.add(HttpFault(status=status, retry_after=3))
    refused = call("GET", O)
    assert (refused.status, refused.headers["retry-after"]) == (status, "3")
    assert refused.json["error"]["code"] == status


@pytest.mark.parametrize(
    ("cut", "written"), [("before", False), ("request", False), ("answer", True), ("response", True)]
)
def test_a_cut_connection_and_what_was_done_by_then(
    server: GcsServer, call: Call, cut: str, written: bool
) -> None:
    server.faults.add(HttpFault(path="*/o/a", cut=cut, bytes=10, count=1))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        upload(call, "a", b"x" * 200_000)
    assert (server.store.live_object(BUCKET, "a") is not None) is written
    assert server.requests.entries[-1].status == 0
    assert upload(call, "a") == 200


def test_a_download_can_be_cut_in_the_middle(server: GcsServer, call: Call) -> None:
    server.store.insert_object(BUCKET, "a", b"0123456789")
    server.faults.add(HttpFault(method="GET", regex=r"/a$", cut="response", bytes=4))
    with pytest.raises(http.client.IncompleteRead) as cut:
        call("GET", f"/{BUCKET}/a")
    assert cut.value.partial == b"0123"


def test_latency_delays_one_account(server: GcsServer, call: Call) -> None:
    server.faults.add(HttpFault(account="serviceAccount:slow@*", latency_ms=30))
    call("GET", O)
    (rule,) = server.faults.report()
    assert rule["struck"] == 0
    began = time.monotonic()
    call("GET", O, member="serviceAccount:slow@acme.example")
    assert time.monotonic() - began >= 0.03


def test_a_probability_strikes_some() -> None:
    faults = HttpFaults(seed=1)
    faults.add(HttpFault(probability=0.3, status=503))
    struck = sum(faults.strike("GET", "/a", "") is not None for _ in range(1000))
    assert 250 < struck < 350


@pytest.mark.parametrize("rule", [{"sttaus": 1}, {"cut": "sometimes"}, {"regex": "("}, 7, "x"])
def test_a_fault_that_makes_no_sense_is_refused(call: Call, rule: object) -> None:
    assert call("POST", "/_sandbox/faults", rule).status == 400


def test_requests_are_recorded_until_forgotten(server: GcsServer, call: Call) -> None:
    upload(call, "dev/a")
    call("GET", f"{O}/dev%2Fa", member="serviceAccount:me@acme.example")
    log = call("GET", "/_sandbox/requests").json
    assert log["count"] == 2
    assert [
        (request["method"], request["path"], request["account"], request["status"])
        for request in log["requests"]
    ] == [
        ("POST", f"{UPLOAD}/dev/a", "", 200),
        ("GET", f"{O}/dev/a", "serviceAccount:me@acme.example", 403),
    ]
    assert call("DELETE", "/_sandbox/requests").json == {"count": 0, "requests": []}
    assert server.requests.count == 0
    assert call("GET", "/_sandbox/other").status == 404

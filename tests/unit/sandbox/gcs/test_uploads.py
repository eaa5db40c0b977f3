"""Uploads: alone, with metadata, in pieces; and what comes down again."""

from __future__ import annotations

import base64
import gzip
import hashlib
from email.utils import parsedate_to_datetime

import pytest

from orchestrator.sandbox.gcs.resources import hashes
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Answer, Call

O = f"/storage/v1/b/{BUCKET}/o"  # noqa: E741
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"
PIECE = 256 * 1024


def multipart(metadata: bytes, data: bytes, kind: str = "text/plain") -> tuple[bytes, dict[str, str]]:
    body = (
        b"--=b=\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n" + metadata + b"\r\n"
        b"--=b=\r\ncontent-type: " + kind.encode() + b"\r\n\r\n" + data + b"\r\n--=b=--"
    )
    return body, {"Content-Type": 'multipart/related; boundary="=b="'}


def test_media_alone(call: Call) -> None:
    headers = {"Content-Type": "text/x"}
    json = call("POST", UPLOAD, b"\0\r\nx", headers, uploadType="media", name="d/a").json
    assert (json["name"], json["contentType"], json["size"]) == ("d/a", "text/x", "4")
    assert call("GET", f"{O}/d%2Fa", alt="media").body == b"\0\r\nx"


def test_media_with_its_metadata(call: Call) -> None:
    data = b"\r\n\r\n--=\0"
    body, headers = multipart(b'{"name": "a", "metadata": {"k": "v"}, "cacheControl": "no-store"}', data)
    json = call("POST", UPLOAD, body, headers, uploadType="multipart").json
    assert (json["contentType"], json["metadata"], json["cacheControl"]) == (
        "text/plain",
        {"k": "v"},
        "no-store",
    )
    down = call("GET", f"/{BUCKET}/a")
    assert down.body == data
    assert (down.headers["x-goog-meta-k"], down.headers["cache-control"]) == ("v", "no-store")


def test_the_metadatas_content_type_goes_first(call: Call) -> None:
    body, headers = multipart(b'{"name": "a", "contentType": "text/html"}', b"x")
    assert call("POST", UPLOAD, body, headers, uploadType="multipart").json["contentType"] == "text/html"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x--", 'multipart/related; boundary="x"'),
        (b"--x\r\n\r\n{}\r\n--x--", 'multipart/related; boundary="x"'),
        (b"--x\r\n\r\nno json\r\n--x\r\n\r\nd\r\n--x--", 'multipart/related; boundary="x"'),
        (b"--x\r\n\r\n[]\r\n--x\r\n\r\nd\r\n--x--", "multipart/related; boundary=x"),
        (b"anything", "multipart/related"),
    ],
)
def test_malformed_bodies_are_refused(call: Call, body: bytes, content_type: str) -> None:
    answer = call("POST", UPLOAD, body, {"Content-Type": content_type}, uploadType="multipart", name="a")
    assert answer.status == 400


def test_an_unknown_kind_and_a_missing_name_are_refused(call: Call) -> None:
    assert call("POST", UPLOAD, b"x", uploadType="other", name="a").status == 400
    assert call("POST", UPLOAD, b"x", uploadType="media").status == 400


def test_checksums_in_headers_are_checked(call: Call) -> None:
    digest = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    for text, status in ((b"x", 200), (b"y", 400)):
        answer = call("POST", UPLOAD, text, {"X-Goog-Hash": f"md5={digest}"}, uploadType="media", name="a")
        assert answer.status == status


@pytest.mark.parametrize("kind", ["media", "multipart", "resumable"])
def test_an_upload_takes_its_key_and_encoding_from_parameters(call: Call, kind: str) -> None:
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    query = {"uploadType": kind, "name": "a", "kmsKeyName": key, "contentEncoding": "gzip"}
    body, headers = multipart(b"{}", b"x") if kind == "multipart" else (b"x" if kind == "media" else b"", {})
    answer = call("POST", UPLOAD, body, headers, **query)
    if kind == "resumable":
        answer = call("PUT", "/" + answer.headers["location"].split("/", 3)[3], b"x")
    assert (answer.json["kmsKeyName"], answer.json["contentEncoding"]) == (
        f"{key}/cryptoKeyVersions/1",
        "gzip",
    )


def test_a_copy_takes_its_key_from_a_parameter(server: GcsServer, call: Call) -> None:
    server.store.insert_object(BUCKET, "a", b"x")
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    copied = call("POST", f"{O}/a/rewriteTo/b/{BUCKET}/o/b", {}, destinationKmsKeyName=key).json["resource"]
    composed = call("POST", f"{O}/c/compose", {"sourceObjects": [{"name": "a"}]}, kmsKeyName=key).json
    assert copied["kmsKeyName"] == composed["kmsKeyName"] == f"{key}/cryptoKeyVersions/1"


def start(call: Call, **query: object) -> str:
    """Begin a resumable upload of `big`; returns its path."""
    headers = {"X-Upload-Content-Type": "text/x"}
    begun = call(
        "POST", UPLOAD, {"name": "big", "metadata": {"k": "v"}}, headers, uploadType="resumable", **query
    )
    assert (begun.status, begun.body) == (200, b"")
    assert begun.headers["location"].startswith("http://127.0.0.1:")
    return "/" + begun.headers["location"].split("/", 3)[3]


def put(call: Call, path: str, data: bytes, content_range: str, **headers: str) -> Answer:
    return call("PUT", path, data, {"Content-Range": content_range, **headers})


def test_an_upload_in_pieces_is_queried_and_resumed(call: Call) -> None:
    path = start(call)
    data = bytes(range(256)) * 2048 + b"end"
    total = len(data)
    answer = put(call, path, b"", f"bytes */{total}")
    assert answer.status == 308
    assert "range" not in answer.headers
    first = put(call, path, data[: PIECE + 7], f"bytes 0-{PIECE + 6}/*")
    assert (first.status, first.headers["range"]) == (308, f"bytes=0-{PIECE - 1}")
    assert put(call, path, b"", "bytes */*").headers["range"] == f"bytes=0-{PIECE - 1}"
    assert put(call, path, b"x", f"bytes {PIECE + 9}-{PIECE + 9}/*").status == 503
    last = put(call, path, data[PIECE - 5 :], f"bytes {PIECE - 5}-{total - 1}/{total}")
    assert (last.status, last.json["size"], last.json["contentType"]) == (200, str(total), "text/x")
    assert last.json["metadata"] == {"k": "v"}
    assert put(call, path, b"", f"bytes */{total}").json["generation"] == last.json["generation"]
    assert call("GET", f"{O}/big", alt="media").body == data


def test_a_client_that_cannot_take_a_308_gets_what_stands_for_it(call: Call) -> None:
    path = start(call)
    answer = call(
        "POST", path, b"x" * PIECE, {"Content-Range": f"bytes 0-{PIECE - 1}/*", "X-GUploader-No-308": "yes"}
    )
    assert (answer.status, answer.headers["x-http-status-code-override"]) == (200, "308")
    assert answer.headers["range"] == f"bytes=0-{PIECE - 1}"


def test_an_upload_in_one_piece_and_an_empty_one(call: Call) -> None:
    assert call("PUT", start(call), b"whole").json["size"] == "5"
    assert put(call, start(call), b"", "bytes */0").json["size"] == "0"


@pytest.mark.parametrize("at", ["start", "end", "both"])
def test_checksums_of_an_upload_in_pieces_are_checked(call: Call, at: str) -> None:
    """A client sends two headers of that name: the checksum at fault may be in either."""
    right = "crc32c=" + hashes(b"whole")["crc32c"]
    wrong = "md5=" + hashes(b"other")["md5Hash"]
    first = {"X-Goog-Hash": wrong} if at != "end" else {}
    begun = call("POST", UPLOAD, {"name": "big"}, first, uploadType="resumable")
    path = "/" + begun.headers["location"].split("/", 3)[3]
    last = {"X-Goog-Hash": wrong if at == "end" else right, "x-goog-hash": right}
    answer = call("PUT", path, b"whole", last)
    assert (answer.status, "doesn't match calculated MD5" in answer.json["error"]["message"]) == (400, True)
    assert call("GET", f"{O}/big").status == 404


def test_a_precondition_given_at_the_start_holds_at_the_end(server: GcsServer, call: Call) -> None:
    path = start(call, ifGenerationMatch=0)
    server.store.insert_object(BUCKET, "big", b"first")
    assert call("PUT", path, b"second").status == 412
    assert server.store.read_object(BUCKET, "big")[1] == b"first"


def test_a_session_can_be_cancelled_and_an_unknown_one_is_404(call: Call) -> None:
    path = start(call)
    assert call("DELETE", path).status == 499
    assert call("PUT", path, b"x").status == 404


@pytest.mark.parametrize("content_range", ["bytes 0-9/10", "nonsense"])
def test_a_range_that_does_not_fit_the_body_is_refused(call: Call, content_range: str) -> None:
    assert put(call, start(call), b"x", content_range).status == 400


@pytest.mark.parametrize(
    ("range_header", "status", "data", "content_range"),
    [
        ("bytes=0-1", 206, b"01", "bytes 0-1/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
@pytest.mark.parametrize("path", [f"{O}/a?alt=media", f"/download{O}/a?alt=media", f"/{BUCKET}/a"])
def test_ranges(
    server: GcsServer, call: Call, path: str, range_header: str, status: int, data: bytes, content_range: str
) -> None:
    server.store.insert_object(BUCKET, "a", b"0123456789")
    answer = call("GET", path, headers={"Range": range_header})
    assert answer.status == status
    assert answer.headers.get("content-range") == content_range
    assert data is None or answer.body == data


@pytest.mark.parametrize("path", [f"{O}/a?alt=media", f"/download{O}/a?alt=media", f"/{BUCKET}/a"])
@pytest.mark.parametrize(
    ("accepted", "fields", "is_plain"),
    [
        ("identity", {"contentEncoding": "gzip"}, True),
        ("deflate, gzip;q=0.5", {"contentEncoding": "gzip"}, False),
        ("identity", {"contentEncoding": "gzip", "cacheControl": "no-transform"}, False),
        ("identity", {}, False),
    ],
)
def test_a_client_that_does_not_take_gzip_gets_the_content(
    server: GcsServer, call: Call, path: str, accepted: str, fields: dict[str, str], is_plain: bool
) -> None:
    data = gzip.compress(b"hello world")
    server.store.insert_object(BUCKET, "a", data, fields)
    answer = call("GET", path, headers={"Accept-Encoding": accepted, "Range": "bytes=0-99"})
    assert answer.body == (b"hello world" if is_plain else data)
    assert answer.status == (200 if is_plain else 206), "a range of decompressed data is not served"
    assert answer.headers.get("content-encoding") == (None if is_plain else fields.get("contentEncoding"))
    assert answer.headers["x-goog-stored-content-encoding"] == fields.get("contentEncoding", "identity")


def test_data_that_only_claims_to_be_gzip_is_served_as_it_is(server: GcsServer, call: Call) -> None:
    server.store.insert_object(BUCKET, "a", b"plain", {"contentEncoding": "gzip"})
    assert call("GET", f"/{BUCKET}/a").body == b"plain"


def test_a_download_reports_what_it_is(server: GcsServer, call: Call) -> None:
    stored = server.store.insert_object(
        BUCKET, "d/ü", b"hello", {"contentType": "text/plain", "metadata": {"né": "ü\r\nX-Evil: 1"}}
    )
    for method in ("GET", "HEAD"):
        answer = call(method, f"/{BUCKET}/d/%C3%BC")
        assert answer.body == (b"hello" if method == "GET" else b"")
        assert answer.headers["x-goog-generation"] == stored["generation"]
        assert answer.headers["x-goog-metageneration"] == "1"
        assert answer.headers["x-goog-hash"] == f"crc32c={stored['crc32c']},md5={stored['md5Hash']}"
        assert answer.headers["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
        assert (answer.headers["content-length"], answer.headers["content-type"]) == ("5", "text/plain")
        assert answer.headers["x-goog-meta-n%c3%a9"] == "%C3%BC%0D%0AX-Evil: 1"
        assert parsedate_to_datetime(answer.headers["last-modified"]).year >= 2026
        assert "x-evil" not in answer.headers


def test_the_link_to_the_data_leads_to_this_server(server: GcsServer, call: Call) -> None:
    server.store.insert_object(BUCKET, "a/b", b"hello")
    link = call("GET", f"{O}/a%2Fb").json["mediaLink"]
    listed = call("GET", O).json["items"][0]["mediaLink"]
    assert link == listed
    assert link.startswith(f"{server.url}/download/storage/v1/b/{BUCKET}/o/a%2Fb?generation=")
    assert call("GET", link.removeprefix(server.url)).body == b"hello"

"""Each of the four preconditions on each verb, by HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Answer, Call

O = f"/storage/v1/b/{BUCKET}/o"  # noqa: E741
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"
MULTIPART = (
    b'--x\r\nContent-Type: application/json\r\n\r\n{"name": "a"}\r\n'
    b"--x\r\nContent-Type: text/plain\r\n\r\nnew\r\n--x--"
)

Verb = Callable[..., Answer]

WRITES: dict[str, Verb] = {
    "insert media": lambda call, **when: call("POST", UPLOAD, b"new", uploadType="media", name="a", **when),
    "insert multipart": lambda call, **when: call(
        "POST",
        UPLOAD,
        MULTIPART,
        {"Content-Type": 'multipart/related; boundary="x"'},
        uploadType="multipart",
        **when,
    ),
    "insert resumable": lambda call, **when: call(
        "POST", UPLOAD, {"name": "a"}, uploadType="resumable", **when
    ),
    "patch": lambda call, **when: call("PATCH", f"{O}/a", {"metadata": {"k": "v"}}, **when),
    "update": lambda call, **when: call("PUT", f"{O}/a", {"metadata": {"k": "v"}}, **when),
    "delete": lambda call, **when: call("DELETE", f"{O}/a", **when),
    "copy onto": lambda call, **when: call("POST", f"{O}/b/copyTo/b/{BUCKET}/o/a", {}, **when),
    "rewrite onto": lambda call, **when: call("POST", f"{O}/b/rewriteTo/b/{BUCKET}/o/a", {}, **when),
    "compose onto": lambda call, **when: call(
        "POST", f"{O}/a/compose", {"sourceObjects": [{"name": "b"}]}, **when
    ),
}
READS: dict[str, Verb] = {
    "get": lambda call, **when: call("GET", f"{O}/a", **when),
    "get media": lambda call, **when: call("GET", f"{O}/a", alt="media", **when),
    "download": lambda call, **when: call("GET", f"/download{O}/a", **when),
    "get by the XML path": lambda call, **when: call("GET", f"/{BUCKET}/a", **when),
    "head by the XML path": lambda call, **when: call("HEAD", f"/{BUCKET}/a", **when),
}
# Preconditions as functions of the object: those that hold and those that do not.
HOLDING: dict[str, Callable[[Any], dict[str, object]]] = {
    "its generation": lambda o: {"ifGenerationMatch": o["generation"]},
    "not another generation": lambda o: {"ifGenerationNotMatch": int(o["generation"]) + 1},
    "it exists": lambda o: {"ifGenerationNotMatch": 0},
    "its metageneration": lambda o: {"ifMetagenerationMatch": o["metageneration"]},
    "not another metageneration": lambda o: {"ifMetagenerationNotMatch": int(o["metageneration"]) + 1},
}
FAILING: dict[str, Callable[[Any], dict[str, object]]] = {
    "another generation": lambda o: {"ifGenerationMatch": int(o["generation"]) + 1},
    "it does not exist": lambda o: {"ifGenerationMatch": 0},
    "not its generation": lambda o: {"ifGenerationNotMatch": o["generation"]},
    "another metageneration": lambda o: {"ifMetagenerationMatch": int(o["metageneration"]) + 1},
    "not its metageneration": lambda o: {"ifMetagenerationNotMatch": o["metageneration"]},
    "one of two": lambda o: {
        "ifGenerationMatch": o["generation"],
        "ifMetagenerationMatch": int(o["metageneration"]) + 1,
    },
}


@pytest.fixture
def current(server: GcsServer) -> dict[str, Any]:
    """The object `a` at its second metageneration, beside an object `b`."""
    server.store.insert_object(BUCKET, "b", b"other")
    server.store.insert_object(BUCKET, "a", b"old")
    return server.store.patch_object(BUCKET, "a", {"metadata": {"seen": "yes"}})


@pytest.mark.parametrize("condition", HOLDING)
@pytest.mark.parametrize("verb", [*WRITES, *READS])
def test_a_request_whose_precondition_holds_is_done(
    call: Call, current: dict[str, Any], verb: str, condition: str
) -> None:
    answer = (WRITES | READS)[verb](call, **HOLDING[condition](current))
    assert answer.status in (200, 204)


@pytest.mark.parametrize("condition", FAILING)
@pytest.mark.parametrize("verb", WRITES)
def test_a_write_whose_precondition_fails_is_refused_and_changes_nothing(
    server: GcsServer, call: Call, current: dict[str, Any], verb: str, condition: str
) -> None:
    answer = WRITES[verb](call, **FAILING[condition](current))
    assert (answer.status, answer.reason) == (412, "conditionNotMet")
    assert server.store.read_object(BUCKET, "a") == (current, b"old")


@pytest.mark.parametrize("condition", FAILING)
@pytest.mark.parametrize("verb", READS)
def test_a_read_whose_precondition_fails_is_412_or_not_modified(
    call: Call, current: dict[str, Any], verb: str, condition: str
) -> None:
    answer = READS[verb](call, **FAILING[condition](current))
    if condition.startswith("not "):
        assert (answer.status, answer.body) == (304, b"")
    else:
        assert answer.status == 412


@pytest.mark.parametrize(
    "verb", ["insert media", "insert multipart", "insert resumable", "copy onto", "compose onto"]
)
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"ifGenerationMatch": 0}, 200),
        ({"ifGenerationMatch": 7}, 412),
        ({"ifGenerationNotMatch": 0}, 412),
        ({"ifGenerationNotMatch": 7}, 200),
        ({"ifMetagenerationMatch": 1}, 412),
    ],
)
def test_what_preconditions_mean_where_nothing_is(
    server: GcsServer, call: Call, verb: str, condition: dict[str, object], status: int
) -> None:
    server.store.insert_object(BUCKET, "b", b"other")
    assert WRITES[verb](call, **condition).status == status


@pytest.mark.parametrize("verb", ["patch", "update", "delete", "get", "get media", "get by the XML path"])
def test_a_missing_object_is_404_whatever_the_precondition(call: Call, verb: str) -> None:
    assert (WRITES | READS)[verb](call, ifGenerationMatch=7).status == 404


@pytest.mark.parametrize("verb", ["copyTo", "rewriteTo"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (lambda o: {"ifSourceGenerationMatch": o["generation"]}, 200),
        (lambda o: {"ifSourceGenerationMatch": 7}, 412),
        (lambda o: {"ifSourceGenerationNotMatch": o["generation"]}, 412),
        (lambda o: {"ifSourceMetagenerationMatch": o["metageneration"]}, 200),
        (lambda o: {"ifSourceMetagenerationMatch": 7}, 412),
        (lambda o: {"ifSourceMetagenerationNotMatch": o["metageneration"]}, 412),
    ],
)
def test_the_source_of_a_copy_has_preconditions_too(
    call: Call, current: dict[str, Any], verb: str, condition: Callable[[Any], dict[str, object]], status: int
) -> None:
    answer = call("POST", f"{O}/a/{verb}/b/{BUCKET}/o/c", {}, **condition(current))
    assert answer.status == status


def test_each_part_of_a_composition_may_have_a_precondition(call: Call, current: dict[str, Any]) -> None:
    def compose(generation: int) -> int:
        part = {"name": "a", "objectPreconditions": {"ifGenerationMatch": str(generation)}}
        return call("POST", f"{O}/c/compose", {"sourceObjects": [part]}).status

    assert compose(int(current["generation"])) == 200
    assert compose(7) == 412


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("PUT", ""), ("DELETE", "")])
def test_buckets_know_metagenerations(call: Call, method: str, path: str) -> None:
    bucket = f"/storage/v1/b/{BUCKET}{path}"
    assert call(method, bucket, {}, ifMetagenerationMatch=7).status == 412
    assert call(method, bucket, {}, ifMetagenerationNotMatch=1).status == 412
    assert call("GET", bucket, ifMetagenerationNotMatch=1).status == 304
    assert call(method, bucket, {}, ifMetagenerationMatch=1).status in (200, 204)


def test_a_precondition_that_is_no_number_is_a_mistake(call: Call) -> None:
    answer = call("GET", f"{O}/a", ifGenerationMatch="yes")
    assert (answer.status, answer.json["error"]["errors"][0]["location"]) == (400, "ifGenerationMatch")


def test_tags_are_preconditions_of_reads(server: GcsServer, call: Call) -> None:
    tag = server.store.insert_object(BUCKET, "a", b"old")["etag"]
    assert call("GET", f"{O}/a", headers={"If-None-Match": f'"{tag}"'}).status == 304
    assert call("GET", f"{O}/a", headers={"If-None-Match": '"other"'}).status == 200
    assert call("GET", f"{O}/a", headers={"If-Match": '"other"'}).status == 412
    etag = call("GET", f"/{BUCKET}/a").headers["etag"]
    assert call("GET", f"/{BUCKET}/a", headers={"If-None-Match": etag}).status == 304


def test_the_xml_api_takes_preconditions_as_headers(server: GcsServer, call: Call) -> None:
    generation = server.store.insert_object(BUCKET, "a", b"old")["generation"]
    assert call("GET", f"/{BUCKET}/a", headers={"x-goog-if-generation-match": generation}).status == 200
    assert call("GET", f"/{BUCKET}/a", headers={"x-goog-if-generation-match": "7"}).status == 412

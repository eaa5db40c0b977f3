"""The sandbox's Cloud Storage against Google's own Python library."""

from __future__ import annotations

import gc
import io
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.server import GcsServer

# What the library says once, when it is imported: about Python 3.11, and about gRPC's extras.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a Python version:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
]

BUCKET = "acme-state"
ME = "serviceAccount:me@acme.example"

Connect = Callable[..., Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    with GcsServer(tmp_path / "gcs") as gcs_server:
        yield gcs_server


@pytest.fixture
def connect(server: GcsServer) -> Iterator[Connect]:
    """`connect(member)` is a client of an account, None the owner's; each is closed after the test."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    clients: list[Any] = []

    def make(member: str | None = None) -> Any:
        clients.append(
            storage.Client(
                project="acme",
                credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
                client_options={"api_endpoint": server.url_of(member)},
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    with warnings.catch_warnings():
        # After a refused download the library leaves its connection to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def client(connect: Connect) -> Any:
    """The owner's client."""
    return connect()


@pytest.fixture
def bucket(client: Any) -> Any:
    """A versioned bucket with uniform access."""
    new_bucket = client.bucket(BUCKET)
    new_bucket.versioning_enabled = True
    new_bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    new_bucket.create(location="EUROPE-WEST1")
    return new_bucket


def upload(blob: Any, data: bytes) -> None:
    """Upload in pieces, and only where nothing is yet."""
    blob.upload_from_file(io.BytesIO(data), if_generation_match=0)


def errors() -> Any:
    from google.api_core import exceptions

    return exceptions


def test_a_bucket_is_made_changed_listed_and_deleted(client: Any, bucket: Any) -> None:
    assert (bucket.location, bucket.location_type) == ("EUROPE-WEST1", "region")
    assert bucket.versioning_enabled
    assert bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.soft_delete_policy.retention_duration_seconds == 604800
    bucket.labels = {"env": "prod"}
    bucket.add_lifecycle_delete_rule(age=30, is_live=False)
    bucket.patch()
    again = client.get_bucket(BUCKET)
    assert (again.labels, again.metageneration) == ({"env": "prod"}, 2)
    assert [dict(lifecycle_rule) for lifecycle_rule in again.lifecycle_rules] == [
        {"action": {"type": "Delete"}, "condition": {"age": 30, "isLive": False}}
    ]
    with pytest.raises(errors().PreconditionFailed):
        bucket.patch(if_metageneration_match=1)
    with pytest.raises(errors().Conflict):
        client.create_bucket(BUCKET)
    assert [bucket.name for bucket in client.list_buckets()] == [BUCKET]
    bucket.delete()
    assert client.lookup_bucket(BUCKET) is None


def test_preconditions_on_every_verb(bucket: Any) -> None:
    blob = bucket.blob("dev/a b/ü.txt")
    blob.upload_from_string(b"one", if_generation_match=0)
    other, own = blob.generation + 1, blob.generation
    failed = errors().PreconditionFailed
    with pytest.raises(failed):
        bucket.blob(blob.name).upload_from_string(b"two", if_generation_match=0)
    calls: tuple[Callable[..., object], ...] = (
        lambda **when: blob.upload_from_string(b"two", **when),
        lambda **when: blob.patch(**when),
        lambda **when: blob.update(**when),
        lambda **when: blob.reload(**when),
        lambda **when: blob.download_as_bytes(**when),
        lambda **when: blob.delete(**when),
        lambda **when: blob.rewrite(blob, **when),
        lambda **when: blob.compose([blob], **when),
    )
    for call in calls:
        with pytest.raises(failed):
            call(if_generation_match=other)
        with pytest.raises(failed):
            call(if_metageneration_match=7)
    for when in ({"if_generation_not_match": own}, {"if_metageneration_not_match": 1}):
        with pytest.raises(errors().NotModified):
            blob.reload(**when)
        with pytest.raises(failed):
            blob.delete(**when)
    with pytest.raises(failed):
        blob.rewrite(blob, if_source_generation_match=other)
    assert blob.download_as_bytes(if_generation_match=own, if_metageneration_match=1) == b"one"


def test_versions_are_listed_read_and_restored(client: Any, bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"one")
    first = blob.generation
    blob.upload_from_string(b"two")
    assert [blob.generation for blob in client.list_blobs(BUCKET, versions=True)] == [first, blob.generation]
    assert bucket.blob("a", generation=first).download_as_bytes() == b"one"
    bucket.copy_blob(blob, bucket, "a", source_generation=first)
    assert bucket.blob("a").download_as_bytes() == b"one"
    bucket.delete_blob("a", generation=first)
    assert first not in [blob.generation for blob in client.list_blobs(BUCKET, versions=True)]


def test_soft_deleted_objects_come_back(client: Any, bucket: Any) -> None:
    bucket.versioning_enabled = False
    bucket.patch()
    blob = bucket.blob("a")
    blob.upload_from_string(b"kept")
    blob.delete()
    (deleted,) = client.list_blobs(BUCKET, soft_deleted=True)
    assert deleted.hard_delete_time > deleted.soft_delete_time
    assert bucket.get_blob("a") is None
    assert bucket.get_blob("a", generation=deleted.generation, soft_deleted=True).soft_delete_time
    bucket.restore_blob("a", generation=deleted.generation)
    assert bucket.blob("a").download_as_bytes() == b"kept"


def test_a_large_object_goes_up_in_pieces_and_comes_down_by_ranges(bucket: Any, tmp_path: Path) -> None:
    data = os.urandom(700_000)
    blob = bucket.blob("big", chunk_size=256 * 1024)
    blob.metadata = {"k": "v"}
    upload(blob, data)
    blob.reload()
    assert (blob.size, blob.metadata) == (700_000, {"k": "v"})
    assert blob.download_as_bytes(checksum="md5") == data
    assert bucket.blob("big").download_as_bytes(start=10, end=19) == data[10:20]
    with pytest.raises(errors().PreconditionFailed):
        upload(blob, b"no")


def test_metadata_is_patched_without_a_new_generation(bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"beat": "1"}
    blob.upload_from_string(b"x", content_type="application/json")
    generation = blob.generation
    blob.metadata = {"beat": "2"}
    blob.patch(if_metageneration_match=1)
    assert (blob.generation, blob.metageneration, blob.metadata) == (generation, 2, {"beat": "2"})
    assert blob.content_type == "application/json"
    blob.metadata = {"k": "v" * 9000}
    with pytest.raises(errors().BadRequest):
        blob.patch()


def test_listings(client: Any, bucket: Any) -> None:
    for name in ("a", "dev/x", "dev/y", "prod/x"):
        bucket.blob(name).upload_from_string(b"")
    assert [blob.name for blob in client.list_blobs(BUCKET, prefix="dev/", page_size=1)] == ["dev/x", "dev/y"]
    listing = client.list_blobs(BUCKET, delimiter="/")
    assert ([blob.name for blob in listing], listing.prefixes) == (["a"], {"dev/", "prod/"})
    assert [blob.name for blob in client.list_blobs(BUCKET, max_results=2)] == ["a", "dev/x"]


def test_a_policy_lets_an_account_in(connect: Connect, bucket: Any) -> None:
    bucket.blob("dev/a").upload_from_string(b"x")
    blob = connect(ME).bucket(BUCKET).blob("dev/a")
    with pytest.raises(
        errors().Forbidden, match=r"me@acme\.example does not have storage\.objects\.get access"
    ):
        blob.download_as_bytes()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {ME}})
    bucket.set_iam_policy(policy)
    assert blob.download_as_bytes() == b"x"
    with pytest.raises(errors().Forbidden, match=r"storage\.objects\.create"):
        blob.upload_from_string(b"y")
    with pytest.raises(errors().PreconditionFailed):
        bucket.set_iam_policy(policy)
    assert bucket.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]


def test_the_library_tries_again_after_a_fault(server: GcsServer, bucket: Any) -> None:
    bucket.blob("tried").upload_from_string(b"data")
    server.faults.add(HttpFault(method="GET", path="*/o/tried", status=503, count=1))
    server.faults.add(HttpFault(method="GET", path="*/o/tried", cut="before", count=1))
    assert bucket.blob("tried").download_as_bytes() == b"data"
    entries = [
        entry
        for entry in server.requests.entries
        if entry.method == "GET" and entry.path.endswith("/o/tried")
    ]
    assert [entry.status for entry in entries] == [503, 0, 200]


def test_of_clients_with_one_precondition_one_wins(connect: Connect, bucket: Any) -> None:
    clients = [connect() for _ in range(4)]

    def write(number: int) -> bool:
        try:
            clients[number % 4].bucket(BUCKET).blob("lock").upload_from_string(
                b"%d" % number, if_generation_match=0
            )
        except errors().PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(12))) == 1

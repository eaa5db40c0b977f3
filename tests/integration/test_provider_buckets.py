"""Buckets made by simulated resources are those of the GCS server: each sees what the other does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import SandboxError
from orchestrator.sandbox.gcs.store import GcsError, GcsStore
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import SimulatedRoot, actions, attached

KINDS = ("", "_iam_member", "_iam_binding", "_iam_policy", "_object")
TYPES = [
    *(f"google_storage_bucket{kind}" for kind in KINDS),
    "google_storage_managed_folder",
    "google_storage_managed_folder_iam_member",
]

BUCKET = """
resource "google_storage_bucket" "b" {
  name                        = "team-b"
  location                    = "europe-west1"
  uniform_bucket_level_access = true
  labels                      = { team = "x" }

  versioning {
    enabled = true
  }
%s
}
"""
MEMBER = """
resource "google_storage_bucket_iam_member" "m" {
  bucket = google_storage_bucket.b.name
  role   = "roles/storage.objectViewer"
  member = "user:ada@example.com"
}
"""
NOTE = """
resource "google_storage_bucket_object" "o" {
  bucket  = google_storage_bucket.b.name
  name    = "dir/note"
  content = "%s"
}
"""
FOLDER = """
resource "google_storage_managed_folder" "f" {
  bucket = google_storage_bucket.b.name
  name   = "dev/"
}

resource "google_storage_managed_folder_iam_member" "m" {
  bucket         = google_storage_bucket.b.name
  managed_folder = google_storage_managed_folder.f.name
  role           = "roles/storage.objectUser"
  member         = "serviceAccount:apply@demo-dev.iam.gserviceaccount.com"
}
"""


@pytest.fixture
def store(tmp_path: Path) -> GcsStore:
    return GcsStore(tmp_path / "gcs")


@pytest.fixture
def stack(tmp_path: Path, store: GcsStore, terraform_argv: tuple[str, ...]) -> Iterator[SimulatedRoot]:
    server = ProviderServer(tmp_path / "worlds", RecordedSchemas(), store)
    server.start()
    server.serve_types("google", TYPES, ["google_storage_bucket", "google_iam_policy"])
    sentinel = Sentinel()
    yield attached(server, "w", tmp_path / "stack", terraform_argv, sentinel.pid)
    server.close()
    sentinel.close()


def bindings(store: GcsStore) -> dict[str, list[str]]:
    return {each["role"]: each["members"] for each in store.get_bucket_policy("team-b")["bindings"]}


def test_a_bucket_is_the_servers_bucket(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "")
    stack.apply()
    bucket = store.get_bucket("team-b")
    assert (bucket["location"], bucket["versioning"]) == ("EUROPE-WEST1", {"enabled": True})
    assert bucket["labels"] == {"team": "x", "goog-terraform-provisioned": "true"}
    values = stack.values()["google_storage_bucket.b"]
    assert (values["url"], values["project_number"]) == ("gs://team-b", int(bucket["projectNumber"]))
    rule = 'lifecycle_rule {\n action {\n type = "Delete"\n }\n condition {\n age = 3\n }\n }'
    stack.write(BUCKET % rule)
    stack.apply()
    assert store.get_bucket("team-b")["lifecycle"] == {
        "rule": [{"action": {"type": "Delete"}, "condition": {"age": 3}}]
    }
    assert stack.plan()[0] == 0
    stack.write(BUCKET % "")
    stack.apply()
    assert "lifecycle" not in store.get_bucket("team-b")
    assert stack.plan()[0] == 0


def test_what_the_server_changes_is_drift(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "")
    stack.apply()
    store.patch_bucket("team-b", {"versioning": {"enabled": False}, "labels": {"hand": "made"}})
    code, document = stack.plan()
    (drift,) = document["resource_drift"]
    before, after = drift["change"]["before"], drift["change"]["after"]
    changed = {name for name in before if before[name] != after[name]}
    assert code == 2
    assert (
        {"versioning", "labels", "effective_labels"}
        <= changed
        <= {*("versioning", "labels", "effective_labels", "terraform_labels", "updated")}
    )
    stack.apply()
    assert store.get_bucket("team-b")["labels"] == {"team": "x", "goog-terraform-provisioned": "true"}
    store.delete_bucket("team-b")
    assert actions(stack.plan()[1]) == {"google_storage_bucket.b": ["create"]}


def test_the_world_shows_and_changes_buckets(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "" + MEMBER)
    stack.apply()
    assert [item.address for item in stack.world.list()] == [
        "google_storage_bucket/team-b",
        "google_storage_bucket_iam_member/b/team-b/roles/storage.objectViewer/user:ada@example.com",
    ]
    stack.world.set("team-b", "labels.hand", "made")
    assert store.get_bucket("team-b")["labels"]["hand"] == "made"
    stack.world.set("team-b", "versioning[0].enabled", False)
    assert store.get_bucket("team-b")["versioning"] == {"enabled": False}
    with pytest.raises(SandboxError, match="location cannot be changed"):
        stack.world.set("team-b", "location", "US")
    stack.world.delete("google_storage_bucket_iam_member/user:ada@example.com")
    assert "roles/storage.objectViewer" not in bindings(store)
    assert actions(stack.plan()[1]) == {
        "google_storage_bucket.b": ["update"],
        "google_storage_bucket_iam_member.m": ["create"],
    }
    store.insert_object("team-b", "x", b"data")
    with pytest.raises(SandboxError, match="containing objects without `force_destroy`"):
        stack.world.delete("team-b")


def test_a_taken_name(stack: SimulatedRoot, store: GcsStore) -> None:
    store.create_bucket("other", {"name": "team-b"})
    stack.write(BUCKET % "")
    failed = " ".join(stack.apply(code=1).err.split())
    assert "Error creating Bucket: googleapi: Error 409:" in failed
    stack.write((BUCKET % "").replace('"team-b"', '"Not_A_Name"'))
    failed = " ".join(stack.apply(code=1).err.split())
    assert "Error creating Bucket: googleapi: Error 400: Invalid bucket name: 'Not_A_Name', invalid" in failed


@pytest.mark.parametrize(("force", "code"), [("false", 1), ("true", 0)])
def test_deleting_a_bucket_with_objects(stack: SimulatedRoot, store: GcsStore, force: str, code: int) -> None:
    stack.write(BUCKET % f"  force_destroy = {force}\n")
    stack.apply()
    for text in (b"one", b"two"):
        store.insert_object("team-b", "x", text)
    failed = stack.run("destroy", "-auto-approve", code=code)
    assert [bucket["name"] for bucket in store.list_buckets()] == (["team-b"] if code else [])
    assert ("containing objects without" in failed.err) == bool(code)


def test_objects(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "force_destroy = true" + NOTE % "one")
    stack.apply()
    assert store.read_object("team-b", "dir/note")[1] == b"one"
    first = stack.values()["google_storage_bucket_object.o"]
    stack.write(BUCKET % "force_destroy = true" + NOTE % "two")
    _, document = stack.plan()
    assert actions(document) == {"google_storage_bucket_object.o": ["update"]}
    stack.run("apply", "p")
    second = stack.values()["google_storage_bucket_object.o"]
    assert store.read_object("team-b", "dir/note")[1] == b"two"
    assert first["md5hash"] != second["md5hash"]
    assert first["generation"] < second["generation"]
    store.insert_object("team-b", "dir/note", b"overwritten by hand")
    code, document = stack.plan()
    assert (code, actions(document)) == (2, {"google_storage_bucket_object.o": ["update"]})
    stack.apply()
    assert store.read_object("team-b", "dir/note")[1] == b"two"
    assert stack.plan()[0] == 0
    assert [item.id for item in stack.world.list("google_storage_bucket_object")] == ["team-b-dir/note"]


def test_object_from_a_file(stack: SimulatedRoot, store: GcsStore, tmp_path: Path) -> None:
    (stack.folder / "note.txt").write_text("from a file")
    relative = (NOTE % "").replace('content = ""', 'source = "note.txt"')
    stack.write(BUCKET % "force_destroy = true" + relative)
    failed = " ".join(stack.apply(code=1).err.split())
    assert "Write it with abspath()" in failed
    stack.write(BUCKET % "force_destroy = true" + relative.replace('"note.txt"', 'abspath("note.txt")'))
    stack.apply()
    assert store.read_object("team-b", "dir/note")[1] == b"from a file"
    assert stack.plan()[0] == 0


def test_access_is_one_policy(stack: SimulatedRoot, store: GcsStore) -> None:
    binding = """
resource "google_storage_bucket_iam_binding" "b" {
  bucket  = google_storage_bucket.b.name
  role    = "roles/storage.admin"
  members = ["user:zoe@example.com", "user:ada@example.com"]
}
"""
    stack.write(BUCKET % "" + MEMBER + binding)
    stack.apply()
    assert bindings(store)["roles/storage.objectViewer"] == ["user:ada@example.com"]
    assert sorted(bindings(store)["roles/storage.admin"]) == ["user:ada@example.com", "user:zoe@example.com"]
    assert "roles/storage.legacyBucketOwner" in bindings(store), "members add to what is there"
    policy = store.get_bucket_policy("team-b")
    policy["bindings"] = [
        {**each, "members": [*each["members"], "user:eve@example.com"]}
        if each["role"] == "roles/storage.admin"
        else each
        for each in policy["bindings"]
    ]
    store.set_bucket_policy("team-b", policy)
    assert actions(stack.plan()[1]) == {"google_storage_bucket_iam_binding.b": ["update"]}
    stack.apply()
    assert "user:eve@example.com" not in bindings(store)["roles/storage.admin"]
    stack.write(BUCKET % "")
    stack.apply()
    assert {"roles/storage.admin", "roles/storage.objectViewer"}.isdisjoint(bindings(store))


def test_an_authoritative_policy_takes_the_legacy_roles_away(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(
        BUCKET % ""
        + """
data "google_iam_policy" "p" {
  binding {
    role    = "roles/storage.admin"
    members = ["user:ada@example.com"]
  }
}
resource "google_storage_bucket_iam_policy" "p" {
  bucket      = google_storage_bucket.b.name
  policy_data = data.google_iam_policy.p.policy_data
}
"""
    )
    stack.apply()
    assert bindings(store) == {"roles/storage.admin": ["user:ada@example.com"]}
    assert stack.plan()[0] == 0
    store.set_bucket_policy("team-b", {"bindings": []})
    assert actions(stack.plan()[1]) == {"google_storage_bucket_iam_policy.p": ["update"]}


def test_managed_folders(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "" + FOLDER)
    stack.apply()
    (granted,) = store.get_managed_folder_policy("team-b", "dev/")["bindings"]
    assert granted["role"] == "roles/storage.objectUser"
    assert stack.plan()[0] == 0
    store.set_managed_folder_policy("team-b", "dev/", {"bindings": []})
    assert actions(stack.plan()[1]) == {"google_storage_managed_folder_iam_member.m": ["create"]}
    store.insert_object("team-b", "dev/x", b"data")
    failed = stack.run("destroy", "-auto-approve", "-target=google_storage_managed_folder.f", code=1)
    assert "is not empty" in failed.err


@pytest.mark.parametrize(
    ("address", "import_id"),
    [
        ("google_storage_bucket.b", "team-b"),
        ("google_storage_bucket.b", "demo-dev/team-b"),
        ("google_storage_bucket_iam_member.m", "b/team-b roles/storage.objectViewer user:ada@example.com"),
        ("google_storage_managed_folder.f", "team-b/managedFolders/dev/"),
        (
            "google_storage_managed_folder_iam_member.m",
            "b/team-b/managedFolders/dev/ roles/storage.objectUser "
            "serviceAccount:apply@demo-dev.iam.gserviceaccount.com",
        ),
    ],
)
def test_import(stack: SimulatedRoot, address: str, import_id: str) -> None:
    body = BUCKET % "" + FOLDER + MEMBER
    stack.write(body)
    stack.apply()
    before = comparable(stack.values()[address])
    stack.run("state", "rm", address)
    stack.run("import", address, import_id)
    assert comparable(stack.values()[address]) == before
    assert stack.plan()[0] == 0


def comparable(values: dict[str, Any]) -> dict[str, Any]:
    """Without what an import cannot know, and what counts changes of the bucket that others make."""
    ignored = ("terraform_labels", "bucket", "etag", "updated", "update_time", "metageneration")
    return {
        name: value for name, value in values.items() if name not in ignored and value not in (None, False)
    }


def test_data_source(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write('data "google_storage_bucket" "b" {\n  name = "team-b"\n}\n')
    assert "Error 404" in stack.run("plan", code=1).err
    store.create_bucket("demo-dev", {"name": "team-b", "location": "EU", "labels": {"a": "b"}})
    stack.write(
        'data "google_storage_bucket" "b" {\n  name = "team-b"\n}\n'
        'output "b" {\n  value = [data.google_storage_bucket.b.location, '
        "data.google_storage_bucket.b.labels]\n}\n"
    )
    stack.apply()
    assert json.loads(stack.run("output", "-json").out)["b"]["value"] == ["EU", {"a": "b"}]


def test_the_store_denies_access_in_its_own_words(stack: SimulatedRoot, store: GcsStore) -> None:
    stack.write(BUCKET % "" + MEMBER.replace("user:ada", "ada"))
    failed = " ".join(stack.apply(code=1).err.split())
    assert "googleapi: Error 400: Invalid argument: member ada@example.com., invalid" in failed
    with pytest.raises(GcsError):
        store.get_bucket("nothing")

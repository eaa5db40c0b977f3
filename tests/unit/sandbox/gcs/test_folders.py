"""Managed folders and IAM policies, by HTTP as the google provider asks for them."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.gcs.store import GcsError, GcsStore
from tests.unit.sandbox.gcs.conftest import BUCKET, Call

FOLDERS = f"/storage/v1/b/{BUCKET}/managedFolders"
IAM = f"/storage/v1/b/{BUCKET}/iam"
VIEWER = {"role": "roles/storage.objectViewer", "members": ["serviceAccount:a@acme.example"]}


def test_a_managed_folder_lives_and_dies(call: Call) -> None:
    json = call("POST", FOLDERS, {"name": "dev/state"}).json
    assert json["name"] == "dev/state/"
    assert json["id"] == f"{BUCKET}/dev/state/"
    assert (json["kind"], json["bucket"], json["metageneration"]) == ("storage#managedFolder", BUCKET, "1")
    assert call("POST", FOLDERS, {"name": "dev/state/"}).status == 409
    for path in ("dev%2Fstate%2F", "dev/state/", "dev%2Fstate"):
        assert call("GET", f"{FOLDERS}/{path}").json == json
    assert call("GET", f"{FOLDERS}/dev%2F").status == 404
    assert [item["name"] for item in call("GET", FOLDERS, prefix="dev").json["items"]] == ["dev/state/"]
    assert call("GET", f"{FOLDERS}/", prefix="prod").json["items"] == []
    assert call("DELETE", f"{FOLDERS}/dev%2Fstate%2F", ifMetagenerationMatch=7).status == 412
    assert call("DELETE", f"{FOLDERS}/dev%2Fstate%2F", allowNonEmpty="false").status == 204
    assert call("GET", f"{FOLDERS}/dev%2Fstate%2F").status == 404


def test_folders_come_in_pages(server: GcsServer, call: Call) -> None:
    for name in ("a", "b", "c"):
        server.store.insert_managed_folder(BUCKET, name)
    first = call("GET", FOLDERS, pageSize=2).json
    rest = call("GET", FOLDERS, pageSize=2, pageToken=first["nextPageToken"]).json
    assert [item["name"] for item in (*first["items"], *rest["items"])] == ["a/", "b/", "c/"]
    assert "nextPageToken" not in rest


def test_a_folder_in_use_is_deleted_only_on_request(server: GcsServer, call: Call) -> None:
    server.store.insert_managed_folder(BUCKET, "dev")
    server.store.insert_object(BUCKET, "dev/x", b"kept")
    assert call("DELETE", f"{FOLDERS}/dev%2F").status == 409
    assert call("DELETE", f"{FOLDERS}/dev%2F", allowNonEmpty="true").status == 204
    assert server.store.read_object(BUCKET, "dev/x")[1] == b"kept"
    server.store.insert_managed_folder(BUCKET, "prod")
    server.store.insert_managed_folder(BUCKET, "prod/state")
    assert call("DELETE", f"{FOLDERS}/prod%2F").status == 409


def test_a_folder_needs_uniform_access(store: GcsStore) -> None:
    store.create_bucket("acme", {"name": "mixed"})
    with pytest.raises(GcsError, match="uniform bucket-level access"):
        store.insert_managed_folder("mixed", "dev")


def test_a_new_bucket_carries_its_projects_basic_roles(call: Call) -> None:
    policy = call("GET", IAM).json
    assert policy["resourceId"] == f"projects/_/buckets/{BUCKET}"
    assert {
        binding["role"].removeprefix("roles/storage."): binding["members"] for binding in policy["bindings"]
    } == {
        "legacyBucketOwner": ["projectEditor:acme", "projectOwner:acme"],
        "legacyBucketReader": ["projectViewer:acme"],
        "legacyObjectOwner": ["projectEditor:acme", "projectOwner:acme"],
        "legacyObjectReader": ["projectViewer:acme"],
    }


@pytest.mark.parametrize("path", [IAM, f"{FOLDERS}/dev%2F/iam"])
def test_a_policy_is_replaced_only_by_who_has_seen_it(server: GcsServer, call: Call, path: str) -> None:
    server.store.insert_managed_folder(BUCKET, "dev")
    json = call("GET", path, optionsRequestedPolicyVersion=3).json
    new = call("PUT", path, {"bindings": [VIEWER], "etag": json["etag"], "version": 1}).json
    assert (new["bindings"], new["version"]) == ([VIEWER], 1)
    assert new["etag"] != json["etag"]
    stale = call("PUT", path, {"bindings": [], "etag": json["etag"]})
    assert (stale.status, stale.reason) == (412, "conditionNotMet")
    assert call("GET", path).json == new


def test_conditions_are_preserved_and_need_version_3(call: Call) -> None:
    binding = {**VIEWER, "condition": {"title": "t", "expression": "resource.name.startsWith('x')"}}
    refused = call("PUT", IAM, {"bindings": [binding], "version": 1})
    assert (refused.status, "at least 3" in refused.json["error"]["message"]) == (400, True)
    policy = call("PUT", IAM, {"bindings": [binding], "version": 3}).json
    assert (policy["bindings"], policy["version"]) == ([binding], 3)


def test_conditions_need_uniform_access(store: GcsStore) -> None:
    binding = {**VIEWER, "condition": {"title": "t", "expression": "resource.name.startsWith('x')"}}
    policy = {"bindings": [binding], "version": 3}
    store.create_bucket("acme", {"name": "fine-grained"})
    with pytest.raises(GcsError, match=r"412 conditionNotMet: .*enable uniform bucket-level access"):
        store.set_bucket_policy("fine-grained", policy)
    store.set_bucket_policy(BUCKET, policy)
    off = {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}}}
    with pytest.raises(GcsError, match="412"):
        store.patch_bucket(BUCKET, off)
    store.set_bucket_policy(BUCKET, {"bindings": [VIEWER]})
    store.patch_bucket(BUCKET, off)


@pytest.mark.parametrize(
    "binding",
    [{"role": "viewer", "members": ["allUsers"]}, {"role": "roles/storage.admin", "members": ["somebody"]}],
)
def test_malformed_bindings_are_refused(call: Call, binding: object) -> None:
    assert call("PUT", IAM, {"bindings": [binding]}).status == 400


def test_a_policy_change_counts_as_a_change_of_what_it_is_about(server: GcsServer) -> None:
    server.store.insert_managed_folder(BUCKET, "dev")
    server.store.set_bucket_policy(BUCKET, {"bindings": []})
    server.store.set_managed_folder_policy(BUCKET, "dev", {"bindings": []})
    assert server.store.get_bucket(BUCKET)["metageneration"] == "2"
    assert server.store.get_managed_folder(BUCKET, "dev")["metageneration"] == "2"

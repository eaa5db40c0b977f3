"""Buckets: what the service adds, what it keeps as it came, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.gcs.store import GcsError, GcsStore, Preconditions
from tests.unit.sandbox.gcs.conftest import BUCKET, Call, MovableClock

STORED: dict[str, Any] = {
    "lifecycle": {
        "rule": [
            {"action": {"type": "Delete"}, "condition": {"age": 30, "isLive": False, "numNewerVersions": 5}},
            {
                "action": {"type": "SetStorageClass", "storageClass": "NEARLINE"},
                "condition": {"matchesPrefix": ["a/"], "createdBefore": "2026-01-02"},
            },
        ]
    },
    "labels": {"env": "prod", "goog-terraform-provisioned": "true"},
    "cors": [
        {"origin": ["*"], "method": ["GET"], "responseHeader": ["X-A"], "maxAgeSeconds": 3600},
    ],
    "website": {"mainPageSuffix": "index.html", "notFoundPage": "404.html"},
    "encryption": {"defaultKmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
    "billing": {"requesterPays": True},
    "versioning": {"enabled": True},
    "defaultEventBasedHold": True,
    "hierarchicalNamespace": {"enabled": True},
    "logging": {"logBucket": "logs", "logObjectPrefix": "acme"},
    "ipFilter": {"mode": "Disabled"},
    "customPlacementConfig": {"dataLocations": ["US-EAST1", "US-WEST1"]},
    "rpo": "ASYNC_TURBO",
    "storageClass": "COLDLINE",
}


def test_every_stored_field_comes_back_unchanged_after_a_restart(store: GcsStore, tmp_path: Path) -> None:
    created = store.create_bucket("acme", {"name": "kept", "location": "US", **STORED})
    again = GcsStore(tmp_path / "gcs").get_bucket("kept")
    assert again == created
    assert {key: again[key] for key in STORED} == STORED


def test_what_the_service_adds_to_a_bucket(store: GcsStore) -> None:
    bucket = store.create_bucket("acme", {"name": "plain", "location": "europe-west1"})
    assert bucket["kind"] == "storage#bucket"
    assert bucket["id"] == bucket["name"] == "plain"
    assert bucket["selfLink"] == "https://www.googleapis.com/storage/v1/b/plain"
    assert bucket["projectNumber"].isdecimal()
    assert (bucket["location"], bucket["locationType"]) == ("EUROPE-WEST1", "region")
    assert (bucket["storageClass"], bucket["metageneration"]) == ("STANDARD", "1")
    assert bucket["timeCreated"] == bucket["updated"] == "2026-01-02T03:04:05.678Z"
    assert bucket["iamConfiguration"] == {
        "bucketPolicyOnly": {"enabled": False},
        "publicAccessPrevention": "inherited",
        "uniformBucketLevelAccess": {"enabled": False},
    }
    assert bucket["softDeletePolicy"] == {
        "retentionDurationSeconds": "604800",
        "effectiveTime": "2026-01-02T03:04:05.678Z",
    }
    assert "rpo" not in bucket


@pytest.mark.parametrize(
    ("location", "kind"),
    [("us", "multi-region"), ("eu", "multi-region"), ("nam4", "dual-region"), ("us-east1", "region")],
)
def test_a_location_has_a_type(store: GcsStore, location: str, kind: str) -> None:
    bucket = store.create_bucket("acme", {"name": "placed", "location": location})
    assert (bucket["location"], bucket["locationType"]) == (location.upper(), kind)
    assert bucket.get("rpo") == (None if kind == "region" else "DEFAULT")


def test_times_of_a_section_move_only_when_it_does(store: GcsStore, clock: MovableClock) -> None:
    first = store.get_bucket(BUCKET)
    clock.forward(hours=1)
    same = store.patch_bucket(BUCKET, {"softDeletePolicy": {"retentionDurationSeconds": 604800}})
    other = store.patch_bucket(BUCKET, {"softDeletePolicy": {"retentionDurationSeconds": "86400"}})
    assert same["softDeletePolicy"] == first["softDeletePolicy"]
    assert other["softDeletePolicy"]["effectiveTime"] == "2026-01-02T04:04:05.678Z"
    assert same["iamConfiguration"] == first["iamConfiguration"]
    lock = first["iamConfiguration"]["uniformBucketLevelAccess"]
    assert lock == {"enabled": True, "lockedTime": "2026-04-02T03:04:05.678Z"}
    access = {"uniformBucketLevelAccess": {"enabled": False}}
    off = store.patch_bucket(BUCKET, {"iamConfiguration": access})
    assert off["iamConfiguration"]["uniformBucketLevelAccess"] == {"enabled": False}


def test_the_time_of_autoclass_changes_with_its_class(store: GcsStore, clock: MovableClock) -> None:
    def update_time(change: dict[str, object]) -> str:
        clock.forward(seconds=1)
        patched = store.patch_bucket(BUCKET, {"autoclass": change})
        return str(patched["autoclass"]["terminalStorageClassUpdateTime"])

    first = update_time({"enabled": True, "terminalStorageClass": "ARCHIVE"})
    assert update_time({"enabled": True}) == first
    assert update_time({"terminalStorageClass": "NEARLINE"}) > first


def test_a_patch_merges_and_null_removes(store: GcsStore) -> None:
    store.patch_bucket(
        BUCKET, {"labels": {"a": "1", "b": "2"}, **{k: STORED[k] for k in ("cors", "website")}}
    )
    bucket = store.patch_bucket(BUCKET, {"labels": {"a": None, "c": "3"}, "cors": None})
    assert bucket["labels"] == {"b": "2", "c": "3"}
    assert "cors" not in bucket
    assert bucket["website"] == STORED["website"]
    assert (bucket["metageneration"], bucket["versioning"]) == ("3", {"enabled": True})


def test_an_update_replaces(store: GcsStore) -> None:
    store.patch_bucket(BUCKET, {"labels": {"a": "1"}})
    bucket = store.update_bucket(BUCKET, {"name": BUCKET, "labels": {"b": "2"}, "metageneration": "99"})
    assert (bucket["labels"], bucket["metageneration"]) == ({"b": "2"}, "3")
    assert "versioning" not in bucket


def test_a_location_cannot_be_changed(store: GcsStore) -> None:
    assert store.patch_bucket(BUCKET, {"location": "us"})["location"] == "US"
    with pytest.raises(GcsError, match="location cannot be changed"):
        store.patch_bucket(BUCKET, {"location": "EU"})


def test_names_collide_as_in_a_cloud(call: Call) -> None:
    answer = call("POST", "/storage/v1/b", {"name": BUCKET}, project="other")
    assert (answer.status, answer.reason) == (409, "conflict")
    assert "bucket name is not available" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "name", ["", "ab", "Upper", "-a-", "a" * 64, "google-x", "a..b", "a/b", "white space"]
)
def test_bad_names_are_refused(store: GcsStore, name: str) -> None:
    with pytest.raises(GcsError, match="400 invalid"):
        store.create_bucket("acme", {"name": name})


def test_only_an_empty_bucket_can_be_deleted(store: GcsStore) -> None:
    store.insert_object(BUCKET, "a", b"1")
    store.delete_object(BUCKET, "a")
    with pytest.raises(GcsError, match="409 conflict: The bucket you tried to delete is not empty"):
        store.delete_bucket(BUCKET)
    (generation,) = (version["generation"] for version in _versions(store))
    store.delete_object(BUCKET, "a", int(generation))
    store.delete_bucket(BUCKET)
    with pytest.raises(GcsError, match="404 notFound: The specified bucket does not exist"):
        store.get_bucket(BUCKET)


def test_a_deleted_bucket_is_gone_after_a_restart_and_its_name_is_free(
    store: GcsStore, tmp_path: Path
) -> None:
    store.delete_bucket(BUCKET)
    again = GcsStore(tmp_path / "gcs")
    assert again.list_buckets() == []
    assert again.create_bucket("acme", {"name": BUCKET})["metageneration"] == "1"


def test_buckets_are_listed_by_project_and_prefix(call: Call) -> None:
    for name, project in (("acme-one", "acme"), ("acme-two", "other"), ("zed", "acme")):
        assert call("POST", "/storage/v1/b", {"name": name}, project=project).status == 200
    names = [
        item["name"] for item in call("GET", "/storage/v1/b", project="acme", prefix="acme").json["items"]
    ]
    assert names == ["acme-one", BUCKET]


def test_a_locked_retention_policy_stays(store: GcsStore) -> None:
    store.patch_bucket(BUCKET, {"retentionPolicy": {"retentionPeriod": 60}})
    locked = store.lock_retention_policy(BUCKET, when=Preconditions(metageneration_match=2))
    assert locked["retentionPolicy"] == {
        "retentionPeriod": "60",
        "isLocked": True,
        "effectiveTime": "2026-01-02T03:04:05.678Z",
    }
    for changes in ({"retentionPolicy": None}, {"retentionPolicy": {"retentionPeriod": 59}}):
        with pytest.raises(GcsError, match="403"):
            store.patch_bucket(BUCKET, changes)
    with pytest.raises(GcsError, match="403"):
        store.update_bucket(BUCKET, {"labels": {"a": "1"}})
    longer = store.patch_bucket(BUCKET, {"retentionPolicy": {"retentionPeriod": "61"}})
    assert (longer["retentionPolicy"]["retentionPeriod"], longer["retentionPolicy"]["isLocked"]) == (
        "61",
        True,
    )


def test_a_project_has_a_service_agent(call: Call) -> None:
    answer = call("GET", "/storage/v1/projects/acme/serviceAccount").json
    number = call("GET", f"/storage/v1/b/{BUCKET}").json["projectNumber"]
    assert answer["email_address"] == f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"


def test_the_google_provider_may_ask_for_caches_and_the_layout(call: Call) -> None:
    assert call("GET", f"/storage/v1/b/{BUCKET}/anywhereCaches/").json == {"kind": "storage#anywhereCaches"}
    layout = call("GET", f"/storage/v1/b/{BUCKET}/storageLayout").json
    assert (layout["bucket"], layout["location"]) == (BUCKET, "US")


def _versions(store: GcsStore) -> list[dict[str, Any]]:
    from orchestrator.sandbox.gcs.store import Query

    return store.list_objects(BUCKET, Query(versions=True)).items

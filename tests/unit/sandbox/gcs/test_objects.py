"""Objects in the store: generations, versions, deletion and its undoing, metadata, names, restarts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.sandbox.gcs.store import GcsError, GcsStore, Preconditions, Query
from tests.unit.sandbox.gcs.conftest import BUCKET, MovableClock


def generations(store: GcsStore, *, versions: bool = False, soft_deleted: bool = False) -> list[str]:
    query = Query(versions=versions, soft_deleted=soft_deleted)
    return [item["generation"] for item in store.list_objects(BUCKET, query).items]


def test_an_object_has_what_the_service_gives_it(store: GcsStore) -> None:
    stored = store.insert_object(BUCKET, "dev/a b.txt", b"hello", {"contentType": "text/plain"})
    assert stored["id"] == f"{BUCKET}/dev/a b.txt/{stored['generation']}"
    assert stored["selfLink"] == f"https://www.googleapis.com/storage/v1/b/{BUCKET}/o/dev%2Fa%20b.txt"
    assert (stored["size"], stored["contentType"], stored["metageneration"]) == (
        "5",
        "text/plain",
        "1",
    )
    assert (stored["md5Hash"], stored["crc32c"]) == ("XUFAKrxLKna5cZ2REBfFkg==", "mnG7TA==")
    assert stored["timeCreated"] == "2026-01-02T03:04:05.678Z"


def test_generations_rise_even_when_the_clock_stands_or_goes_back(
    store: GcsStore, clock: MovableClock, tmp_path: Path
) -> None:
    numbers = [int(store.insert_object(BUCKET, "a", b"1")["generation"]) for _ in range(3)]
    clock.forward(days=-1)
    numbers.append(int(store.insert_object(BUCKET, "a", b"2")["generation"]))
    numbers.append(
        int(GcsStore(tmp_path / "gcs", clock=clock).insert_object(BUCKET, "a", b"3")["generation"])
    )
    assert numbers == sorted(set(numbers))


def test_versions_can_be_listed_read_and_restored(store: GcsStore) -> None:
    first = store.insert_object(BUCKET, "a", b"one", {"metadata": {"n": "1"}})
    second = store.insert_object(BUCKET, "a", b"two")
    assert generations(store) == [second["generation"]]
    assert generations(store, versions=True) == [first["generation"], second["generation"]]
    old, data = store.read_object(BUCKET, "a", int(first["generation"]))
    assert (data, old["timeDeleted"]) == (b"one", "2026-01-02T03:04:05.678Z")
    back = store.copy_object((BUCKET, "a"), (BUCKET, "a"), generation=int(first["generation"]))
    assert (store.read_object(BUCKET, "a")[1], back["metadata"]) == (b"one", {"n": "1"})
    assert len(generations(store, versions=True)) == 3


def test_a_copy_keeps_the_metadata_unless_it_is_given_other(store: GcsStore) -> None:
    store.insert_object(BUCKET, "a", b"one", {"metadata": {"n": "1"}, "contentType": "text/x"})
    same = store.copy_object((BUCKET, "a"), (BUCKET, "b"), {"storageClass": "NEARLINE", "name": "b"})
    other = store.copy_object((BUCKET, "a"), (BUCKET, "c"), {"metadata": {"m": "2"}})
    assert (same["metadata"], same["contentType"], same["storageClass"]) == ({"n": "1"}, "text/x", "NEARLINE")
    assert (other["metadata"], other["contentType"]) == ({"m": "2"}, "application/octet-stream")


def test_a_move_leaves_a_soft_deleted_object_behind(store: GcsStore) -> None:
    source = store.insert_object(BUCKET, "a", b"one", {"metadata": {"n": "1"}, "storageClass": "NEARLINE"})
    store.insert_object(BUCKET, "taken", b"two")
    with pytest.raises(GcsError, match="412"):
        store.move_object(BUCKET, "a", "b", source_when=Preconditions(generation_match=1))
    with pytest.raises(GcsError, match="412"):
        store.move_object(BUCKET, "a", "taken", when=Preconditions(generation_match=0))
    with pytest.raises(GcsError, match="400"):
        store.move_object(BUCKET, "a", "a")

    moved = store.move_object(BUCKET, "a", "b/c")

    assert (moved["metadata"], moved["storageClass"]) == ({"n": "1"}, "NEARLINE")
    assert moved["generation"] != source["generation"]
    assert store.read_object(BUCKET, "b/c")[1] == b"one"
    with pytest.raises(GcsError, match="404"):
        store.get_object(BUCKET, "a")
    assert store.get_object(BUCKET, "a", int(source["generation"]))["timeDeleted"]


def test_a_delete_keeps_the_version_and_a_generation_goes_for_good(store: GcsStore) -> None:
    stored = store.insert_object(BUCKET, "a", b"one")
    number = int(stored["generation"])
    store.delete_object(BUCKET, "a")
    with pytest.raises(GcsError, match=f"404 notFound: No such object: {BUCKET}/a"):
        store.get_object(BUCKET, "a")
    assert store.get_object(BUCKET, "a", number)["timeDeleted"]
    store.insert_object(BUCKET, "a", b"new", when=Preconditions(generation_match=0))
    store.delete_object(BUCKET, "a", number)
    with pytest.raises(GcsError, match="404"):
        store.get_object(BUCKET, "a", number)


def test_deleting_the_live_generation_by_its_number_keeps_no_version(store: GcsStore) -> None:
    stored = store.insert_object(BUCKET, "a", b"one")
    store.delete_object(BUCKET, "a", int(stored["generation"]))
    assert generations(store, versions=True) == []
    assert generations(store, soft_deleted=True) == [stored["generation"]]


def test_without_versioning_an_overwrite_is_soft_deleted_and_can_be_restored(
    store: GcsStore, clock: MovableClock
) -> None:
    store.patch_bucket(BUCKET, {"versioning": None})
    first = store.insert_object(BUCKET, "a", b"one")
    store.insert_object(BUCKET, "a", b"two")
    assert generations(store, versions=True) != [first["generation"]]
    assert generations(store, soft_deleted=True) == [first["generation"]]
    soft_deleted = store.get_soft_deleted(BUCKET, "a", int(first["generation"]))
    assert soft_deleted["hardDeleteTime"] == "2026-01-09T03:04:05.678Z"
    store.restore_object(BUCKET, "a", int(first["generation"]))
    assert store.read_object(BUCKET, "a")[1] == b"one"
    clock.forward(days=8)
    assert generations(store, soft_deleted=True) == []


def test_with_soft_deletion_off_what_is_deleted_is_gone(store: GcsStore, tmp_path: Path) -> None:
    store.patch_bucket(BUCKET, {"versioning": None, "softDeletePolicy": {"retentionDurationSeconds": "0"}})
    stored = store.insert_object(BUCKET, "a", b"one")
    store.delete_object(BUCKET, "a")
    assert generations(store, soft_deleted=True) == []
    assert not list(tmp_path.glob(f"gcs/buckets/{BUCKET}/objects/*"))
    with pytest.raises(GcsError, match="404"):
        store.restore_object(BUCKET, "a", int(stored["generation"]))


def test_a_patch_makes_no_new_generation(store: GcsStore, clock: MovableClock) -> None:
    stored = store.insert_object(BUCKET, "a", b"one", {"metadata": {"a": "1", "b": "2"}})
    clock.forward(seconds=1)
    changed = store.patch_object(
        BUCKET, "a", {"metadata": {"a": None, "c": "3"}, "cacheControl": "no-store", "size": "999"}
    )
    assert changed["generation"] == stored["generation"]
    assert (changed["metageneration"], changed["size"]) == ("2", "3")
    assert changed["metadata"] == {"b": "2", "c": "3"}
    assert (changed["updated"], changed["timeCreated"]) != (
        stored["updated"],
        stored["updated"],
    )
    assert changed["etag"] != stored["etag"]
    assert "metadata" not in store.patch_object(BUCKET, "a", {"metadata": None})


def test_an_update_replaces_the_metadata(store: GcsStore) -> None:
    store.insert_object(BUCKET, "a", b"one", {"metadata": {"a": "1"}, "cacheControl": "no-store"})
    changed = store.update_object(BUCKET, "a", {"metadata": {"b": "2"}, "contentType": "text/plain"})
    assert changed["metadata"] == {"b": "2"}
    assert "cacheControl" not in changed


def test_custom_metadata_may_be_8_kib_and_no_more(store: GcsStore) -> None:
    value = "v" * (8 * 1024 - 1)
    store.insert_object(BUCKET, "a", b"", {"metadata": {"k": value}})
    with pytest.raises(GcsError, match="metadataTooLarge"):
        store.insert_object(BUCKET, "a", b"", {"metadata": {"kk": value}})
    with pytest.raises(GcsError, match="metadataTooLarge"):
        store.patch_object(BUCKET, "a", {"metadata": {"j": "x"}})
    assert store.get_object(BUCKET, "a")["metageneration"] == "1"


@pytest.mark.parametrize("field", ["md5Hash", "crc32c"])
def test_a_wrong_checksum_is_refused_and_nothing_is_written(store: GcsStore, field: str) -> None:
    right = store.insert_object(BUCKET, "a", b"one")[field]
    store.insert_object(BUCKET, "b", b"one", {field: right})
    with pytest.raises(GcsError, match="doesn't match calculated"):
        store.insert_object(BUCKET, "c", b"two", {field: right})
    assert store.live_object(BUCKET, "c") is None


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\rb", "x" * 1025, ".well-known/acme-challenge/a"])
def test_bad_names_are_refused(store: GcsStore, name: str) -> None:
    with pytest.raises(GcsError, match="400"):
        store.insert_object(BUCKET, name, b"")


@pytest.mark.parametrize("name", ["x" * 1024, "ü/✓ a%2Fb?#", "../../up", "a//b/", "A", "a", "con.json"])
def test_any_other_name_survives_a_restart(store: GcsStore, tmp_path: Path, name: str) -> None:
    stored = store.insert_object(BUCKET, name, b"data")
    assert GcsStore(tmp_path / "gcs").read_object(BUCKET, name) == (stored, b"data")


def test_everything_survives_a_restart(store: GcsStore, tmp_path: Path) -> None:
    store.insert_object(BUCKET, "a", b"one")
    store.insert_object(BUCKET, "a", b"two")
    store.delete_object(BUCKET, "a")
    store.insert_object(BUCKET, "b", b"x", {"metadata": {"k": "v"}})
    store.patch_object(BUCKET, "b", {"metadata": {"k": "w"}})
    store.insert_managed_folder(BUCKET, "dev")
    store.set_bucket_policy(BUCKET, {"bindings": []})
    again = GcsStore(tmp_path / "gcs")
    every = Query(versions=True)
    assert again.list_objects(BUCKET, every) == store.list_objects(BUCKET, every)
    assert again.get_bucket(BUCKET) == store.get_bucket(BUCKET)
    assert again.get_bucket_policy(BUCKET) == store.get_bucket_policy(BUCKET)
    assert again.list_managed_folders(BUCKET) == store.list_managed_folders(BUCKET)


def test_a_death_between_the_writes_of_an_overwrite_leaves_one_live_version(
    store: GcsStore, tmp_path: Path
) -> None:
    store.insert_object(BUCKET, "a", b"one")
    (old,) = tmp_path.glob(f"gcs/buckets/{BUCKET}/objects/*/*.json")
    before = old.read_text()
    store.insert_object(BUCKET, "a", b"two")
    old.write_text(before)
    again = GcsStore(tmp_path / "gcs")
    assert again.read_object(BUCKET, "a")[1] == b"two"
    assert len(generations(again)) == 1


def test_of_many_writers_with_one_precondition_one_wins(store: GcsStore) -> None:
    def write(number: int) -> int:
        try:
            store.insert_object(BUCKET, "lock", b"%d" % number, when=Preconditions(generation_match=0))
        except GcsError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(40))) == [200] + [412] * 39


def test_objects_can_be_composed(store: GcsStore) -> None:
    store.insert_object(BUCKET, "a", b"one")
    old = store.get_object(BUCKET, "a")["generation"]
    store.insert_object(BUCKET, "a", b"two")
    parts = [{"name": "a", "generation": old}, {"name": "a"}]
    composed = store.compose_object(BUCKET, "ab", parts, {"contentType": "text/plain"})
    assert store.read_object(BUCKET, "ab")[1] == b"onetwo"
    assert (composed["componentCount"], composed["contentType"]) == (2, "text/plain")
    assert "md5Hash" not in composed
    with pytest.raises(GcsError, match="400"):
        store.compose_object(BUCKET, "none", [])


def test_a_composition_may_replace_one_of_its_parts(store: GcsStore) -> None:
    """google-cloud-storage sends the resource that it has, checksums of the old data included."""
    before = store.insert_object(BUCKET, "a", b"one", {"contentType": "text/plain"})
    store.insert_object(BUCKET, "b", b"two")
    composed = store.compose_object(BUCKET, "a", [{"name": "a"}, {"name": "b"}], before)
    assert store.read_object(BUCKET, "a")[1] == b"onetwo"
    assert (composed["contentType"], composed["crc32c"] != before["crc32c"]) == (
        "text/plain",
        True,
    )
    assert "contentType" not in store.compose_object(BUCKET, "c", [{"name": "a"}])


def test_a_kms_key_comes_from_the_upload_or_the_bucket(store: GcsStore) -> None:
    key, other = (
        "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "projects/p/locations/l/keyRings/r/cryptoKeys/o",
    )
    store.patch_bucket(BUCKET, {"encryption": {"defaultKmsKeyName": key}})
    assert store.insert_object(BUCKET, "a", b"x")["kmsKeyName"] == f"{key}/cryptoKeyVersions/1"
    stored = store.insert_object(BUCKET, "a", b"x", {"kmsKeyName": other})
    assert stored["kmsKeyName"] == f"{other}/cryptoKeyVersions/1"


def test_what_is_returned_is_the_callers_own(store: GcsStore) -> None:
    stored = store.insert_object(BUCKET, "a", b"one", {"metadata": {"k": "v"}})
    stored["metadata"]["k"] = "changed"
    store.list_objects(BUCKET).items[0]["metadata"]["k"] = "changed"
    assert store.get_object(BUCKET, "a")["metadata"] == {"k": "v"}

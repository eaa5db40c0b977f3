"""Plan objects, seals and keys: written once, named by a check, and never guessed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import StateError
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.folder import Folder
from orchestrator.state.gcs import Bucket
from orchestrator.state.plan_objects import TRUNK, PlanObjects, digest_key, hash_of_objects

HEAD = "a" * 40
PLANNER = "serviceAccount:plan@p.iam.gserviceaccount.com"
APPLIER = "serviceAccount:apply@p.iam.gserviceaccount.com"
# The rights that the module for the state bucket gives; see infra/modules/state-bucket.
GRANTS = {
    "prod/": [("roles/storage.objectUser", APPLIER)],
    "prod/ledger/": [("roles/storage.objectViewer", PLANNER)],
    "prod/plans/": [("roles/storage.objectCreator", PLANNER), ("roles/storage.objectViewer", PLANNER)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "ledger")


def test_an_object_is_written_once_and_read_by_its_run(folder: Folder) -> None:
    objects = PlanObjects(folder, "prod", "acme/prod")
    name = objects.create(12, HEAD, "prod/net/inner", "77-1", b"one")
    assert name == f"acme/prod/plans/12/{HEAD}/net%2Finner/77-1.json"
    with pytest.raises(StateError, match="none is ever written twice"):
        objects.create(12, HEAD, "prod/net/inner", "77-1", b"two")
    objects.create(12, HEAD, "prod/app", "77-1", b"app")
    objects.create(12, HEAD, "prod/app", "77-2", b"again")
    objects.create(13, HEAD, "prod/app", "77-1", b"other")
    objects.create(TRUNK, HEAD, "prod/app", "77-1", b"trunk")
    assert objects.of_run(12, HEAD, "77-1") == {"prod/net/inner": b"one", "prod/app": b"app"}
    assert objects.of_run(12, HEAD, "77-2") == {"prod/app": b"again"}
    assert objects.of_run(TRUNK, HEAD, "77-1") == {"prod/app": b"trunk"}
    assert objects.of_run(12, "b" * 40, "77-1") == {}


def test_an_environment_that_is_a_stack_is_distinguished_from_one_of_its_name(folder: Folder) -> None:
    objects = PlanObjects(folder, "prod", "prod")
    for stack in ("prod", "prod/prod", "prod/prod/prod"):
        objects.create(1, HEAD, stack, "1-1", stack.encode())
    assert objects.of_run(1, HEAD, "1-1") == {
        "prod": b"prod",
        "prod/prod": b"prod/prod",
        "prod/prod/prod": b"prod/prod/prod",
    }


def test_a_stack_is_not_read_out_of_a_deeper_name(folder: Folder) -> None:
    folder.write(f"prod/plans/1/{HEAD}/a/b/1-1.json", b"x")
    assert PlanObjects(folder, "prod", "prod").of_run(1, HEAD, "1-1") == {}


@pytest.mark.parametrize("word", ["", "../x", "a/b", "a b", ".", "-x", "a\n"])
def test_no_part_of_a_name_leads_elsewhere(folder: Folder, word: str) -> None:
    objects = PlanObjects(folder, "prod", "prod")
    for given_ in ((word, HEAD, "1-1"), ("1", word, "1-1"), ("1", HEAD, word)):
        with pytest.raises(StateError):
            objects.create(given_[0], given_[1], "prod/app", given_[2], b"")


IDS = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), st.sampled_from("123"), max_size=4
)


@given(IDS, IDS)
def test_two_hashes_are_equal_exactly_when_their_objects_are(
    first: dict[str, str], second: dict[str, str]
) -> None:
    whole = [{stack: digit * 64 for stack, digit in digits.items()} for digits in (first, second)]
    assert (hash_of_objects(whole[0]) == hash_of_objects(whole[1])) == (first == second)


def test_the_key_is_made_once_whoever_asks_first(folder: Folder) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: digest_key(folder, "prod"), range(16)))
    (key,) = keys
    assert len(key) == 32
    assert digest_key(folder, "dev") != key
    blob = folder.read("prod/ledger/digest.key")
    assert blob is not None
    assert blob.data.decode().strip() == key.hex()


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64, b"Z" * 64])
def test_a_broken_key_is_not_used(folder: Folder, content: bytes) -> None:
    folder.write("prod/ledger/digest.key", content or b" ")
    with pytest.raises(StateError, match="is not a key"):
        digest_key(folder, "prod")


def test_the_accounts_of_the_bucket(tmp_path: Path) -> None:
    """A planner reads the key and adds plan objects; it can make no key, and change no plan."""
    with GcsServer(tmp_path) as server:
        server.store.create_bucket("p", {"name": "states", "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True}}})  # fmt: skip
        for name, grants in GRANTS.items():
            server.store.insert_managed_folder("states", name)
            bindings = [{"role": role, "members": [member]} for role, member in grants]
            server.store.set_managed_folder_policy("states", name, {"bindings": bindings})
        planner, applier = (
            Bucket("states", {"STORAGE_EMULATOR_HOST": server.url_of(member)})
            for member in (PLANNER, APPLIER)
        )
        with pytest.raises(StateError, match=r"no prod/ledger/digest\.key yet") as refused:
            digest_key(planner, "prod")
        assert "infra bootstrap" in refused.value.advice
        key = digest_key(applier, "prod")
        assert digest_key(planner, "prod") == key

        objects = PlanObjects(planner, "prod", "prod")
        name = objects.create(1, HEAD, "prod/app", "1-1", json.dumps({"a": 1}).encode())
        with pytest.raises(StateError, match="none is ever written twice"):
            objects.create(1, HEAD, "prod/app", "1-1", b"forged")
        for attempt in (
            lambda: planner.write(name, b"forged"),
            lambda: planner.delete(name),
            lambda: planner.write("prod/ledger/digest.key", b"forged"),
        ):
            with pytest.raises(StateError, match="Google refused"):
                attempt()
        for reader in (planner, applier):
            assert PlanObjects(reader, "prod", "prod").of_run(1, HEAD, "1-1") == {"prod/app": b'{"a": 1}'}

"""What a bootstrap checks, on a bucket that is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.run.bootstrap_checks import check_bucket
from orchestrator.run.doctoring import Check
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.bucket import look_at
from orchestrator.state.gcs import Bucket

pytestmark = pytest.mark.filterwarnings("ignore:You are using a Python version:FutureWarning")

EMAIL = "dev-plan@example.iam.gserviceaccount.com"
ATTESTS = "attest@example.iam.gserviceaccount.com"
OUTPUTS = {"accounts": {"dev": {"plan": EMAIL}}, "attest_account": ATTESTS}
GOOD = {
    "versioning": {"enabled": True},
    "iamConfiguration": {
        "uniformBucketLevelAccess": {"enabled": True},
        "publicAccessPrevention": "enforced",
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    server = GcsServer(tmp_path / "gcs")
    server.start()
    yield server
    server.close()


def checks(server: GcsServer, outputs: Mapping[str, Any] = OUTPUTS) -> dict[str, list[Check]]:
    """The checks by name."""
    environ = {"STORAGE_EMULATOR_HOST": server.url, "PATH": ""}
    found: dict[str, list[Check]] = {}
    for check in check_bucket(
        "states",
        environ,
        outputs,
        lambda who: {"STORAGE_EMULATOR_HOST": server.url_of(f"serviceAccount:{who}")},
    ):
        found.setdefault(check.name, []).append(check)
    return found


def give(server: GcsServer, role: str, folder: str | None = None, email: str = EMAIL) -> None:
    """Give an account, the plan account if not said, a role on the bucket, or on a folder of it."""
    binding = {"role": f"roles/storage.{role}", "members": [f"serviceAccount:{email}"]}
    if folder is None:
        server.store.set_bucket_policy("states", {"bindings": [binding]})
        return
    server.store.insert_managed_folder("states", folder)
    server.store.set_managed_folder_policy("states", folder, {"bindings": [binding]})


def test_a_good_bucket_has_nothing_to_complain_about(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    give(server, "objectViewer", "dev/state/")
    give(server, "objectViewer", "dev/plans/", ATTESTS)
    give(server, "objectCreator", "dev/attestations/", ATTESTS)

    found = checks(server)

    assert {check.status for every in found.values() for check in every} == {"ok"}
    assert found.keys() == {"bucket", "lock", "dev plan account", "attest account"}
    assert server.store.list_objects("states").items == [], "a check left something behind"


def test_each_protection_that_is_missing_is_named_with_its_cure(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states"})

    cures = [check.advice for check in checks(server)["bucket"] if check.status == "error"]

    assert cures == [
        "gcloud storage buckets update gs://states --versioning",
        "gcloud storage buckets update gs://states --uniform-bucket-level-access",
        "gcloud storage buckets update gs://states --public-access-prevention",
    ]


@pytest.mark.parametrize(
    ("role", "folder", "told"),
    [
        ("objectUser", "dev/", "can write states"),
        ("objectViewer", None, "can read the bootstrap's state"),
        ("objectCreator", "dev/plans/", "cannot read states"),
    ],
)
def test_a_plan_account_with_other_rights_is_told(
    server: GcsServer, role: str, folder: str | None, told: str
) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    give(server, role, folder)

    (check,) = checks(server)["dev plan account"]

    assert check.status == "error"
    assert told in check.message
    assert server.store.list_objects("states").items == []


@pytest.mark.parametrize(
    ("rights", "told"),
    [
        ((), "cannot add attestations"),
        ((("objectCreator", "dev/attestations/"),), "cannot read the plans"),
        ((("objectUser", "dev/attestations/"),), "can change attestations"),
        ((("objectCreator", "dev/"),), "can write plans"),
        ((("objectCreator", "dev/attestations/"), ("objectViewer", "dev/")), "can read the states"),
    ],
)
def test_an_account_that_attests_with_other_rights_is_told(
    server: GcsServer, rights: tuple[tuple[str, str], ...], told: str
) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    for role, folder in rights:
        give(server, role, folder, ATTESTS)

    (check,) = checks(server)["attest account"]

    assert check.status == "error"
    assert f"{ATTESTS} {told}" in check.message
    assert server.store.list_objects("states").items == []


def test_a_bootstrap_without_an_account_that_attests_is_told(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    (check,) = checks(server, {"accounts": OUTPUTS["accounts"]})["attest account"]
    assert (check.status, "nothing can be approved" in check.message) == ("error", True)


def test_without_accounts_that_is_said(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})

    assert [check.status for check in checks(server, {})["accounts"]] == ["warning"]


def test_a_bucket_is_missing_or_refused(server: GcsServer) -> None:
    assert look_at(Bucket("states", {"STORAGE_EMULATOR_HOST": server.url})) == "missing"
    server.store.create_bucket("p", {"name": "states"})
    stranger = server.url_of("serviceAccount:x@y.iam.gserviceaccount.com")
    assert look_at(Bucket("states", {"STORAGE_EMULATOR_HOST": stranger})) == "refused"
    assert [check.status for check in checks(server, {})["bucket"]] == ["error"] * 3

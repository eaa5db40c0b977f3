"""What a bootstrap checks, on a bucket that is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.report.doctor_check import DoctorCheck
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.scaffold.bootstrap_checks import check_access
from orchestrator.scaffold.bootstrap_locations import BucketFolder, EnvironmentLocations, Locations
from orchestrator.state.bucket_access import read_settings
from orchestrator.state.gcs import Bucket

pytestmark = pytest.mark.filterwarnings("ignore:You are using a Python version:FutureWarning")

EMAIL = "dev-plan@example.iam.gserviceaccount.com"
ATTESTS = "attest@example.iam.gserviceaccount.com"
OUTPUTS = {"accounts": {"dev": {"plan": EMAIL}}, "attest_account": ATTESTS}
USUAL = Locations()
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


def checks(
    server: GcsServer, outputs: Mapping[str, Any] = OUTPUTS, locations: Locations = USUAL
) -> dict[str, list[DoctorCheck]]:
    """The checks by name."""
    environ = {"STORAGE_EMULATOR_HOST": server.url, "PATH": ""}
    by_name: dict[str, list[DoctorCheck]] = {}
    for check in check_access(
        "states",
        environ,
        outputs,
        lambda who: {"STORAGE_EMULATOR_HOST": server.url_of(f"serviceAccount:{who}")},
        locations,
    ):
        by_name.setdefault(check.name, []).append(check)
    return by_name


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

    by_name = checks(server)

    assert {check.status for every in by_name.values() for check in every} == {"ok"}
    assert by_name.keys() == {"bucket", "lock", "dev plan account", "attest account"}
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
    ("role", "folder", "message"),
    [
        ("objectUser", "dev/", "can write states"),
        ("objectViewer", None, "can read the bootstrap's state"),
        ("objectCreator", "dev/plans/", "cannot read states"),
    ],
)
def test_a_plan_account_with_other_rights_is_reported(
    server: GcsServer, role: str, folder: str | None, message: str
) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    give(server, role, folder)

    (check,) = checks(server)["dev plan account"]

    assert check.status == "error"
    assert message in check.message
    assert server.store.list_objects("states").items == []


@pytest.mark.parametrize(
    ("rights", "message"),
    [
        ((), "cannot add attestations"),
        ((("objectCreator", "dev/attestations/"),), "cannot read the plans"),
        ((("objectUser", "dev/attestations/"),), "can change attestations"),
        ((("objectCreator", "dev/"),), "can write plans"),
        ((("objectCreator", "dev/attestations/"), ("objectViewer", "dev/")), "can read the states"),
    ],
)
def test_an_account_that_attests_with_other_rights_is_reported(
    server: GcsServer, rights: tuple[tuple[str, str], ...], message: str
) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    for role, folder in rights:
        give(server, role, folder, ATTESTS)

    (check,) = checks(server)["attest account"]

    assert check.status == "error"
    assert f"{ATTESTS} {message}" in check.message
    assert server.store.list_objects("states").items == []


def test_a_bootstrap_without_an_account_that_attests_is_reported(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    (check,) = checks(server, {"accounts": OUTPUTS["accounts"]})["attest account"]
    assert (check.status, "nothing can be approved" in check.message) == ("error", True)


def test_without_accounts_that_is_reported(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})

    assert [check.status for check in checks(server, {})["accounts"]] == ["warning"]


def test_a_bucket_is_missing_or_refused(server: GcsServer) -> None:
    assert read_settings(Bucket("states", {"STORAGE_EMULATOR_HOST": server.url})) == "missing"
    server.store.create_bucket("p", {"name": "states"})
    stranger = server.url_of("serviceAccount:x@y.iam.gserviceaccount.com")
    assert read_settings(Bucket("states", {"STORAGE_EMULATOR_HOST": stranger})) == "refused"
    assert [check.status for check in checks(server, {})["bucket"]] == ["error"] * 3


APART = EnvironmentLocations((BucketFolder("own", "dev"),), (BucketFolder("own", ""),))


def test_an_existing_bucket_keeps_its_settings_and_its_accounts_are_checked(server: GcsServer) -> None:
    """Its protection is a warning; one environment may have all of it, and the bootstrap's stays closed."""
    server.store.create_bucket("p", {"name": "states", **GOOD})
    uniform = {"uniformBucketLevelAccess": {"enabled": True}}
    server.store.create_bucket("p", {"name": "own", "iamConfiguration": uniform})
    binding = {"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{EMAIL}"]}
    server.store.set_bucket_policy("own", {"bindings": [binding]})

    result = checks(server, locations=Locations({"dev": APART}, ("own",)))

    assert [(check.status, check.message) for check in result["bucket"] if check.status != "ok"] == [
        ("warning", "gs://own: not so that old versions are kept"),
        ("warning", "gs://own: not so that nothing can be made public"),
    ]
    assert result["dev plan account"][0].status == "ok"
    assert "cannot add attestations in gs://own/dev" in result["attest account"][0].message


def test_environments_that_reach_each_other_are_named(server: GcsServer) -> None:
    server.store.create_bucket("p", {"name": "states", **GOOD})
    shared = BucketFolder("states", "app")
    locations = {
        name: EnvironmentLocations((BucketFolder("states", name),), (shared,)) for name in ("dev", "prod")
    }
    outputs = {**OUTPUTS, "accounts": {"dev": {"plan": EMAIL}, "prod": {"plan": EMAIL}}}

    result = checks(server, outputs, Locations(locations))

    assert [check.message for check in result["environments"]] == [
        "the accounts of dev reach gs://states/app of prod",
        "the accounts of prod reach gs://states/app of dev",
    ]

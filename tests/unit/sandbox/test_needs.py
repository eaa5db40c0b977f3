"""What a project needs of its sandbox, and what a state file says of types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.sandbox.needs import Account, Needs, ResourceTypes, resources_in_state, types_in_state

GOOGLE = "registry.terraform.io/hashicorp/google"


def state(*resources: dict[str, Any]) -> bytes:
    return json.dumps({"version": 4, "resources": resources}).encode()


def resource(type_: str, mode: str = "managed") -> dict[str, Any]:
    return {"mode": mode, "type": type_, "name": "this", "instances": [{}, {}]}


def test_needs_survive_the_way_to_the_sandbox() -> None:
    needs = Needs(
        buckets=("states",),
        accounts=(Account("dev", "plan", "states", "plan@example.com"),),
        providers=(GOOGLE,),
        types=ResourceTypes(frozenset({"google_x", "google_a"}), frozenset({"google_y"})),
    )

    assert Needs.of(json.loads(json.dumps(needs.document()))) == needs


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (
            "plan",
            {
                ("prod/state/", "roles/storage.objectViewer"),
                ("prod/ledger/", "roles/storage.objectViewer"),
                # It finds what it planned before, and cannot replace it.
                ("prod/plans/", "roles/storage.objectViewer"),
                ("prod/plans/", "roles/storage.objectCreator"),
                ("prod/attestations/", "roles/storage.objectViewer"),
                ("prod/promotion/", "roles/storage.objectViewer"),
                ("prod/drift/", "roles/storage.objectViewer"),
                ("staging/promotion/", "roles/storage.objectViewer"),
            },
        ),
        (
            "apply",
            {
                ("prod/", "roles/storage.objectUser"),
                ("staging/promotion/", "roles/storage.objectViewer"),
            },
        ),
        (
            "attest",
            {
                ("prod/plans/", "roles/storage.objectViewer"),
                ("prod/attestations/", "roles/storage.objectCreator"),
            },
        ),
        (
            "drift",
            {
                ("prod/state/", "roles/storage.objectViewer"),
                ("prod/ledger/", "roles/storage.objectViewer"),
                ("prod/drift/", "roles/storage.objectUser"),
            },
        ),
    ],
)
def test_an_account_has_the_rights_of_its_role(role: str, rights: set[tuple[str, str]]) -> None:
    account = Account("prod", role, "states", before="staging")

    assert set(account.rights()) == rights
    assert account.name == ("attest" if role == "attest" else f"prod:{role}")
    assert not [right for right in Account("prod", role, "states").rights() if "staging" in right[0]]


def test_an_account_is_the_one_that_infra_yaml_names() -> None:
    account = Account("prod", "plan", "states", "planner@p.iam.gserviceaccount.com")

    assert account.member == "serviceAccount:planner@p.iam.gserviceaccount.com"
    assert Account("prod", "plan", "states").member != Account("prod", "apply", "states").member


def test_a_state_names_its_types() -> None:
    data = state(
        resource("google_compute_network"),
        resource("google_project", mode="data"),
        resource("random_id"),
        resource("terraform_data"),
        resource("terraform_remote_state", mode="data"),
    )

    assert types_in_state(data) == ResourceTypes(
        frozenset({"google_compute_network", "random_id"}), frozenset({"google_project"})
    )
    assert resources_in_state(data) == 6


@pytest.mark.parametrize("data", [b"", b"no json", b"[]", b'{"resources": null}', b'{"resources": [3, {}]}'])
def test_what_is_no_state_names_no_types(data: bytes) -> None:
    assert types_in_state(data) == ResourceTypes()
    assert resources_in_state(data) == 0


def test_types_add_up() -> None:
    both = ResourceTypes(frozenset({"a"})) | ResourceTypes(frozenset({"b"}), frozenset({"c"}))

    assert both == ResourceTypes(frozenset({"a", "b"}), frozenset({"c"}))

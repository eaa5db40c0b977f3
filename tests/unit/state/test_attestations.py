"""Attestations in the bucket: written once, read back with their time, and of their own head and run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.errors import StateError
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects
from tests.support.memory_storage import MemoryStorage

HEAD = "a" * 40
ONE = Attestation(7, HEAD, "50-2", "50-1", {"prod/app": "b" * 64})
NAME = f"acme/prod/attestations/7/{HEAD}/50-2.json"


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def attestations(storage: MemoryStorage) -> Attestations:
    return Attestations.beside(PlanObjects(storage, "prod", "acme/prod"))


def test_one_is_read_back_with_the_time_of_its_creation(
    storage: MemoryStorage, attestations: Attestations
) -> None:
    attestations.create(ONE)
    assert list(storage.objects) == [NAME]
    assert attestations.of_head(7, HEAD) == [replace(ONE, posted="2026-11-30T12:00:00Z")]
    assert attestations.of_head(8, HEAD) == attestations.of_head(7, "c" * 40) == []


def test_none_is_written_twice(storage: MemoryStorage, attestations: Attestations) -> None:
    attestations.create(ONE)
    before = storage.objects[NAME]
    with pytest.raises(StateError, match="none is ever written twice"):
        attestations.create(replace(ONE, plans={"prod/app": "e" * 64}))
    assert storage.objects[NAME] is before


@pytest.mark.parametrize("run", ["", "../50-2", "50/2", "a b"])
def test_no_run_leads_elsewhere(storage: MemoryStorage, attestations: Attestations, run: str) -> None:
    with pytest.raises(StateError):
        attestations.create(replace(ONE, run=run))
    assert storage.objects == {}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"pull_request": 8},
        {"head": "c" * 40},
        {"run": "50-3"},
        {"plan_run": "../1"},
        {"plan_run": 7},
        {"plans": {"prod/app": "no hash"}},
        {"plans": {"prod/app": 7}},
        {"plans": ["prod/app"]},
        {"plans": None},
    ],
    ids=str,
)
def test_one_that_is_not_its_own_names_nothing(
    storage: MemoryStorage, attestations: Attestations, change: dict[str, object]
) -> None:
    attestations.create(ONE)
    content = json.loads(storage.objects[NAME].data) | change
    storage.write(NAME, json.dumps(content).encode())
    (attestation,) = attestations.of_head(7, HEAD)
    assert (attestation.run, attestation.plans) == ("50-2", {})
    assert "cannot be read" in attestation.problem


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_none_names_nothing(storage: MemoryStorage, attestations: Attestations, data: bytes) -> None:
    storage.write(NAME, data)
    (attestation,) = attestations.of_head(7, HEAD)
    assert attestation.plans == {}
    assert "cannot be read" in attestation.problem

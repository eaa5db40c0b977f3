"""Promotion records in a folder that behaves like a bucket: conditional writes, one listing, bad objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.state.folder import Folder
from orchestrator.state.promotion_store import CheckResult, PromotionRecord, PromotionStore, Skip

A, B = "a" * 40, "b" * 40
PASSED = CheckResult("passed", "2026-01-01T00:00:00Z", "R-1")


@pytest.fixture
def store(tmp_path: Path) -> PromotionStore:
    return PromotionStore(Folder(tmp_path), "dev", "acme/dev")


def test_a_record_is_read_as_it_was_written(store: PromotionStore) -> None:
    assert store.record(A) is None
    skip = Skip("ada", "the probe is down", "2026-01-01T00:00:00Z", "R-1")
    written = store.update(
        A, lambda record: replace(record, checks={"smoke": PASSED}, soaked_until="x", skipped=skip)
    )
    assert store.record(A) == written
    assert store.records() == [written]
    assert (written.checks["smoke"].result, written.skipped) == ("passed", skip)


def test_the_object_has_the_shape_of_the_contract(store: PromotionStore, tmp_path: Path) -> None:
    store.update(A, lambda record: replace(record, checks={"smoke": PASSED}))
    content = json.loads((tmp_path / f"acme/dev/promotion/{A}.json").read_text())
    assert content.keys() == {"version", "checks", "soaked_until", "skipped"}
    assert content["checks"]["smoke"].keys() >= {"result", "at", "run"}


def test_another_run_that_writes_meanwhile_is_not_overwritten(store: PromotionStore) -> None:
    """The write is conditional on what was read; the change is made again on what is there then."""
    calls: list[PromotionRecord] = []

    def change(record: PromotionRecord) -> PromotionRecord:
        if not calls:
            store.update(A, lambda other: replace(other, soaked_until="theirs"))
        calls.append(record)
        return replace(record, checks={"smoke": PASSED})

    written = store.update(A, change)
    assert (len(calls), written.soaked_until) == (2, "theirs")


def test_a_large_record_is_read_from_its_object(store: PromotionStore) -> None:
    many = {f"check {number}": replace(PASSED, message="x" * 200) for number in range(60)}
    store.update(A, lambda record: replace(record, checks=many))
    store.update(B, lambda record: replace(record, checks={"smoke": PASSED}))
    assert {record.commit: len(record.checks) for record in store.records()} == {A: 60, B: 1}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"version": 1}',
        '{"version": 1, "checks": []}',
        '{"version": 1, "checks": {"a": {"result": "fine", "at": "", "run": ""}}}',
        '{"version": 1, "checks": {"a": 1}}',
        '{"version": 1, "checks": {}, "soaked_until": 5}',
        '{"version": 99, "checks": {}}',
    ],
)
def test_what_is_no_record_never_passes_for_one(store: PromotionStore, tmp_path: Path, content: str) -> None:
    path = tmp_path / f"acme/dev/promotion/{A}.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(StateError):
        store.record(A)


def test_other_objects_are_passed_over(store: PromotionStore, tmp_path: Path) -> None:
    path = tmp_path / "acme/dev/promotion/notes.json"
    path.parent.mkdir(parents=True)
    path.write_text("?")
    assert store.records() == []

"""Holds and retention: what keeps an object, until when, and what may be changed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.gcs.store import GcsError, GcsStore
from tests.unit.sandbox.gcs.conftest import BUCKET, MovableClock

PARTS = [{"name": "part"}]


def assert_kept(store: GcsStore, reason: str, bucket: str = BUCKET) -> None:
    """Neither a delete nor anything that overwrites gets past."""
    generation = int(store.get_object(bucket, "a")["generation"])
    store.insert_object(bucket, "part", b"p")
    for act in (
        lambda: store.delete_object(bucket, "a"),
        lambda: store.delete_object(bucket, "a", generation),
        lambda: store.insert_object(bucket, "a", b"two"),
        lambda: store.copy_object((bucket, "part"), (bucket, "a")),
        lambda: store.compose_object(bucket, "a", PARTS),
    ):
        with pytest.raises(GcsError, match=f"403 {reason}"):
            act()
    assert store.read_object(bucket, "a")[1] == b"one"


@pytest.mark.parametrize("hold", ["temporaryHold", "eventBasedHold"])
def test_a_hold_keeps_an_object_until_it_is_released(store: GcsStore, hold: str) -> None:
    store.insert_object(BUCKET, "a", b"one")
    store.patch_object(BUCKET, "a", {hold: True})
    assert_kept(store, "objectUnderActiveHold")
    store.patch_object(BUCKET, "a", {"metadata": {"k": "v"}, hold: False})
    store.delete_object(BUCKET, "a")


def test_a_retention_policy_keeps_what_is_there_already_too(store: GcsStore, clock: MovableClock) -> None:
    store.insert_object(BUCKET, "a", b"one")
    clock.forward(seconds=10)
    store.patch_bucket(BUCKET, {"retentionPolicy": {"retentionPeriod": 60}})
    listed = [item["retentionExpirationTime"] for item in store.list_objects(BUCKET).items]
    assert (
        listed == [store.get_object(BUCKET, "a")["retentionExpirationTime"]] == ["2026-01-02T03:05:05.678Z"]
    )
    assert_kept(store, "retentionPolicyNotMet: .* until 2026-01-02T03:05:05.678Z")
    clock.forward(seconds=50)
    store.insert_object(BUCKET, "a", b"two")


def test_a_default_hold_stops_the_period_which_starts_at_the_release(
    store: GcsStore, clock: MovableClock
) -> None:
    store.patch_bucket(BUCKET, {"retentionPolicy": {"retentionPeriod": 60}, "defaultEventBasedHold": True})
    stored = store.insert_object(BUCKET, "a", b"one")
    assert (stored["eventBasedHold"], "retentionExpirationTime" in stored) == (True, False)
    clock.forward(hours=1)
    released = store.patch_object(BUCKET, "a", {"eventBasedHold": False})
    assert released["retentionExpirationTime"] == "2026-01-02T04:05:05.678Z"
    assert not [key for key in released if "eleased" in key]
    with pytest.raises(GcsError, match="403 retentionPolicyNotMet"):
        store.delete_object(BUCKET, "a")
    clock.forward(seconds=60)
    store.delete_object(BUCKET, "a")


def retained(store: GcsStore, mode: str) -> None:
    """`locked/a`, retained for an hour."""
    store.create_bucket("acme", {"name": "locked"}, object_retention=True)
    until = "2026-01-02T04:04:05Z"
    store.insert_object("locked", "a", b"one", {"retention": {"mode": mode, "retainUntilTime": until}})


def test_an_objects_own_retention_keeps_it(store: GcsStore, clock: MovableClock) -> None:
    retained(store, "Unlocked")
    assert_kept(store, "forbidden", "locked")
    clock.forward(hours=1)
    store.delete_object("locked", "a")


@pytest.mark.parametrize(
    ("mode", "change", "override", "allowed"),
    [
        ("Unlocked", {"retainUntilTime": "2026-01-02T05:00:00Z"}, False, True),
        ("Unlocked", {"retainUntilTime": "2026-01-02T04:00:00Z"}, False, False),
        ("Unlocked", {"retainUntilTime": "2026-01-02T04:00:00Z"}, True, True),
        ("Unlocked", None, False, False),
        ("Unlocked", {"mode": None, "retainUntilTime": None}, True, True),
        ("Unlocked", {"mode": "Locked"}, False, True),
        ("Locked", {"retainUntilTime": "2026-01-02T05:00:00Z"}, False, True),
        ("Locked", {"retainUntilTime": "2026-01-02T04:00:00Z"}, True, False),
        ("Locked", {"mode": "Unlocked"}, True, False),
        ("Locked", None, True, False),
    ],
)
def test_a_retention_is_weakened_only_where_it_may_be(
    store: GcsStore, mode: str, change: Any, override: bool, allowed: bool
) -> None:
    retained(store, mode)
    before = store.get_object("locked", "a")["retention"]
    if allowed:
        store.patch_object("locked", "a", {"retention": change}, override_retention=override)
        return
    with pytest.raises(GcsError, match="403 forbidden"):
        store.patch_object("locked", "a", {"retention": change}, override_retention=override)
    assert store.get_object("locked", "a")["retention"] == before


def test_a_retention_may_be_sent_back_as_it_was_read(store: GcsStore) -> None:
    store.create_bucket("acme", {"name": "locked"}, object_retention=True)
    until = "2026-01-02T04:00:00.000Z"
    sent = {"mode": "Unlocked", "retainUntilTime": until, "retentionExpirationTime": until}

    assert store.insert_object("locked", "a", b"x", {"retention": sent})["retention"] == {
        "mode": "Unlocked",
        "retainUntilTime": until,
    }
    cleared = store.patch_object(
        "locked", "a", {"retention": {"mode": None, "retainUntilTime": None}}, override_retention=True
    )
    assert "retention" not in cleared


def test_a_retention_needs_a_bucket_that_allows_it_and_both_fields(store: GcsStore) -> None:
    store.create_bucket("acme", {"name": "locked"}, object_retention=True)
    whole = {"mode": "Locked", "retainUntilTime": "2026-01-02T04:04:05Z"}
    for bucket, fields in (
        (BUCKET, whole),
        ("locked", {"mode": "Locked"}),
        ("locked", {**whole, "mode": "x"}),
    ):
        with pytest.raises(GcsError, match="400"):
            store.insert_object(bucket, "a", b"x", {"retention": fields})

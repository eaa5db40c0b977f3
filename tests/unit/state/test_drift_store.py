"""The memory of drift: what is written is read again, one listing tells all, nobody overwrites another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.state.drift_store import (
    EPISODES,
    DriftedResourceRecord,
    DriftLog,
    DriftRecord,
    DriftRun,
    Episode,
    Heartbeat,
    heartbeat_of,
)
from orchestrator.state.folder import Folder
from orchestrator.state.storage import PreconditionFailed

SEEN = DriftedResourceRecord("a_b.c", "changed", "reverted", ("x", "y[0].z"), "2026-01-01T00:00:00Z")
RECORD = DriftRecord(
    stack="dev/app",
    checked_at="2026-01-02T00:00:00Z",
    result="drifted",
    digest="d",
    counts={"reverted": 2},
    now=Episode("2026-01-01T00:00:00Z", resources=(SEEN,)),
    past=(Episode("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", "fixed outside", 0, (SEEN,)),),
)


@pytest.fixture
def log(tmp_path: Path) -> DriftLog:
    return DriftLog(Folder(tmp_path), "dev")


def test_a_record_is_read_as_it_was_written(log: DriftLog) -> None:
    assert log.record("dev/app") is None
    save = log.save(RECORD)
    assert log.record("dev/app") == save
    assert log.records(whole=True) == {"dev/app": save}
    assert log.records() == {"dev/app": replace(save, past=())}
    assert [blob.name for blob in log.storage.list("dev/")] == ["dev/drift/stacks/app.json"]


def test_two_checks_at_once_do_not_overwrite_each_other(log: DriftLog) -> None:
    save = log.save(RECORD)
    log.save(save)
    with pytest.raises(PreconditionFailed):
        log.save(save)
    with pytest.raises(PreconditionFailed):
        log.save(RECORD)


def test_the_history_is_saved_up_to_a_limit_and_counted_beyond(log: DriftLog) -> None:
    past = tuple(Episode(f"{1000 + year}-01-01T00:00:00Z") for year in range(EPISODES + 7))
    save = log.save(replace(RECORD, past=past))
    assert (len(save.past), save.forgotten) == (EPISODES, 7)
    assert save.past[-1] == past[-1]
    assert log.record("dev/app") == save


def test_a_record_too_large_for_metadata_is_read_whole(log: DriftLog) -> None:
    many = tuple(replace(SEEN, address=f"a_b.c[{number}]") for number in range(200))
    save = log.save(replace(RECORD, now=Episode("2026-01-01T00:00:00Z", resources=many)))
    assert log.records() == {"dev/app": save}


def test_a_record_of_a_newer_version_is_refused_with_advice(log: DriftLog) -> None:
    log.storage.write("dev/drift/stacks/app.json", b'{"version": 99}')
    with pytest.raises(StateError, match="version 99"):
        log.record("dev/app")


def test_runs_and_heartbeats(log: DriftLog) -> None:
    log.save_run(DriftRun("20260102T030405123Z-abc", "2026-01-02T03:04:05Z", 1.0, "ci", "c"))
    assert [blob.name for blob in log.storage.list("dev/drift/runs/")] == [
        "dev/drift/runs/2026-01/20260102T030405123Z-abc.json"
    ]
    assert log.heartbeat() is None
    beat = Heartbeat("2026-01-02T00:00:00Z", "R", "2026-01-01T00:00:00Z", "dev/app", 2, 1, 0)
    log.beat(beat)
    assert log.heartbeat() == beat


def test_everything_was_checked_since_the_oldest_check() -> None:
    other = replace(RECORD, stack="dev/b", checked_at="2026-01-05T00:00:00Z", result="clean")
    records = {"dev/app": RECORD, "dev/b": other}
    beat = heartbeat_of("R", "now", ["dev/app", "dev/b"], records)
    assert (beat.complete, beat.oldest, beat.drifted) == ("2026-01-02T00:00:00Z", "dev/app", 1)
    missing = heartbeat_of("R", "now", ["dev/app", "dev/b", "dev/c"], records)
    assert (missing.complete, missing.unchecked, missing.stacks) == ("", 1, 3)
    failed = heartbeat_of("R", "now", ["dev/app"], {"dev/app": replace(RECORD, reason="no state")})
    assert (failed.complete, failed.unchecked) == ("2026-01-02T00:00:00Z", 1)

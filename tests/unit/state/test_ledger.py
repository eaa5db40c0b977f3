"""One broken object of a ledger is named, and hides none of the others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.engine.pending import pending_reason
from orchestrator.errors import StateError
from orchestrator.state.drift_store import DriftLog, DriftRecord
from orchestrator.state.folder import Folder
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import LedgerEntry, Operation, RunRecord
from tests.support.memory_storage import MemoryStorage

BROKEN = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'{"version": "x"}',
    b'{"version": 99, "stack": "dev/b"}',
    b'{"version": 1, "stack": 7}',
    b'{"version": 1, "stack": "\\ud800"}',
    b"[" * 100_000,
]
BROKEN_ENTRIES = [
    *BROKEN,
    b'{"version": 1, "stack": "dev/b", "serial": "seven"}',
    b'{"version": 1, "stack": "dev/b", "upstreams": ["x"]}',
    b'{"version": 1, "stack": "dev/b", "operation": "x"}',
]


@pytest.fixture
def storage(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def begun(ledger: Ledger, stack: str) -> LedgerEntry:
    return ledger.begin(stack, Operation("R1", "apply", "planned", "ada", "desk", "c0ffee"), None)


@pytest.mark.parametrize("data", BROKEN_ENTRIES)
def test_a_broken_entry_is_named_beside_the_others(storage: Folder, data: bytes) -> None:
    ledger = Ledger(storage, "dev")
    good = begun(ledger, "dev/a")
    storage.write("dev/ledger/stacks/b.json", data)
    entries = ledger.entries()
    assert entries["dev/a"].operation == good.operation
    broken = entries["dev/b"]
    assert broken.problem.startswith("dev/ledger/stacks/b.json ")
    assert not broken.is_known
    assert pending_reason(broken, "f", {}) in broken.problem
    with pytest.raises(StateError, match=r"stacks/b\.json"):
        ledger.entry("dev/b")


def test_metadata_that_is_broken_is_not_the_object(storage: Folder) -> None:
    ledger = Ledger(storage, "dev")
    begun(ledger, "dev/a")
    name = "dev/ledger/stacks/a.json"
    blob = storage.read(name)
    assert blob is not None
    storage.patch_metadata(name, {"entry": "{"}, if_metageneration=blob.metageneration)
    assert ledger.entries()["dev/a"].problem == ""


def test_an_environment_that_is_a_stack_keeps_its_id(storage: Folder) -> None:
    storage.write("dev/ledger/stacks/dev.json", b"{")
    storage.write("dev/ledger/stacks/net%2Finner.json", b"{")
    assert set(Ledger(storage, "dev").entries()) == {"dev", "dev/net/inner"}


@pytest.mark.parametrize("data", [*BROKEN, b'{"version": 1, "id": "R2", "stacks": []}'])
def test_a_broken_run_is_named_beside_the_others(storage: Folder, data: bytes) -> None:
    ledger = Ledger(storage, "dev")
    month = f"{storage.now():%Y%m}"
    good, bad = f"{month}01T000000Z-a", f"{month}02T000000Z-b"
    ledger.save_run(RunRecord(good, "apply", "ci", "c", "ada", "2026-01-02T00:00:00Z", 1.0, {}))
    folder = f"dev/ledger/runs/{month[:4]}-{month[4:]}"
    storage.write(f"{folder}/{bad}.json", data)
    runs = {run.id: run for run in ledger.runs()}
    assert runs.keys() == {good, bad}
    assert not runs[good].problem
    assert runs[bad].problem.startswith(f"{folder}/{bad}.json ")


@pytest.mark.parametrize("data", [*BROKEN[1:], b'{"version": 1, "stack": "dev/b", "past": [1]}'])
def test_a_broken_drift_record_is_named_beside_the_others(storage: Folder, data: bytes) -> None:
    log = DriftLog(storage, "dev")
    log.save(DriftRecord("dev/a", result="clean"))
    storage.write("dev/drift/stacks/b.json", data)
    records = log.records()
    assert records["dev/a"].result == "clean"
    assert records["dev/b"].reason.startswith("dev/drift/stacks/b.json ")
    # The next check replaces it.
    assert log.save(DriftRecord("dev/b", generation=records["dev/b"].generation)).generation


def test_what_cannot_be_read_is_never_written(storage: Folder) -> None:
    ledger = Ledger(storage, "dev")
    begun(ledger, "dev/a")
    blob = storage.read("dev/ledger/stacks/a.json")
    assert blob is not None
    assert "problem" not in json.loads(blob.data)


def test_an_operation_that_has_just_ended_was_not_cut_off(storage: Folder) -> None:
    living = Ledger(storage, "dev", presence=lambda operation: True)
    mark = begun(living, "dev/a")
    mark = living.mark(mark, Operation("R1", "apply", "applying", "ada", "desk", "c0ffee"))

    def ends_as_it_is_looked_at(operation: Operation) -> bool:
        living.finish(replace(mark, result="applied"))
        return False

    ended, is_live = Ledger(storage, "dev", presence=ends_as_it_is_looked_at).check_liveness(mark)
    assert (ended.result, ended.operation, is_live) == ("applied", None, False)


def test_an_operation_whose_process_is_gone_was_cut_off(storage: Folder) -> None:
    entry = begun(Ledger(storage, "dev"), "dev/a")
    verdict, is_live = Ledger(storage, "dev", presence=lambda operation: False).check_liveness(entry)
    assert (verdict.operation, is_live) == (entry.operation, False)


def run(id_: str, started: str, seconds: float = 1.0) -> RunRecord:
    return RunRecord(id_, "apply", "ci", "c", "ada", started, seconds, {})


def test_runs_of_machines_with_a_wrong_clock_are_listed_by_when_they_were_recorded() -> None:
    """The bucket's clock says 30 November 2026."""
    storage = MemoryStorage()
    ledger = Ledger(storage, "dev")
    for record in (
        run("19710101T000000Z-a", "1971-01-01T00:00:00Z"),
        run("20261130T110000Z-b", "2026-11-30T11:00:00Z"),
        run("22000101T000000Z-c", "2200-01-01T00:00:00Z"),
    ):
        ledger.save_run(record)
        storage.clock += timedelta(minutes=1)
    assert [run.id[-1] for run in ledger.runs(months=1)] == ["c", "a", "b"]
    assert ledger.run("19710101T000000Z-a") == run("19710101T000000Z-a", "1971-01-01T00:00:00Z")


def test_a_run_over_the_end_of_a_month_is_listed_once_as_it_was_recorded_last() -> None:
    storage = MemoryStorage()
    ledger = Ledger(storage, "dev")
    ledger.save_run(run("20261130T110000Z-a", "2026-11-30T11:00:00Z"))
    storage.clock += timedelta(days=1)
    ledger.save_run(run("20261130T110000Z-a", "2026-11-30T11:00:00Z", 7.0))
    (listed,) = ledger.runs(months=2)
    assert listed.seconds == 7.0
    assert [run.id for run in ledger.runs(months=1)] == [listed.id]

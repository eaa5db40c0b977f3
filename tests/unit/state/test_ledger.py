"""One broken object of a ledger is named, and hides none of the others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.run.pending import owed
from orchestrator.state.drift import DriftLog, DriftRecord
from orchestrator.state.folder import Folder
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import Entry, Operation, RunRecord

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


def begun(ledger: Ledger, stack: str) -> Entry:
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
    assert owed(broken, "f", {}) in broken.problem
    with pytest.raises(StateError, match=r"stacks/b\.json"):
        ledger.entry("dev/b")


def test_metadata_that_is_broken_is_not_the_object(storage: Folder) -> None:
    ledger = Ledger(storage, "dev")
    begun(ledger, "dev/a")
    name = "dev/ledger/stacks/a.json"
    found = storage.read(name)
    assert found is not None
    storage.patch_metadata(name, {"entry": "{"}, if_metageneration=found.metageneration)
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
    found = storage.read("dev/ledger/stacks/a.json")
    assert found is not None
    assert "problem" not in json.loads(found.data)


def test_an_operation_that_has_just_ended_was_not_cut_off(storage: Folder) -> None:
    living = Ledger(storage, "dev", presence=lambda operation: True)
    ours = begun(living, "dev/a")
    ours = living.mark(ours, Operation("R1", "apply", "applying", "ada", "desk", "c0ffee"))

    def ends_as_it_is_looked_at(operation: Operation) -> bool:
        living.finish(replace(ours, result="applied"))
        return False

    ended, is_live = Ledger(storage, "dev", presence=ends_as_it_is_looked_at).judge(ours)
    assert (ended.result, ended.operation, is_live) == ("applied", None, False)


def test_an_operation_whose_process_is_gone_was_cut_off(storage: Folder) -> None:
    ours = begun(Ledger(storage, "dev"), "dev/a")
    judged, is_live = Ledger(storage, "dev", presence=lambda operation: False).judge(ours)
    assert (judged.operation, is_live) == (ours.operation, False)

"""A claim's stages against a ledger in memory: whatever happens, the ledger says what really was done."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine.claims import Claim
from orchestrator.errors import InfraError, LockedError, PartialError, StateError
from orchestrator.report.model import Result, StackReport
from orchestrator.repository.model import Backend, Stack
from orchestrator.state.ledger import SILENT_AFTER, Ledger
from orchestrator.state.records import LedgerEntry, Operation
from tests.support.memory_storage import MemoryStorage

STACK = Stack(
    id="dev/app",
    environment="dev",
    name="app",
    path="infra/envs/dev/app",
    shared=False,
    backend=Backend("gcs", declared=True, empty=True),
    backend_config={},
    state="gs://bucket/dev/state/app/default.tfstate",
    var_files=(),
    passed_env=(),
    depends_on=(),
    reads=(),
    required_version=(),
    providers={},
    modules=(),
    lock_file=None,
)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def ledger(storage: MemoryStorage) -> Ledger:
    return Ledger(storage, "dev")


def _operation(run: str = "run-1") -> Operation:
    return Operation(run=run, kind="apply", phase="planned", who="ada", where="laptop", commit="c" * 40)


def _claim(ledger: Ledger, run: str = "run-1") -> Claim:
    before = ledger.entry(STACK.id)
    return Claim(ledger, STACK, before, ledger.begin(STACK.id, _operation(run), before), waited=False)


def _no_lock() -> str:
    return ""


def _applied(ledger: Ledger) -> LedgerEntry:
    """The ledger after a run that applied the stack."""
    claim = _claim(ledger, "run-0")
    claim.announce(_no_lock)
    claim.start()
    claim.finish(replace(claim.entry, result="applied", commit="b" * 40, fingerprint="f0"))
    entry = ledger.entry(STACK.id)
    assert entry is not None
    return entry


def _entry(ledger: Ledger) -> LedgerEntry:
    entry = ledger.entry(STACK.id)
    assert entry is not None
    return entry


@pytest.mark.parametrize("announced", [False, True])
def test_what_never_started_is_given_back(ledger: Ledger, announced: bool) -> None:
    """Interrupted while waiting for a worker, a lock, or Terraform: the ledger says what it said before."""
    before = _applied(ledger)
    claim = _claim(ledger)
    if announced:
        claim.announce(_no_lock)
        assert _entry(ledger).is_unfinished
    claim.close()
    entry = _entry(ledger)
    assert not entry.is_unfinished
    assert entry.operation is None
    assert (entry.commit, entry.result, entry.run) == (before.commit, "applied", "run-0")
    assert claim.has_ended


def test_a_new_stack_that_never_started_is_no_unfinished_one(ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.close()
    entry = _entry(ledger)
    assert not entry.is_unfinished
    assert (entry.is_known, entry.result) == (False, "")


def test_what_started_and_has_no_outcome_stays_unfinished(ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    claim.close()
    assert _entry(ledger).is_unfinished
    assert not claim.has_ended


def test_a_ledger_failure_is_reported_before_terraform_starts(ledger: Ledger) -> None:
    """A machine lost between Terraform's start and the ledger's write would leave what nobody looks for."""
    claim = _claim(ledger)
    with pytest.raises(ValueError, match="planned: it was not announced"):
        claim.start()
    claim.announce(_no_lock)
    operation = _entry(ledger).operation
    assert operation is not None
    assert operation.phase == "applying"
    claim.close()


def test_an_outcome_ends_the_claim(ledger: Ledger) -> None:
    entry = _applied(ledger)
    assert (entry.operation, entry.result, entry.commit, entry.applied_run) == (
        None,
        "applied",
        "b" * 40,
        "run-0",
    )


def test_giving_back_after_the_outcome_changes_nothing(ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    claim.finish(replace(claim.entry, result="failed"))
    claim.give_back()
    claim.close()
    assert _entry(ledger).result == "failed"


def test_an_apply_that_met_a_lock_is_started_again(ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    claim.start()
    claim.give_back()
    assert not _entry(ledger).is_unfinished


def test_what_was_interrupted_before_stays_unfinished_when_given_back(ledger: Ledger) -> None:
    """A resume that does nothing throws nothing away."""
    dead = _claim(ledger, "run-dead")
    dead.announce(_no_lock)
    dead.start()
    dead.close()
    before = _entry(ledger)
    operation = replace(_operation("run-dead"), phase="applying")
    resumed = Claim(
        ledger, STACK, before, ledger.begin(STACK.id, operation, before, resuming=True), waited=False
    )
    resumed.give_back()
    assert _entry(ledger).is_unfinished


def test_a_lock_that_the_dead_run_left_is_not_that_of_the_run_that_resumes(ledger: Ledger) -> None:
    """It is released by then. When Terraform could first run is not known: it may be the dead run's."""
    dead = _claim(ledger, "run-dead")
    dead.announce(_no_lock)
    dead.start()
    dead.entry = ledger.heartbeat(dead.entry, lock="77")
    dead.close()
    before = _entry(ledger)
    assert before.operation
    entry = ledger.begin(STACK.id, before.operation, before, resuming=True)
    resumed = Claim(ledger, STACK, before, entry, waited=False)
    resumed.announce(_no_lock)
    operation = _entry(ledger).operation
    assert operation
    assert (operation.lock, resumed.announced_at) == ("", "")
    resumed.close()


def test_a_ledger_lost_before_terraform_starts_means_that_it_does_not(
    storage: MemoryStorage, ledger: Ledger
) -> None:
    before = _applied(ledger)
    claim = _claim(ledger)
    storage.fails = lambda call, name: call == "write"
    with pytest.raises(StateError):
        claim.announce(_no_lock)
    storage.fails = lambda call, name: False
    claim.close()
    assert _entry(ledger).result == before.result
    assert not _entry(ledger).is_unfinished


def test_a_ledger_lost_at_the_end_leaves_the_stack_unfinished(storage: MemoryStorage, ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    storage.fails = lambda call, name: call == "write"
    with pytest.raises(StateError):
        claim.finish(replace(claim.entry, result="applied"))
    storage.fails = lambda call, name: False
    claim.close()
    assert _entry(ledger).is_unfinished


def test_a_ledger_deleted_under_way_is_made_again(storage: MemoryStorage, ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    storage.objects.clear()
    claim.finish(replace(claim.entry, result="applied", commit="b" * 40))
    assert _entry(ledger).result == "applied"


def test_a_claim_that_was_taken_over_cannot_write_its_outcome(ledger: Ledger) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    taken = _entry(ledger)
    ledger.finish(replace(taken, result="interrupted"))
    with pytest.raises(StateError, match="taken over"):
        claim.finish(replace(claim.entry, result="applied"))
    assert _entry(ledger).result == "interrupted"


@pytest.mark.parametrize(("started", "error"), [(False, None), (True, PartialError)])
def test_the_next_run_is_refused_only_by_what_started(
    storage: MemoryStorage, ledger: Ledger, started: bool, error: type[InfraError] | None
) -> None:
    claim = _claim(ledger)
    claim.announce(_no_lock)
    if started:
        claim.start()
    claim.close()
    dead = Ledger(storage, "dev", presence=lambda operation: False)
    if error is None:
        _claim(dead, "run-2").close()
        return
    with pytest.raises(error, match="run-1"):
        _claim(dead, "run-2")


def test_two_runs_cannot_claim_one_stack(storage: MemoryStorage, ledger: Ledger) -> None:
    claim = _claim(ledger)
    alive = Ledger(storage, "dev", presence=lambda operation: True)
    with pytest.raises(LockedError):
        _claim(alive, "run-2")
    claim.close()


@pytest.mark.parametrize("skew", [-600, 600])
def test_only_the_bucket_s_clock_decides_whether_a_run_lives(
    storage: MemoryStorage, ledger: Ledger, skew: int
) -> None:
    storage.clock = datetime.now(UTC) + timedelta(seconds=skew)
    claim = _claim(ledger)
    claim.announce(_no_lock)
    claim.start()
    try:
        with pytest.raises(LockedError):
            _claim(ledger, "run-2")
        storage.clock += timedelta(seconds=SILENT_AFTER + 1)
        with pytest.raises(PartialError):
            _claim(ledger, "run-2")
    finally:
        claim.close()


def test_a_heartbeat_notes_the_lock(ledger: Ledger) -> None:
    event = threading.Event()

    def lock_generation() -> str:
        event.set()
        return "77"

    before = ledger.entry(STACK.id)
    entry = ledger.begin(STACK.id, _operation(), before)
    claim = Claim(ledger, STACK, before, entry, waited=False, first_beat=0.001)
    claim.announce(lock_generation)
    claim.start()
    assert event.wait(30)
    claim.close()
    operation = _entry(ledger).operation
    assert operation is not None
    assert operation.lock == "77"


def test_a_heartbeat_goes_on_after_one_that_was_lost(storage: MemoryStorage, ledger: Ledger) -> None:
    """Else a run that is at work for an hour would look dead after one answer that did not come."""
    lost, heard = threading.Event(), threading.Event()

    def fails(call: str, name: str) -> bool:
        if call != "patch":
            return False
        (heard if lost.is_set() else lost).set()
        return not heard.is_set()

    before = ledger.entry(STACK.id)
    entry = ledger.begin(STACK.id, _operation(), before)
    claim = Claim(ledger, STACK, before, entry, waited=False, first_beat=0.001, heartbeat=0.001)
    storage.fails = fails
    claim.announce(_no_lock)
    claim.start()
    assert heard.wait(30)
    claim.close()


@pytest.mark.parametrize(
    ("result", "partial", "counts"),
    [
        ("applied", False, {"create": 2}),
        ("destroyed", False, {"create": 2}),
        ("failed", True, {"create": 2}),
        ("failed", False, {}),
        ("aborted", False, {}),
        ("mismatch", False, {}),
    ],
)
def test_the_record_counts_what_was_done(
    ledger: Ledger, result: Result, partial: bool, counts: dict[str, int]
) -> None:
    """What was only planned is no part of the history."""
    report = StackReport(STACK.id, STACK.environment, result, counts={"create": 2}, partial=partial)
    assert _claim(ledger).record(report).counts == counts

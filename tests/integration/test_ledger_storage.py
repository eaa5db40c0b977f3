"""The ledger, in a bucket and in a folder: one at a time, whatever dies, whatever the clocks say."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, LockedError, PartialError, StateError
from orchestrator.sandbox.gcs.faults import read_fault
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.folder import Folder
from orchestrator.state.gcs import Bucket
from orchestrator.state.ledger import SILENT_AFTER, Ledger
from orchestrator.state.records import LedgerEntry, Operation, RunRecord, StackRecord, encode_run
from orchestrator.state.storage import ABSENT, PreconditionFailed, Storage

STACK = "dev/net"
OBJECT = "dev/ledger/stacks/net.json"


class ServerClock:
    """The server's clock; it is years away from this machine's."""

    def __init__(self) -> None:
        self.moment = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ServerClock:
    return ServerClock()


@pytest.fixture
def server(tmp_path: Path, clock: ServerClock) -> Iterator[GcsServer]:
    gcs_server = GcsServer(tmp_path / "gcs", clock=clock)
    gcs_server.start()
    gcs_server.store.create_bucket("p", {"name": "states", "versioning": {"enabled": True}})
    yield gcs_server
    gcs_server.close()


@pytest.fixture
def bucket(server: GcsServer) -> Bucket:
    return Bucket("states", {"STORAGE_EMULATOR_HOST": server.url})


@pytest.fixture(params=["bucket", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Folder(tmp_path / "ledger")
    getfixturevalue: Bucket = request.getfixturevalue("bucket")
    return getfixturevalue


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    return Ledger(storage, "dev")


def operation(run: str = "R1", phase: str = "planned") -> Operation:
    return Operation(run, "apply", phase, "ada", "desk", f"commit-of-{run}", host="desk")  # type: ignore[arg-type]


def cut_off(ledger: Ledger, run: str = "R1") -> LedgerEntry:
    """A run that died while Terraform was applying."""
    begun = ledger.begin(STACK, operation(run), ledger.entry(STACK))
    assert begun.operation
    return ledger.mark(begun, replace(begun.operation, phase="applying"))


def test_an_apply_is_remembered(ledger: Ledger) -> None:
    assert ledger.entry(STACK) is None
    assert ledger.entries() == {}
    heartbeat = cut_off(ledger)
    assert ledger.entry(STACK) == heartbeat
    assert heartbeat.is_unfinished
    heartbeat = ledger.heartbeat(heartbeat, lock="77")
    assert ledger.entry(STACK) == heartbeat
    assert heartbeat.operation
    assert heartbeat.operation.lock == "77"
    done = ledger.finish(replace(heartbeat, result="applied", commit="c", fingerprint="f", serial=3))
    assert ledger.entry(STACK) == done
    assert ledger.entries() == {STACK: done}
    assert done.operation is None
    assert (done.run, done.applied_run, done.attempted) == ("R1", "R1", "commit-of-R1")
    assert done.at == done.applied_at
    assert abs(datetime.fromisoformat(done.at) - ledger.storage.now()) < timedelta(seconds=5)


def test_a_failure_leaves_what_was_applied_before(ledger: Ledger) -> None:
    first = ledger.finish(replace(cut_off(ledger), result="applied", commit="c1"))
    second = ledger.finish(replace(cut_off(ledger, "R2"), result="failed"))
    assert (second.commit, second.applied_run, second.applied_at) == ("c1", "R1", first.applied_at)
    assert (second.result, second.run, second.attempted) == ("failed", "R2", "commit-of-R2")


def test_during_a_run_another_run_learns_who_is_at_work(ledger: Ledger) -> None:
    entry = cut_off(ledger)
    with pytest.raises(LockedError, match=r"dev/net: ada runs apply R1 from desk since 20..-"):
        ledger.begin(STACK, operation("R2"), ledger.entry(STACK))
    with pytest.raises(LockedError, match="R1"):
        ledger.begin(STACK, operation("R2"), None)
    with pytest.raises(LockedError, match="R1"):
        ledger.begin(STACK, operation("R2"), ledger.entry(STACK), resuming=True)
    assert ledger.entry(STACK) == entry


def test_of_two_at_the_same_moment_one_wins(storage: Storage) -> None:
    def attempt(number: int) -> str:
        ledger = Ledger(storage, "dev")
        try:
            entry = ledger.begin(STACK, operation(f"R{number}"), None)
        except LockedError:
            return ""
        return entry.operation.run if entry.operation else ""

    with ThreadPoolExecutor(8) as pool:
        won = [run for run in pool.map(attempt, range(8)) if run]
    entry_after = Ledger(storage, "dev").entry(STACK)
    assert entry_after is not None
    assert entry_after.operation is not None
    assert won == [entry_after.operation.run]


def test_a_run_that_only_planned_is_passed_by_when_it_is_dead(bucket: Bucket, clock: ServerClock) -> None:
    ledger = Ledger(bucket, "dev")
    ledger.begin(STACK, operation("R1"), None)
    clock.wait(SILENT_AFTER + 1)
    taken = ledger.begin(STACK, operation("R2"), ledger.entry(STACK))
    assert taken.operation
    assert taken.operation.run == "R2"


def test_a_run_that_was_cut_off_has_to_be_resumed(bucket: Bucket, clock: ServerClock) -> None:
    ledger = Ledger(bucket, "dev")
    heartbeat = cut_off(ledger)
    clock.wait(SILENT_AFTER - 10)
    heartbeat = ledger.heartbeat(heartbeat)
    clock.wait(SILENT_AFTER - 10)
    # The bucket's clock is what counts, as its last answer told it.
    entry = ledger.entry(STACK)
    assert entry is not None
    assert ledger.is_live(entry)
    clock.wait(20)
    entry = ledger.entry(STACK)
    assert entry is not None
    assert not ledger.is_live(entry)
    assert ledger.silence(entry) == pytest.approx(SILENT_AFTER + 10, abs=2)
    with pytest.raises(PartialError, match="apply R1 by ada was interrupted") as error:
        ledger.begin(STACK, operation("R2"), entry)
    assert "infra resume dev/net" in error.value.advice
    taken = ledger.begin(STACK, operation("R2"), entry, resuming=True)
    assert taken.operation
    assert taken.operation.run == "R2"
    # Whoever was thought dead and is not finds out, and writes nothing.
    with pytest.raises(StateError, match="taken over"):
        ledger.finish(replace(heartbeat, result="applied"))
    with pytest.raises(PreconditionFailed):
        ledger.heartbeat(heartbeat)
    assert ledger.entry(STACK) == taken


def test_what_was_recorded_as_interrupted_has_to_be_resumed(ledger: Ledger) -> None:
    ledger.finish(replace(cut_off(ledger), result="interrupted"))
    with pytest.raises(PartialError, match="the run R1 was interrupted"):
        ledger.begin(STACK, operation("R2"), ledger.entry(STACK))
    ledger.begin(STACK, operation("R2"), ledger.entry(STACK), resuming=True)


@pytest.mark.parametrize("runs", [True, False])
def test_the_process_itself_is_queried_where_it_can_be(
    bucket: Bucket, clock: ServerClock, runs: bool
) -> None:
    ledger = Ledger(bucket, "dev", presence=lambda operation: runs)
    cut_off(ledger)
    clock.wait(SILENT_AFTER * 5 if runs else 0)
    entry = ledger.entry(STACK)
    assert entry is not None
    assert ledger.is_live(entry) is runs


def test_a_ledger_that_somebody_deleted_is_made_again(ledger: Ledger) -> None:
    entry = cut_off(ledger)
    ledger.storage.delete(OBJECT)
    with pytest.raises(PreconditionFailed):
        ledger.heartbeat(entry)
    done = ledger.finish(replace(entry, result="applied", commit="c"))
    assert ledger.entry(STACK) == done


def test_a_listing_reads_what_does_not_fit_into_the_metadata(ledger: Ledger) -> None:
    many = {f"dev/{number}": "0" * 64 for number in range(200)}
    ledger.finish(replace(cut_off(ledger), result="applied", upstreams=many))
    assert ledger.entries()[STACK].upstreams == many


def test_an_environment_that_is_a_stack_and_names_with_slashes(ledger: Ledger) -> None:
    names = ["dev", "dev/a/b", "dev/a", "dev/ü%2F"]
    for name in names:
        ledger.begin(name, operation(), None)
    assert sorted(ledger.entries()) == sorted(names)
    assert all(ledger.entry(name) for name in names)


def test_a_renamed_stack_takes_its_entry_along(ledger: Ledger) -> None:
    assert ledger.move("dev/old", "dev/new") is None
    old = ledger.begin("dev/old", operation(), None)
    with pytest.raises(LockedError):
        ledger.move("dev/old", "dev/new")
    done = ledger.finish(replace(old, result="applied", commit="c"))
    moved = ledger.move("dev/old", "dev/new")
    assert moved is not None
    assert (moved.stack, moved.moved_from, moved.commit) == ("dev/new", "dev/old", done.commit)
    assert list(ledger.entries()) == ["dev/new"]
    assert ledger.move("dev/old", "dev/new") == moved


def test_runs_are_saved_by_month_and_reported_newest_first(ledger: Ledger) -> None:
    month = f"{ledger.storage.now():%Y%m}"

    def record(id: str, stack: str) -> RunRecord:
        return RunRecord(
            id, "apply", "local", "c", "ada", f"{id[:4]}-{id[4:6]}", 1.0, {stack: StackRecord("applied")}
        )

    for id, stack in ((f"{month}01T000000Z-a", STACK), (f"{month}02T000000Z-b", "dev/other")):
        ledger.save_run(record(id, stack))
    # Recorded in that month: what is recorded now is listed now, whatever its machine's clock said.
    old = encode_run(record("20200101T000000Z-c", STACK))
    ledger.storage.write("dev/ledger/runs/2020-01/20200101T000000Z-c.json", old)
    # Both began in the same month; of equal beginnings the later name comes first.
    assert [run.id[-1] for run in ledger.runs()] == ["b", "a"]
    assert [run.id[-1] for run in ledger.runs(STACK)] == ["a"]
    assert ledger.run("20200101T000000Z-c") is not None
    assert ledger.run("20200101T000000Z-d") is None


def test_a_journal_comes_in_batches_that_are_written_once(ledger: Ledger) -> None:
    ledger.append_journal("R1", STACK, 1, [b"one\n", b"two"])
    ledger.append_journal("R1", STACK, 2, [b"three"])
    with pytest.raises(PreconditionFailed):
        ledger.append_journal("R1", STACK, 2, [b"four"])
    assert ledger.journal("R1", STACK) == [b"one", b"two", b"three"]
    assert ledger.journal("R2", STACK) == []


def test_a_rescued_state_is_never_overwritten(ledger: Ledger) -> None:
    first = ledger.rescue("R1", STACK, b"one")
    assert ledger.rescue("R1", STACK, b"one") == first
    second = ledger.rescue("R1", STACK, b"two")
    assert ledger.rescued("R1", STACK) == {first: b"one", second: b"two"}


@pytest.mark.parametrize("cut", ["before", "request", "response", "answer"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_answer_that_is_lost_on_the_way_is_no_loss(
    bucket: Bucket, server: GcsServer, cut: str, method: str
) -> None:
    ledger = Ledger(bucket, "dev")
    server.faults.add(read_fault({"method": method, "path": f"*{OBJECT}*", "count": 1, "cut": cut}))
    heartbeat = ledger.heartbeat(cut_off(ledger))
    done = ledger.finish(replace(heartbeat, result="applied"))
    assert ledger.entry(STACK) == done
    assert len(server.store.list_objects("states").items) == 1


def test_a_request_to_a_busy_service_is_retried(bucket: Bucket, server: GcsServer) -> None:
    server.faults.add(read_fault({"path": f"*{OBJECT}*", "count": 2, "status": 429}))
    assert cut_off(Ledger(bucket, "dev")).generation


def test_a_read_only_account_is_reported_as_read_only(server: GcsServer) -> None:
    cut_off(Ledger(Bucket("states", {"STORAGE_EMULATOR_HOST": server.url}), "dev"))
    reader = "serviceAccount:reader@p.iam.gserviceaccount.com"
    policy = server.store.get_bucket_policy("states")
    policy["bindings"].append({"role": "roles/storage.objectViewer", "members": [reader]})
    server.store.set_bucket_policy("states", policy)
    ledger = Ledger(Bucket("states", {"STORAGE_EMULATOR_HOST": server.url_of(reader)}), "dev")
    entry = ledger.entry(STACK)
    assert entry is not None
    assert ledger.entries() == {STACK: entry}
    with pytest.raises(InfraError, match="Google refused to write"):
        ledger.begin("dev/b", operation(), None)
    with pytest.raises(InfraError, match="Google refused to write"):
        ledger.heartbeat(entry)


def test_versions_of_an_object_are_listed_and_read(bucket: Bucket) -> None:
    first = bucket.write("a/state", b"one", if_generation=ABSENT)
    second = bucket.write("a/state", b"two")
    bucket.write("a/state-of-another", b"x")
    versions = bucket.versions("a/state")
    assert [version.generation for version in versions] == [first.generation, second.generation]
    assert [bool(version.deleted) for version in versions] == [True, False]
    old = bucket.read("a/state", first.generation)
    assert old is not None
    assert old.data == b"one"
    assert bucket.read("a/state", "1") is None
    with pytest.raises(PreconditionFailed):
        bucket.delete("a/state", if_generation=first.generation)
    bucket.delete("a/state", if_generation=second.generation)
    with pytest.raises(PreconditionFailed):
        bucket.delete("a/state", if_generation=second.generation)
    bucket.delete("a/state")


def test_the_time_is_the_service_s(bucket: Bucket, clock: ServerClock) -> None:
    assert abs(bucket.now() - clock.moment) < timedelta(seconds=3)
    clock.wait(3600)
    bucket.stat("anything")
    assert abs(bucket.now() - clock.moment) < timedelta(seconds=3)

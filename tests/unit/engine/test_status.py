"""What `infra status` shows, with the ledger and the states in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.engine.status import StatusReader, TrunkView
from orchestrator.errors import StateError
from orchestrator.repository.loading import load
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.locks import locked_for_move
from orchestrator.state.records import LedgerEntry, Operation, Outcome
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo

FILES = {
    "infra.yaml": """
        backend: {gcs: {bucket: states}}
        environments: {dev: {}, prod: {}}
    """,
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}


class StatesInMemory(States):
    """The states of a project whose every bucket is one storage in memory."""

    storage_in_memory: MemoryStorage

    def bucket(self, location: Location) -> MemoryStorage:  # type: ignore[override]
        """The storage, whatever the bucket's name."""
        return self.storage_in_memory


def _statuses(repo: Repo, storage: MemoryStorage) -> StatusReader:
    project = load(repo.root)
    states = StatesInMemory(project, {"HOME": str(repo.root)})
    states.storage_in_memory = storage
    return StatusReader(project, states, Ledgers(project, states, {"HOME": str(repo.root)}))


def _record(storage: MemoryStorage, stack: str, result: Outcome) -> LedgerEntry:
    environment = stack.partition("/")[0]
    ledger = Ledger(storage, environment)
    operation = Operation("R1", "apply", "planned", "ada", "desk", "c" * 40)
    begun = ledger.begin(stack, operation, ledger.entry(stack))
    return ledger.finish(replace(begun, result=result, commit="c" * 40, fingerprint="f"))


@pytest.mark.parametrize(("result", "expected"), [("applied", ["deleted"]), ("destroyed", [])])
def test_the_last_stack_of_an_environment_stays_visible_after_its_code_went(
    make_repo: MakeRepo, result: Outcome, expected: list[str]
) -> None:
    storage = MemoryStorage()
    _record(storage, "prod/net", result)
    statuses_by_stack = {status.id: status.status for status in _statuses(make_repo(FILES), storage).of()}
    assert statuses_by_stack.pop("dev/net") == "new"
    assert list(statuses_by_stack.items()) == [("prod/net", expected_status) for expected_status in expected]


@pytest.mark.parametrize(
    ("apply", "advice"),
    [
        ("local", "`git switch --detach cccccccccc`, then `infra resume prod/net`."),
        ("ci", "`/infra apply prod` (a comment on a merged pull request"),
    ],
)
def test_an_interrupted_destroy_of_a_deleted_stack_is_unfinished(
    make_repo: MakeRepo, apply: str, advice: str
) -> None:
    """Where only CI applies, the next rollout finishes it: `infra resume` needs its code."""
    storage = MemoryStorage()
    ledger = Ledger(storage, "prod")
    entry = _record(storage, "prod/net", "applied")
    begun = ledger.begin("prod/net", replace(OPERATION, kind="destroy", phase="planned"), entry)
    assert begun.operation
    ledger.mark(begun, replace(begun.operation, phase="applying"))
    storage.clock += timedelta(hours=1)
    setting = "prod: {apply: ci}" if apply == "ci" else "prod: {}"
    config = FILES["infra.yaml"].replace("prod: {}", setting)
    statuses = {row.id: row for row in _statuses(make_repo({**FILES, "infra.yaml": config}), storage).of()}
    status = statuses["prod/net"]
    assert (status.status, status.advice.startswith(advice)) == ("unfinished", True), status.advice


OPERATION = Operation("R2", "apply", "applying", "ada", "desk", "c" * 40)
ENTRY_NAME = "dev/ledger/stacks/net.json"
LOCK = b'{"ID": "1", "Operation": "OperationTypeApply", "Who": "ada@desk", "Created": "2026-11-30T00:00:00Z"}'


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"operation": {**vars(OPERATION), "phase": "dancing"}}, "is not a ledger object of infra"),
        ({"version": 99}, "has version 99"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_and_stays(
    make_repo: MakeRepo, change: dict[str, object], why: str
) -> None:
    """An unknown phase and a newer format: one clear error, and no run takes the stack."""
    storage = MemoryStorage()
    _record(storage, "dev/net", "applied")
    whole = storage.read(ENTRY_NAME)
    assert whole
    data = json.dumps({**json.loads(whole.data), **change}).encode()
    storage.write(ENTRY_NAME, data)
    (status,) = _statuses(make_repo(FILES), storage).of()
    assert (status.status, why in status.why) == ("unreadable", True)
    assert status.advice
    with pytest.raises(StateError, match=why):
        Ledger(storage, "dev").begin("dev/net", OPERATION, None)
    blob = storage.read(ENTRY_NAME)
    assert blob
    assert blob.data == data


def test_a_lock_and_a_state_without_an_entry_name_the_next_step(make_repo: MakeRepo) -> None:
    storage = MemoryStorage()
    storage.write("dev/state/net/default.tflock", LOCK)
    statuses = _statuses(make_repo(FILES), storage)
    (status,) = statuses.of()
    assert (status.status, status.lock and status.lock.who) == ("new", "ada@desk")
    assert "infra unlock dev/net" in status.advice
    storage.write("dev/state/net/default.tfstate", b"{}")
    (status,) = statuses.of()
    assert (status.status, "infra adopt dev/net" in status.advice) == ("unrecorded", True)


def test_the_lock_of_an_interrupted_move_advises_to_repeat_it(make_repo: MakeRepo) -> None:
    storage = MemoryStorage()
    location = Location("states", "dev/state/net/default.tfstate")
    with locked_for_move(storage, location, "dev/net", "R1"):
        (status,) = _statuses(make_repo(FILES), storage).of()
    assert status.advice == "A move of its state was interrupted: the same command again finishes it."


def _adoption_that_died(storage: MemoryStorage) -> LedgerEntry:
    """An adoption has taken a stack that has a state, and its machine died before it was recorded."""
    storage.write("dev/state/net/default.tfstate", b"{}")
    operation = Operation("R1", "adopt", "planned", "ada", "desk", "c" * 40)
    return Ledger(storage, "dev").begin("dev/net", operation, None)


def test_an_interrupted_adoption_leaves_the_stack_unrecorded(make_repo: MakeRepo) -> None:
    storage = MemoryStorage()
    _adoption_that_died(storage)
    storage.clock += timedelta(hours=1)
    (status,) = _statuses(make_repo(FILES), storage).of()
    assert (status.status, "infra adopt dev/net" in status.advice) == ("unrecorded", True)


@pytest.mark.parametrize(("result", "expected"), [("applied", "up-to-date"), ("failed", "pending")])
def test_a_stack_that_trunk_does_not_have_is_checked_by_its_last_run(
    make_repo: MakeRepo, result: Outcome, expected: str
) -> None:
    repo = make_repo(FILES)
    repo.git("checkout", "-q", "-b", "topic")
    repo.commit({"infra/envs/dev/new/main.tf": FILES["infra/envs/dev/net/main.tf"]}, "Add new")
    storage = MemoryStorage()
    _record(storage, "dev/new", result)
    statuses = {status.id: status.status for status in _statuses(repo, storage).of()}
    assert statuses["dev/new"] == expected


def test_an_entry_without_a_state_is_never_up_to_date(make_repo: MakeRepo) -> None:
    storage = MemoryStorage()
    ledger = Ledger(storage, "dev")
    entry = _record(storage, "dev/net", "applied")
    again = ledger.begin("dev/net", OPERATION, entry)
    ledger.finish(replace(again, state_generation="7"))
    (status,) = _statuses(make_repo(FILES), storage).of()
    assert status.status == "blocked"
    assert "there is no state at gs://states/dev/state/net/default.tfstate" in status.why
    assert "infra state history dev/net" in status.advice


@pytest.mark.parametrize(
    ("more", "expected_status"),
    [
        ("", "blocked"),
        ("stacks: {dev/net: {moved_from: 'gs://states/dev/state/net/default.tfstate'}}\n", "pending"),
    ],
)
def test_a_state_in_the_bucket_that_the_code_named_before_is_not_new(
    make_repo: MakeRepo, more: str, expected_status: str
) -> None:
    """A changed bucket with no ledger beside it: `status` says what a plan says, with both locations."""
    old, new = MemoryStorage(), MemoryStorage()
    old.write("dev/state/net/default.tfstate", b'{"version": 4, "serial": 3, "resources": [{}]}')
    repo = make_repo(FILES)
    repo.commit({"infra.yaml": f"backend: {{gcs: {{bucket: other}}}}\n{more}"}, "Another bucket")
    project = load(repo.root)
    environ = {"HOME": str(repo.root)}
    buckets = {"states": old, "other": new}
    states = States(project, environ, lambda at, _: buckets[at.bucket])  # type: ignore[arg-type, return-value]
    (status,) = StatusReader(project, states, Ledgers(project, states, environ)).of()
    assert status.status == expected_status
    for location in ("gs://states/dev/state/net", "gs://other/dev/state/net"):
        assert location in status.why
    assert status.advice


def test_where_only_ci_applies_the_advice_is_what_works_there(make_repo: MakeRepo) -> None:
    files = {**FILES, "infra.yaml": "backend: {gcs: {bucket: states}}\nenvironments: {dev: {apply: ci}}\n"}
    storage = MemoryStorage()
    _record(storage, "dev/net", "interrupted")
    (status,) = _statuses(make_repo(files), storage).of()
    assert (status.status, "`/infra resume dev/net`" in status.advice) == ("unfinished", True)


def test_trunk_is_the_commit_also_where_the_working_tree_has_the_same_files(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    project = load(repo.root)
    trunk = TrunkView.of(project).project
    assert (trunk.tree.commit, trunk.commit) == (project.commit, project.commit)
    assert trunk.fingerprint("dev/net") == project.fingerprint("dev/net")
    repo.write({"infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\nlocals {}\n'})
    changed = load(repo.root)
    assert TrunkView.of(changed).project.fingerprint("dev/net") != changed.fingerprint("dev/net")

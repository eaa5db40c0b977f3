"""The versions of a state: which run wrote which, and which are restored, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.session import Session
from orchestrator.engine.state_versions import find_restore, restore, runs_by_generation
from orchestrator.errors import InfraError, MismatchError, StateError, UsageError
from orchestrator.process import Completed
from orchestrator.repository.loading import load
from orchestrator.repository.model import Stack
from orchestrator.state.records import RunRecord, StackRecord, unreadable_run
from orchestrator.state.storage import Blob
from orchestrator.terraform.client import Workdir
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

STACK = "dev/app"


def _run(id_: str, before: int | None, after: int | None, generation: str = "") -> RunRecord:
    record = StackRecord("applied", serial_before=before, serial_after=after, generation_after=generation)
    return RunRecord(id_, "apply", "local", "c" * 40, "ada", "2026-11-30T00:00:00Z", 1.0, {STACK: record})


def test_a_later_run_that_left_the_state_alone_wrote_nothing() -> None:
    runs = [_run("run-2", 4, 4, "g4"), _run("run-1", 3, 4, "g4")]
    assert runs_by_generation(runs, STACK) == {"g4": "run-1", "serial:4": "run-1"}


def test_each_serial_of_a_long_apply_is_of_its_run() -> None:
    writers = runs_by_generation([_run("run-2", 4, 6, "g6"), _run("run-1", None, 4, "g4")], STACK)
    assert [writers.get(f"serial:{serial}") for serial in (3, 4, 5, 6, 7)] == [
        None, "run-1", "run-2", "run-2", None,
    ]  # fmt: skip


def test_a_record_that_cannot_be_read_is_nobody() -> None:
    assert runs_by_generation([unreadable_run("20261130T000000000Z-aaaaaa", "torn")], STACK) == {}


def test_a_record_with_an_absurd_serial_is_bounded() -> None:
    assert len(runs_by_generation([_run("run-1", 0, 10**12)], STACK)) < 20_000


FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
STATE = "dev/state/net/default.tfstate"


def _state(serial: int, lineage: str = "L") -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "resources": []}).encode()


class VersionedStorage(MemoryStorage):
    """A bucket that keeps the versions of its objects."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Blob] = []

    def write(self, name: str, data: bytes, **conditions: Any) -> Blob:
        blob = super().write(name, data, **conditions)
        self.kept.append(blob)
        return blob

    def versions(self, name: str) -> list[Blob]:
        return [blob for blob in self.kept if blob.name == name]

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        matches = [blob for blob in self.versions(name) if blob.generation == generation]
        return matches[0] if matches else super().read(name, generation)


@dataclass
class PushingTerraform:
    """Of a runner: `state push` writes what it is given, unless it `fails` or somebody is faster."""

    bucket: VersionedStorage
    root: Path
    fails: bool = False
    before_push: Callable[[], object] = lambda: None

    @property
    def client(self) -> PushingTerraform:
        return self

    def workdir(self, stack: Stack) -> Workdir:
        return Workdir(self.root, self.root / "data", self.root / "run", {"HOME": str(self.root)})

    def init(self, stack: Stack, work: Workdir) -> None:
        """Nothing has to be initialised."""

    def alone_in(self, stack: Stack) -> AbstractContextManager[None]:
        self.before_push()
        return nullcontext()

    def run_raw(self, work: Workdir, arguments: Sequence[str], *, on_start: Callable[[], None]) -> Completed:
        on_start()
        if not self.fails:
            self.bucket.write(STATE, Path(arguments[-1]).read_bytes())
        return Completed(("terraform",), int(self.fails), b"", b"Error: no", 0.1)


@dataclass
class RestoreScene:
    """dev/net has serial 2, and had serial 1 before."""

    session: Session
    terraform: PushingTerraform
    bucket: VersionedStorage

    @property
    def stack(self) -> Stack:
        return self.session.context.project.stacks["dev/net"]

    @property
    def current(self) -> bytes:
        return self.bucket.objects[STATE].data


@pytest.fixture
def restore_scene(make_repo: MakeRepo, tmp_path: Path) -> RestoreScene:
    bucket = VersionedStorage()
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    terraform = PushingTerraform(bucket, tmp_path)
    session = replace(session, terraform=cast(Any, terraform))
    for serial in (1, 2):
        bucket.write(STATE, _state(serial))
    return RestoreScene(session, terraform, bucket)


def test_a_version_is_restored_as_a_new_serial_after_a_copy_of_what_was_there(
    restore_scene: RestoreScene, tmp_path: Path
) -> None:
    restore_point = find_restore(restore_scene.session.memory, restore_scene.stack, "1")
    assert restore(restore_scene.session, restore_point, tmp_path / "backup") == 3
    assert json.loads(restore_scene.current)["serial"] == 3
    assert (tmp_path / "backup/dev%2Fnet").read_bytes() == _state(2)
    entry = restore_scene.session.memory.ledgers.entry(restore_scene.stack)
    assert entry
    assert (entry.result, entry.operation) == ("restored", None)


def test_a_state_that_moved_after_the_question_is_not_replaced(
    restore_scene: RestoreScene, tmp_path: Path
) -> None:
    restore_point = find_restore(restore_scene.session.memory, restore_scene.stack, "1")
    restore_scene.terraform.before_push = lambda: restore_scene.bucket.write(STATE, _state(7))
    with pytest.raises(MismatchError, match="moved meanwhile"):
        restore(restore_scene.session, restore_point, tmp_path / "backup")
    assert restore_scene.current == _state(7)
    entry = restore_scene.session.memory.ledgers.entry(restore_scene.stack)
    assert entry is None or entry.operation is None


def test_a_restore_that_terraform_refuses_is_no_restore(restore_scene: RestoreScene, tmp_path: Path) -> None:
    restore_scene.terraform.fails = True
    restore_point = find_restore(restore_scene.session.memory, restore_scene.stack, "1")
    with pytest.raises(InfraError, match="no"):
        restore(restore_scene.session, restore_point, tmp_path / "backup")
    entry = restore_scene.session.memory.ledgers.entry(restore_scene.stack)
    assert entry
    assert entry.result == "failed"


def test_only_an_older_version_of_the_same_state_is_restored(restore_scene: RestoreScene) -> None:
    memory, stack = restore_scene.session.memory, restore_scene.stack
    with pytest.raises(UsageError, match="is the version that dev/net has now"):
        find_restore(memory, stack, "2")
    with pytest.raises(UsageError, match="has no version 9"):
        find_restore(memory, stack, "9")
    restore_scene.bucket.write(STATE, _state(8, lineage="M"))
    fresh = session_in_memory(restore_scene.session.context.project, restore_scene.bucket)
    with pytest.raises(StateError, match="another lineage"):
        find_restore(fresh.memory, stack, "2")

"""Moves and copies of a state: checks, results, locks, and repetition after a kill at each step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.engine.claims import Claim
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StateMove
from orchestrator.engine.state_changes import (
    _move_object,
    _StateObject,
    accept_state,
    find_copy,
    find_renamed,
    forget_stack,
    move_state_by_hand,
    require_no_state,
    require_state,
)
from orchestrator.errors import LockedError, PartialError, StateError, UsageError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Backend, Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.records import LedgerEntry, Operation, decode_entry
from orchestrator.state.storage import PreconditionFailed, Storage
from orchestrator.terraform.client import PlanOptions
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

RENAMED = "stacks:\n  dev/lan: {moved: dev/net}\n"


def state(serial: int = 1) -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": "L"}).encode()


@pytest.fixture
def local(make_repo: MakeRepo) -> Session:
    """dev/lan was dev/net; its state is a file."""
    config = "version: 1\nbackend:\n  local: {path: 'states/{environment}/{stack}.tfstate'}\n"
    code = 'terraform {\n  backend "local" {}\n}\n'
    repo = make_repo({"infra.yaml": config + RENAMED, "infra/envs/dev/lan/main.tf": code})
    (repo.root / "states/dev").mkdir(parents=True)
    return session_in_memory(load(repo.root), MemoryStorage())


def files(session: Session) -> tuple[Path, Path]:
    folder = session.context.project.root / "states/dev"
    return folder / "net.tfstate", folder / "lan.tfstate"


def move_stack_state(session: Session, move: StateMove, *, keep_source: bool = False) -> None:
    move_state_by_hand(session, session.context.project.stacks["dev/lan"], move, keep_source=keep_source)


@pytest.mark.parametrize("keep_source", [False, True])
def test_a_file_is_moved_or_copied_and_the_ledger_knows_where_it_is(
    local: Session, keep_source: bool
) -> None:
    old, new = files(local)
    old.write_bytes(state())
    stack = local.context.project.stacks["dev/lan"]
    move = find_renamed(local.memory, stack)
    move_stack_state(local, move, keep_source=keep_source)
    assert (old.exists(), new.read_bytes()) == (keep_source, state())
    entry = local.memory.ledgers.entry(stack)
    assert entry is None or entry.operation is None
    # A second try after a kill in between finds both.
    old.write_bytes(state())
    move_stack_state(local, move, keep_source=keep_source)
    assert (old.exists(), new.read_bytes()) == (keep_source, state())


def test_a_move_that_was_interrupted_after_the_state_had_left_is_finished(local: Session) -> None:
    """Killed between the two: the old file is gone, and the ledger still has the operation."""
    old, new = files(local)
    new.write_bytes(state())
    stack = local.context.project.stacks["dev/lan"]
    recorder = LedgerRecorder(local, "restore", RecorderOptions(), PlanOptions())
    killed = replace(recorder.operation(stack), run="R-killed", pid_started="of a process that has ended")
    local.memory.ledgers.of(stack).begin(stack.id, killed, None)
    move_stack_state(local, find_renamed(local.memory, stack))
    assert (old.exists(), new.read_bytes()) == (False, state())
    entry = local.memory.ledgers.entry(stack)
    assert entry is None or entry.operation is None
    with pytest.raises(UsageError, match="no state under an older name"):
        find_renamed(local.memory, stack)


def test_another_file_at_the_target_stays(local: Session) -> None:
    old, new = files(local)
    old.write_bytes(state())
    new.write_bytes(state(serial=9))
    with pytest.raises(StateError, match="Another state is at"):
        move_stack_state(local, find_renamed(local.memory, local.context.project.stacks["dev/lan"]))
    assert (old.read_bytes(), new.read_bytes()) == (state(), state(serial=9))


# Holds the lock that Terraform takes on a local state, until its input ends.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("side", [0, 1])
def test_a_file_that_a_process_holds_is_not_moved(local: Session, side: int) -> None:
    old, new = files(local)
    old.write_bytes(state())
    new.write_bytes(b"")
    argv = [sys.executable, "-c", HOLD, str(files(local)[side])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="holds"):
            move_stack_state(local, find_renamed(local.memory, local.context.project.stacks["dev/lan"]))
        assert (old.read_bytes(), new.read_bytes()) == (state(), b"")
        holder.communicate()


def test_a_state_of_which_the_ledger_knows_nothing_is_adopted_instead(local: Session) -> None:
    files(local)[1].write_bytes(state())
    with pytest.raises(UsageError, match="The ledger knows nothing of dev/lan"):
        accept_state(local, local.context.project.stacks["dev/lan"], serial=1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("states/dev/lan.tfstate", "The code of dev/lan names"),
        ("states/none", "There is no state at"),
        ("gs://b/x", "two kinds"),
    ],
)
def test_what_cannot_be_copied_is_refused(local: Session, source: str, words: str) -> None:
    root = local.context.project.root
    location = Location.parse(source if source.startswith("gs:") else str(root / source))
    with pytest.raises(UsageError, match=words):
        find_copy(local.memory, local.context.project.stacks["dev/lan"], location)


def test_without_a_state_under_the_old_name_there_is_nothing_to_move(local: Session) -> None:
    with pytest.raises(UsageError, match="no state under an older name"):
        find_renamed(local.memory, local.context.project.stacks["dev/lan"])


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({}, "has no state"),
        ({"lineage": "M"}, "has lineage L, not M"),
        ({"serial": 2}, "has serial 1, not 2"),
    ],
)
def test_only_the_named_state_is_accepted(local: Session, named: dict[str, object], words: str) -> None:
    stack = local.context.project.stacks["dev/lan"]
    if named:
        files(local)[1].write_bytes(state())
        require_state(local.memory.states, stack, lineage="L", serial=1)
    with pytest.raises(UsageError, match=words):
        require_state(local.memory.states, stack, **named)  # type: ignore[arg-type]


def test_a_stack_that_has_a_state_is_not_forgotten(local: Session) -> None:
    stack = local.context.project.stacks["dev/lan"]
    require_no_state(local.memory.states, stack)
    files(local)[1].write_bytes(state())
    with pytest.raises(UsageError, match="has a state"):
        require_no_state(local.memory.states, stack)


def test_only_a_stack_that_the_ledger_knows_is_forgotten(local: Session) -> None:
    stack = local.context.project.stacks["dev/lan"]
    ledger = local.memory.ledgers.of(stack)
    with pytest.raises(UsageError, match="The ledger knows nothing of dev/lan"):
        forget_stack(local, stack, "its project was deleted")
    entry = ledger.entry("dev/lan")
    assert entry is None or entry.is_blank
    commit = local.context.project.commit or ""
    before = ledger.begin("dev/lan", Operation("R0", "apply", "planned", "bo", "desk", commit), entry)
    ledger.finish(replace(before, result="applied", commit=commit, operation=None))
    forget_stack(local, stack, "its project was deleted")
    forgotten = ledger.entry("dev/lan")
    assert forgotten
    assert (forgotten.forgotten, forgotten.commit) == ("its project was deleted", "")


OLD, NEW = Location("old", "dev/net/default.tfstate"), Location("new", "dev/net/default.tfstate")
STATE = json.dumps({"version": 4, "serial": 3, "lineage": "l"}).encode()
STACK = Stack(
    id="dev/net",
    environment="dev",
    name="net",
    path="infra/envs/dev/net",
    shared=False,
    backend=Backend("gcs", declared=True, empty=True),
    backend_config={},
    state=NEW.url,
    var_files=(),
    passed_env=(),
    depends_on=(),
    reads=(),
    required_version=(),
    providers={},
    modules=(),
    lock_file=None,
)


class Killed(BaseException):
    """The process is gone: no handler runs another call."""


@dataclass
class TwoBuckets:
    """Two buckets; the ledger is in the new one. After `kill_after` calls every further one is Killed."""

    old: MemoryStorage = field(default_factory=MemoryStorage)
    new: MemoryStorage = field(default_factory=MemoryStorage)
    kill_after: int | None = None
    calls: int = 0
    run: int = 0

    def __post_init__(self) -> None:
        self.old.fails = self.new.fails = self._count
        self.old.write(OLD.name, STATE)

    def _count(self, call: str, name: str) -> bool:
        self.calls += 1
        if self.kill_after is not None and self.calls > self.kill_after:
            raise Killed
        return False

    def move(
        self, *, delete: bool = False, is_live: Callable[[Operation], bool | None] = lambda _: False
    ) -> None:
        """One run of `state move`, in a process of its own."""
        self.run += 1
        run = f"R{self.run}"
        ledger = Ledger(self.new, "dev", presence=is_live)
        before = ledger.entry("dev/net")
        operation = Operation(run, "restore", "planned", "ada", "desk", "c" * 40)
        claim = Claim(ledger, STACK, before, ledger.begin("dev/net", operation, before), waited=False)
        try:
            _move_object(claim, self.side(OLD), self.side(NEW), run, delete=delete)
        finally:
            claim.close()

    def side(self, location: Location) -> _StateObject:
        storage: Storage = self.old if location is OLD else self.new
        return _StateObject(storage, location)

    def entry(self) -> LedgerEntry:
        blob = self.new.objects["dev/ledger/stacks/net.json"]
        return decode_entry(blob.data, blob.name)

    def assert_moved(self, *, deleted: bool) -> None:
        copy = self.new.objects[NEW.name]
        assert copy.data == STATE
        assert (OLD.name in self.old.objects) is not deleted
        assert not [
            name for bucket in (self.old, self.new) for name in bucket.objects if name.endswith(".tflock")
        ]
        entry = self.entry()
        assert (entry.state, entry.state_generation, entry.operation) == (NEW.url, copy.generation, None)
        assert entry.commit == "a" * 40


def applied() -> TwoBuckets:
    """A world whose ledger knows the state where it was."""
    world = TwoBuckets()
    ledger = Ledger(world.new, "dev")
    entry = ledger.begin("dev/net", Operation("R0", "apply", "planned", "ada", "desk", "a" * 40), None)
    done = replace(entry, result="applied", commit="a" * 40, state=OLD.url, state_generation="1", serial=3)
    ledger.finish(done)
    world.calls = 0
    return world


@pytest.mark.parametrize("delete", [False, True])
def test_a_move_can_be_repeated_after_a_kill_at_each_step(delete: bool) -> None:
    for steps in range(100):
        world = applied()
        world.kill_after = steps
        with suppress(Killed):
            world.move(delete=delete)
            break
        for more in (2, 5, 9):  # and the run that repeats it is killed as well
            world.kill_after = world.calls + more
            with suppress(Killed):
                world.move(delete=delete)
        world.kill_after = None
        if delete and OLD.name not in world.old.objects and world.entry().operation is None:
            continue
        world.move(delete=delete)
        world.assert_moved(deleted=delete)
    assert steps > 10
    world.kill_after = None
    world.assert_moved(deleted=delete)


def test_a_move_may_be_repeated_when_it_is_done() -> None:
    world = applied()
    for _ in range(2):
        world.move()
        world.assert_moved(deleted=False)


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_lock_that_could_not_be_released_is_released_by_the_next_move(side: str) -> None:
    world = applied()
    bucket: MemoryStorage = getattr(world, side)
    bucket.fails = lambda call, name: call == "delete" and name.endswith(".tflock")
    with pytest.raises(StateError, match="does not answer"):
        world.move()
    assert (world.entry().state, world.entry().operation) == (NEW.url, None)
    bucket.fails = lambda call, name: False
    world.move()
    world.assert_moved(deleted=False)


def test_another_state_at_the_target_stays() -> None:
    world = applied()
    world.new.write(NEW.name, b"other")
    with pytest.raises(StateError, match="Another state is at gs://new/"):
        world.move()
    assert world.new.objects[NEW.name].data == b"other"
    assert world.entry().state == OLD.url


def _write_once(bucket: MemoryStorage, at: tuple[str, str], name: str, data: bytes) -> None:
    """Somebody who minds no lock writes an object just before a call."""

    def interfere(call: str, called: str) -> bool:
        if (call, called) == at:
            bucket.fails = lambda call, name: False
            bucket.write(name, data)
        return False

    bucket.fails = interfere


def test_a_state_that_comes_to_the_target_meanwhile_stays() -> None:
    world = applied()
    _write_once(world.new, ("write", NEW.name), NEW.name, b"other")
    with pytest.raises(StateError, match="Another state is at gs://new/"):
        world.move()
    assert world.new.objects[NEW.name].data == b"other"


def test_a_state_that_is_written_after_it_was_copied_is_not_deleted() -> None:
    world = applied()
    _write_once(world.old, ("delete", OLD.name), OLD.name, b"newer")
    with pytest.raises(PreconditionFailed):
        world.move(delete=True)
    assert world.old.objects[OLD.name].data == b"newer"


def test_without_a_state_there_is_nothing_to_move() -> None:
    world = applied()
    world.old.delete(OLD.name)
    with pytest.raises(UsageError, match="There is no state at gs://old/"):
        world.move()
    assert NEW.name not in world.new.objects


@pytest.mark.parametrize("locked", [OLD, NEW])
def test_a_lock_of_somebody_else_stays(locked: Location) -> None:
    world = applied()
    lock = json.dumps({"ID": "1", "Who": "bo@elsewhere", "Info": "", "Operation": "OperationTypeApply"})
    world.side(locked).storage.write(locked.lock_name, lock.encode())
    with pytest.raises(LockedError, match="bo@elsewhere"):
        world.move()
    assert world.side(locked).storage.read(locked.lock_name)
    assert NEW.name not in world.new.objects
    assert world.entry().operation is None


def test_a_lock_of_a_move_of_another_stack_stays() -> None:
    world = applied()
    lock = json.dumps({"ID": "1", "Who": "infra@R9", "Info": "infra state move dev/app"})
    world.old.write(OLD.lock_name, lock.encode())
    with pytest.raises(LockedError):
        world.move()
    assert OLD.lock_name in world.old.objects


def test_a_stack_under_an_operation_is_not_moved() -> None:
    world = applied()
    ledger = Ledger(world.new, "dev")
    before = ledger.entry("dev/net")
    entry = ledger.begin("dev/net", Operation("R8", "apply", "applying", "bo", "there", "b" * 40), before)
    assert entry.operation
    with pytest.raises(LockedError, match="bo runs apply R8"):
        world.move(is_live=lambda _: True)
    with pytest.raises(PartialError, match="R8"):
        world.move(is_live=lambda _: False)
    assert NEW.name not in world.new.objects

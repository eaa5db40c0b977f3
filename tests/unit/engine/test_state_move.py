"""A state's move: under both locks, repeatable after a kill at each step, and never over another state."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.engine.claims import Claim
from orchestrator.engine.state_move import StateObject, move_state
from orchestrator.errors import LockedError, PartialError, StateError, UsageError
from orchestrator.project.model import Backend, Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.records import Entry, Operation, decode_entry
from orchestrator.state.storage import Storage
from tests.support.memory_storage import MemoryStorage

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
class World:
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
            move_state(claim, self.side(OLD), self.side(NEW), run, delete=delete)
        finally:
            claim.close()

    def side(self, location: Location) -> StateObject:
        storage: Storage = self.old if location is OLD else self.new
        return StateObject(storage, location)

    def entry(self) -> Entry:
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


def applied() -> World:
    """A world whose ledger knows the state where it was."""
    world = World()
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

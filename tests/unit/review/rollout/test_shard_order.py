"""A part of an apply waits for the others, and not for one whose job never came."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.engine.session import Session
from orchestrator.engine.shards import Shard
from orchestrator.errors import LockedError
from orchestrator.repository.loading import load
from orchestrator.review.rollout.shard_order import (
    START_LIMIT,
    OtherShards,
    record_shard_start,
    select_shard_stacks,
)
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    **{f"infra/envs/dev/{name}/main.tf": 'terraform {\n  backend "gcs" {}\n}\n' for name in "abc"},
}
JOB = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "HOME": "/nowhere"}
STACKS = ("dev/a", "dev/b", "dev/c")


class ShardClock:
    """Time passes only while somebody sleeps; `then` happens at the first sleep."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.seconds = 0.0
        self.then = then

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.then()
        self.then = lambda: None
        self.seconds += 60.0


def part_of(session: Session, index: int) -> Shard:
    return Shard("dev", index, 3, select_shard_stacks(session.context.project, "dev", index, 3))


@pytest.fixture
def session(make_repo: MakeRepo) -> Session:
    return session_in_memory(load(make_repo(FILES).root), MemoryStorage(), JOB)


def others(session: Session, clock: ShardClock) -> OtherShards:
    return OtherShards(session, part_of(session, 1), clock, clock.sleep)


def test_a_part_that_never_began_is_given_up_and_named(session: Session) -> None:
    record_shard_start(session, part_of(session, 1))
    record_shard_start(session, part_of(session, 2))
    clock = ShardClock()
    ids = [id_ for index in (2, 3) for id_ in part_of(session, index).stacks]
    assert len(ids) == 2
    with pytest.raises(LockedError) as error:
        others(session, clock).wait(ids)
    # The one that began is waited for as long as an apply may take; the other was given up before.
    assert part_of(session, 2).stacks[0] in error.value.message
    assert part_of(session, 3).stacks[0] not in error.value.message
    clock = ShardClock()
    (lost,) = part_of(session, 3).stacks
    assert others(session, clock).wait([lost]) == {lost: "part 3/3 of this run never began"}
    assert clock.seconds == START_LIMIT


def test_a_part_that_begins_late_is_waited_for(session: Session) -> None:
    (late,) = part_of(session, 3).stacks
    clock = ShardClock(lambda: record_shard_start(session, part_of(session, 3)))
    with pytest.raises(LockedError):
        others(session, clock).wait([late])
    assert clock.seconds > START_LIMIT


def test_parts_of_another_attempt_do_not_count(session: Session, make_repo: MakeRepo) -> None:
    ledger = session.memory.ledgers.of_environment("dev")[0]
    ledger.begin_part("7-1", "3/3")
    assert ledger.begun_parts("7-2") == set()
    record_shard_start(session, part_of(session, 3))
    assert ledger.begun_parts("7-2") == {"3/3"}

"""Which locks are released: that of nobody who is at work, and exactly the one that was looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.engine.unlock import HeldLock, refuse_live
from orchestrator.errors import LockedError
from orchestrator.repository.loading import load
from orchestrator.state.location import Location
from orchestrator.state.locks import locked_for_move, read_lock, release_lock
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage

REMOTE = Location("states", "dev/state/net/default.tfstate")


@pytest.mark.parametrize(
    ("bucket", "is_live", "force", "is_refused"),
    [
        ("states", True, False, True),
        ("states", True, True, False),
        ("states", False, False, False),
        # A process that holds a local state has the lock of the kernel: taking its note away frees nothing.
        ("", True, False, True),
        ("", True, True, True),
        ("", False, False, False),
    ],
)
def test_the_lock_of_who_is_at_work_stays(
    make_repo: MakeRepo, bucket: str, is_live: bool, force: bool, is_refused: bool
) -> None:
    storage = MemoryStorage()
    with locked_for_move(storage, REMOTE, "dev/net", "R1"):
        lock = read_lock(storage, REMOTE)
    assert lock
    stack = load(make_repo({"infra/envs/dev/net/main.tf": ""}).root).stacks["dev/net"]
    location = replace(REMOTE, bucket=bucket)
    held_lock = HeldLock(stack, location, lock, None, None, live=is_live, ours=False)
    if not is_refused:
        refuse_live(held_lock, force=force)
        return
    with pytest.raises(LockedError):
        refuse_live(held_lock, force=force)


def test_a_lock_that_was_taken_anew_is_not_released() -> None:
    storage = MemoryStorage()
    storage.write(REMOTE.lock_name, b'{"ID": "1", "Who": "ada@desk"}')
    lock = read_lock(storage, REMOTE)
    assert lock
    storage.write(REMOTE.lock_name, b'{"ID": "2", "Who": "bo@desk"}')
    with pytest.raises(LockedError, match="taken again"):
        release_lock(storage, REMOTE, lock)
    assert storage.read(REMOTE.lock_name)


@pytest.mark.parametrize(
    ("who", "info"),
    [
        ("bo@elsewhere", "infra state move dev/net"),
        ("infra@R0", "infra state move dev/app"),
        ("infra@R0", ""),
    ],
)
def test_a_move_replaces_no_lock_but_that_of_an_earlier_move_of_its_stack(who: str, info: str) -> None:
    storage = MemoryStorage()
    content = f'{{"ID": "1", "Who": "{who}", "Info": "{info}"}}'.encode()
    storage.write(REMOTE.lock_name, content)
    with pytest.raises(LockedError), locked_for_move(storage, REMOTE, "dev/net", "R1"):
        pass
    blob = storage.read(REMOTE.lock_name)
    assert blob
    assert blob.data == content

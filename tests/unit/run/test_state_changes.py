"""Moving and copying a state by hand: what is checked first, and what is there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.engine.planned import StateMove
from orchestrator.engine.session import Session
from orchestrator.errors import StateError, UsageError
from orchestrator.project import load
from orchestrator.run.state_changes import carry_state, find_copy, find_renamed, require_state
from orchestrator.state.location import Location
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


def carry(session: Session, move: StateMove, *, keep_source: bool = False) -> None:
    carry_state(session, session.context.project.stacks["dev/lan"], move, keep_source=keep_source)


@pytest.mark.parametrize("keep_source", [False, True])
def test_a_file_is_moved_or_copied_and_the_ledger_knows_where_it_is(
    local: Session, keep_source: bool
) -> None:
    old, new = files(local)
    old.write_bytes(state())
    stack = local.context.project.stacks["dev/lan"]
    move = find_renamed(local.memory, stack)
    carry(local, move, keep_source=keep_source)
    assert (old.exists(), new.read_bytes()) == (keep_source, state())
    entry = local.memory.ledgers.entry(stack)
    assert entry is None or entry.operation is None
    # A second try after a kill in between finds both.
    old.write_bytes(state())
    carry(local, move, keep_source=keep_source)
    assert (old.exists(), new.read_bytes()) == (keep_source, state())


def test_another_file_at_the_target_stays(local: Session) -> None:
    old, new = files(local)
    old.write_bytes(state())
    new.write_bytes(state(serial=9))
    with pytest.raises(StateError, match="Another state is at"):
        carry(local, find_renamed(local.memory, local.context.project.stacks["dev/lan"]))
    assert (old.read_bytes(), new.read_bytes()) == (state(), state(serial=9))


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

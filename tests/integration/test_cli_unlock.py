"""`infra unlock`: who holds a state, and letting go of a lock that is dead."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.states import States
from orchestrator.engine.unlock import inspect_lock, release_held_lock
from orchestrator.errors import LockedError
from orchestrator.repository.loading import load
from orchestrator.sandbox.faults import HttpFault
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import CONFIG, RecordedProject
from tests.support.repo import Repo

LOCK = "dev/state/net/default.tflock"

# What Terraform does to a local state while it works, until its input ends.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_what_is_not_locked_is_reported_to_be_free(recorded: RecordedProject) -> None:
    assert "dev/net is not locked" in recorded.infra("unlock", "dev/net", code=0).out
    assert recorded.infra("unlock", "dev/net", "--json", code=0).document["released"] is None


def test_a_lock_is_shown_and_stays_without_consent(recorded: RecordedProject) -> None:
    recorded.lock("dev/net")
    ran = recorded.infra("unlock", "dev/net", code=4)
    assert "bo@elsewhere holds it for apply since 2026-01-02T03:04:05Z" in ran.out
    assert "--auto-approve" in ran.err
    assert recorded.objects() == [LOCK]


def test_a_lock_is_released_with_consent(recorded: RecordedProject) -> None:
    generation = recorded.lock("dev/net")
    document = recorded.infra("unlock", "dev/net", "--auto-approve", "--json", code=0).document
    assert document["released"]["generation"] == generation
    assert document["released"]["who"] == "bo@elsewhere"
    assert document["released"]["ours"] is False
    assert recorded.objects() == []


def test_a_lock_of_a_run_that_lives_stays_unless_forced(recorded: RecordedProject) -> None:
    recorded.at_work("dev/net")
    recorded.lock("dev/net")
    ran = recorded.infra("unlock", "dev/net", "--auto-approve", code=6)
    assert "bo runs apply R-other from elsewhere" in ran.err
    assert "--force" in ran.err
    assert LOCK in recorded.objects()
    recorded.infra("unlock", "dev/net", "--auto-approve", "--force", code=0)
    assert LOCK not in recorded.objects()


def test_a_lock_of_a_run_that_was_cut_off_is_better_resumed(recorded: RecordedProject) -> None:
    recorded.repo.commit({"infra.yaml": f"{CONFIG}environments: {{dev: {{apply: ci}}, prod: {{}}}}\n"})
    for stack, command in (("dev/net", "`/infra resume dev/net`"), ("prod/net", "`infra resume prod/net`")):
        recorded.at_work(stack, host=this_machine(), pid=1, pid_started="another boot")
        recorded.lock(stack)
        ran = recorded.infra("unlock", stack, "--auto-approve", code=0)
        assert "and was interrupted" in ran.out
        assert f"Better: {command}" in ran.err
    assert LOCK not in recorded.objects()


def test_another_lock_that_came_meanwhile_is_left_alone(recorded: RecordedProject) -> None:
    recorded.lock("dev/net")
    project = load(recorded.repo.root)
    env = {"STORAGE_EMULATOR_HOST": recorded.server.url, "INFRA_SANDBOX": "test"}
    states = States(project, env)
    lock = inspect_lock(states, Ledgers(project, states, env), project.stacks["dev/net"])
    assert lock is not None
    recorded.server.store.delete_object("states", LOCK)
    release_held_lock(states, lock)
    newer = recorded.lock("dev/net", "cy@third")
    with pytest.raises(LockedError, match="cy@third"):
        release_held_lock(states, lock)
    assert str(recorded.server.store.get_object("states", LOCK)["generation"]) == newer


def test_a_release_whose_answer_is_lost_is_a_release(recorded: RecordedProject) -> None:
    recorded.lock("dev/net")
    recorded.server.faults.add(HttpFault(method="DELETE", count=1, cut="answer"))
    recorded.infra("unlock", "dev/net", "--auto-approve", code=0)
    assert recorded.objects() == []


def test_one_stack_has_to_be_named(recorded: RecordedProject) -> None:
    assert "means 2 stacks" in recorded.infra("unlock", "dev", code=3).err


@pytest.fixture
def local(make_repo: MakeRepo) -> Repo:
    return make_repo({"infra/envs/dev/net/main.tf": 'resource "terraform_data" "x" {}\n'})


def test_a_local_lock_is_held_only_by_a_living_process(local: Repo) -> None:
    infra = Infra(local.root, {})
    state = local.root / "infra/envs/dev/net/terraform.tfstate"
    note = state.with_name(".terraform.tfstate.lock.info")
    state.write_text("")
    note.write_text(json.dumps({"ID": "u", "Who": "ada@desk", "Operation": "OperationTypeApply"}))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ran = infra("unlock", "dev/net", "--auto-approve", "--force", code=6)
        assert "A process on this machine holds the state" in ran.err
        assert note.exists()
        holder.communicate()
    infra("unlock", "dev/net", "--auto-approve", code=0)
    assert not note.exists()

"""`infra resume`: what it refuses, what it asks, what it puts right. Kills at every step: tests/e2e."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.ledgers import Ledgers, this_machine
from orchestrator.engine.states import States
from orchestrator.repository.loading import load
from orchestrator.state.records import LedgerEntry, Operation
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import UPSTREAM, RecordedProject

GO = ("--auto-approve", "--confirm", "dev")
DEAD = 2**22 - 1
NET = "infra/envs/dev/net/main.tf"
STATE = "dev/state/net/default.tfstate"


def cut_off(recorded: RecordedProject, **more: Any) -> LedgerEntry:
    """A run of this machine died while it applied dev/net at the current commit."""
    return recorded.at_work("dev/net", **{"host": this_machine(), "pid": DEAD, **more})


def attempt(recorded: RecordedProject, entry: LedgerEntry) -> None:
    """Let the ledger say that the run was at the current commit."""
    assert entry.operation
    ledger = recorded.ledger("dev/net")
    ledger.mark(
        replace(entry, attempted=recorded.repo.head), replace(entry.operation, commit=recorded.repo.head)
    )


def state(recorded: RecordedProject) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(recorded.server.store.read_object("states", STATE)[1])
    return document


def test_with_nothing_to_do_that_is_reported(recorded: RecordedProject) -> None:
    assert "Nothing is unfinished." in recorded.infra("resume", code=0).out
    assert (
        "by a run 20260102T030405Z-1a2b3c" in recorded.infra("resume", "20260102T030405Z-1a2b3c", code=3).err
    )
    assert recorded.infra("resume", "--json", code=0).document["stacks"] == []


def test_it_plans_and_applies_the_rest(recorded: RecordedProject) -> None:
    attempt(recorded, cut_off(recorded))
    ran = recorded.infra("resume", *GO, "--json", code=0)
    assert ran.results == {"dev/net": "applied"}
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert (entry.result, entry.operation, entry.commit) == ("applied", None, recorded.repo.head)
    assert recorded.infra("resume", "--json", code=0).document["stacks"] == []


@pytest.mark.applied("dev/net")
def test_what_had_all_been_applied_is_only_written_down(recorded: RecordedProject) -> None:
    attempt(recorded, cut_off(recorded))
    ran = recorded.infra("resume", "R-other", *GO, "--json", code=0)
    assert ran.results == {"dev/net": "unchanged"}
    assert ran.stack("dev/net")["reason"] == "all of it had been applied"


def test_a_run_that_lives_is_left_alone(recorded: RecordedProject) -> None:
    recorded.at_work("dev/net")
    ran = recorded.infra("resume", *GO, "--json", code=6)
    assert "is not interrupted: bo runs apply R-other" in ran.stack("dev/net")["reason"]


@pytest.mark.applied("dev/net")
def test_the_dead_runs_lock_is_released_after_a_question(recorded: RecordedProject) -> None:
    attempt(recorded, cut_off(recorded))
    recorded.lock("dev/net", who=f"bo@{this_machine().partition('/')[0]}")
    refused = recorded.infra("resume", code=4)
    assert "→ Release the state's lock" in refused.err
    assert "bo ran apply R-other from elsewhere: interrupted" in refused.err
    assert "dev/state/net/default.tflock" in recorded.objects()
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert entry.is_unfinished
    recorded.infra("resume", *GO, code=0)
    assert "dev/state/net/default.tflock" not in recorded.objects()


@pytest.mark.applied("dev/net")
def test_anybody_elses_lock_stays(recorded: RecordedProject) -> None:
    attempt(recorded, cut_off(recorded))
    recorded.lock("dev/net", who="eve@far-away")
    ran = recorded.infra("resume", *GO, "--json", code=6)
    assert "eve@far-away" in ran.stack("dev/net")["reason"]
    assert "infra unlock dev/net" in ran.stack("dev/net")["advice"]
    assert "dev/state/net/default.tflock" in recorded.objects()
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert entry.is_unfinished


@pytest.mark.parametrize(
    ("serial", "lineage", "pushed"),
    [(5, None, True), (0, None, False), (5, "00000000-0000-4000-8000-000000000000", False)],
)
@pytest.mark.applied("dev/net")
def test_a_rescued_state_is_pushed_if_it_continues_the_one_there(
    recorded: RecordedProject, serial: int, lineage: str | None, pushed: bool
) -> None:
    before = state(recorded)
    rescued = {
        **before,
        "serial": before["serial"] + serial,
        "lineage": lineage or before["lineage"],
        "outputs": {**before["outputs"], "rescued": {"value": "yes", "type": "string"}},
    }
    attempt(recorded, cut_off(recorded))
    recorded.ledger("dev/net").rescue("R-other", "dev/net", json.dumps(rescued).encode())
    recorded.infra("resume", *GO, code=0)
    after = state(recorded)
    # What the code does not have is removed again by the plan that follows, which shows that it was there.
    assert (after["serial"] > before["serial"] + serial) == pushed or after["serial"] == before["serial"]
    assert after["lineage"] == before["lineage"]
    assert ("rescued" in json.dumps(versions(recorded))) == pushed


def versions(recorded: RecordedProject) -> list[Any]:
    """Every version of the state that the bucket keeps."""
    ledger = recorded.ledger("dev/net")
    blobs = [ledger.storage.read(STATE, version.generation) for version in ledger.storage.versions(STATE)]
    return [json.loads(blob.data) for blob in blobs if blob]


def test_a_checkout_without_what_was_being_applied_is_refused(recorded: RecordedProject) -> None:
    old = recorded.repo.head
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    attempt(recorded, cut_off(recorded))
    recorded.repo.git("switch", "-q", "--detach", old)
    ran = recorded.infra("resume", *GO, "--json", code=5)
    assert "git switch --detach" in ran.stack("dev/net")["advice"]


def test_what_had_not_begun_is_only_cleared(recorded: RecordedProject) -> None:
    entry = cut_off(recorded)
    assert entry.operation
    recorded.ledger("dev/net").mark(
        entry, replace(entry.operation, phase="planned", commit=recorded.repo.head)
    )
    ledger = recorded.ledger("dev/net")
    ran = recorded.infra("resume", *GO, "--json", code=0)
    entry_after = ledger.entry("dev/net")
    assert entry_after
    assert entry_after.operation is None
    assert ran.results == {"dev/net": "unchanged"}
    assert "nothing was done" in ran.stack("dev/net")["reason"]


@pytest.mark.applied("dev/net")
def test_a_destroy_that_was_cut_off_goes_on_destroying(recorded: RecordedProject) -> None:
    entry = cut_off(recorded)
    assert entry.operation
    operation = replace(entry.operation, kind="destroy", commit=recorded.repo.head)
    recorded.ledger("dev/net").mark(replace(entry, attempted=recorded.repo.head), operation)
    ran = recorded.infra("resume", *GO, "--allow-destroy", "--json", code=0)
    assert ran.results == {"dev/net": "destroyed"}
    assert state(recorded)["resources"] == []


def test_what_a_lost_runner_made_is_taken_back_from_the_ledgers_journal(
    tmp_path: Path, terraform_argv: tuple[str, ...]
) -> None:
    pytest.importorskip("grpc")
    if not Path("/proc/self/cwd").exists():
        pytest.skip("looks for processes in /proc")
    from tests.support.crash.lab import YES, CrashLab, finished
    from tests.support.crash.watched import CloudStep

    lab = CrashLab(tmp_path / "lab")
    try:
        with lab.round(CloudStep("before create fourth", 1), "both") as round_:
            quiet = dict(round_.env)
            round_.env = {**quiet, "CI": "true"}
            finished(round_.start("apply", "--all", *YES))
            assert round_.trigger.struck
            shutil.rmtree(round_.root / ".infra/runs")
            round_.env = quiet
            done = round_.infra("resume", *YES)
            assert done.code == 0, done.out + done.err
            # Whether the journal says that it was created depends on what was sent before the kill.
            assert "it is imported" in done.out
            assert round_.exists() == round_.known()
    finally:
        lab.close()


def test_what_cannot_be_imported_is_named_and_somebody_can_choose_to_forget_it(
    recorded: RecordedProject,
) -> None:
    address, name = "terraform_data.other", "terraform_data.gone"
    attempt(recorded, cut_off(recorded))
    resource = {"addr": name, "resource_type": "acme_thing"}
    hook = {"resource": resource, "action": "create", "id_key": "id", "id_value": "17"}
    lines = [json.dumps({"type": "apply_complete", "hook": hook}).encode()]
    recorded.ledger("dev/net").append_journal("R-other", "dev/net", 1, lines)

    refused = recorded.infra("resume", "dev/net", *GO, "--json", code=7).stack("dev/net")
    assert "terraform_data.gone (17): Configuration for import target does not exist" in refused["reason"]
    assert "--forget ADDRESS" in refused["advice"]
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert entry.is_unfinished, "what is left is applied, and the stack stays unfinished"

    typo = recorded.infra("resume", "dev/net", "--forget", address, *GO, "--json", code=3).stack("dev/net")
    assert f"{address} is not missing in the state" in typo["reason"]
    assert name in typo["advice"]
    recorded.infra("resume", "dev/net", "--forget", name, *GO, code=0)
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert not entry.is_unfinished
    # The newest resume: R-other, whose id holds no time, may have begun in the same second.
    runs = recorded.infra("history", "--json", code=0).document["runs"]
    resume = next(run["id"] for run in runs if run["command"] == "resume")
    out = recorded.infra("history", "show", resume, code=0).out
    assert "left alone, and in no state: terraform_data.gone (17)" in out


@pytest.mark.applied("dev/net")
def test_a_deleted_object_is_removed_from_the_state_for_what_replaces_it(recorded: RecordedProject) -> None:
    network = {"mode": "managed", "type": "google_compute_network", "name": "main"}
    provider = 'provider["terraform.io/builtin/terraform"]'
    instances = [{"schema_version": 0, "attributes": {"id": "old"}}]
    saved = state(recorded)
    saved["resources"].append({**network, "provider": provider, "instances": instances})
    recorded.server.store.insert_object("states", STATE, json.dumps(saved).encode())
    attempt(recorded, cut_off(recorded))
    resource = {"addr": "google_compute_network.main", "resource_type": network["type"]}
    journal = [
        {"type": kind, "hook": {"resource": resource, "action": action, "id_key": "id", "id_value": id_}}
        for action, id_ in (("delete", "old"), ("create", "new"))
        for kind in ("apply_start", "apply_complete")
    ]
    lines = [json.dumps(event).encode() for event in journal]
    recorded.ledger("dev/net").append_journal("R-other", "dev/net", 1, lines)

    done = recorded.infra("resume", "dev/net", *GO, code=7)
    step = "Remove google_compute_network.main (old) from the state: the run deleted it, and created another."
    assert step in done.err
    assert "old, which was deleted, was removed from the state." in done.out
    assert [resource["name"] for resource in state(recorded)["resources"]] == ["x"]
    assert "google_compute_network.main (new)" in done.out, "no code has it here, so its import is refused"


def test_a_local_state_is_resumed_too(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": 'resource "terraform_data" "x" {\n  input = "one"\n}\n'})
    infra = Infra(repo.root, {"XDG_STATE_HOME": str(tmp_path / "home")})
    infra("apply", "dev", *GO, code=0)
    project = load(repo.root)
    ledger = Ledgers(project, States(project, infra.env), infra.env).of(project.stacks["dev/a"])
    tried = repo.commit({"infra/envs/dev/a/main.tf": 'resource "terraform_data" "x" {\n  input = "two"\n}\n'})
    dead = Operation(
        "R-other", "apply", "planned", "bo", "desk", tried, host=this_machine(), pid=DEAD, pid_started="x/1"
    )
    entry = ledger.begin("dev/a", dead, ledger.entry("dev/a"))
    ledger.mark(entry, replace(dead, phase="applying", started=entry.operation.started))  # type: ignore[union-attr]
    # What a killed Terraform leaves beside a local state.
    content = {
        "ID": "1",
        "Operation": "OperationTypeApply",
        "Who": f"bo@{socket.gethostname()}",
        "Created": "",
    }
    (repo.root / "infra/envs/dev/a/.terraform.tfstate.lock.info").write_text(json.dumps(content))
    assert infra("apply", "dev", *GO, "--json", code=7).results == {"dev/a": "failed"}
    assert infra("resume", *GO, "--json", code=0).results == {"dev/a": "applied"}
    assert infra("plan", "--pending", "--json", code=0).document["stacks"] == []

"""`infra status`: what is applied where, what is owed, who is at work, what was interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.ledgers import this_machine
from orchestrator.process.identity import started_at
from orchestrator.state.drift_store import DriftLog, DriftRecord
from tests.conftest import MakeRepo
from tests.support.recorded_stack import DEPENDENT, FILES, UPSTREAM, RecordedProject
from tests.support.schemas import check_schema

pytestmark = pytest.mark.usefixtures("terraform_argv")


def status(recorded: RecordedProject, *names: str) -> dict[str, dict[str, Any]]:
    stacks = recorded.infra("status", *names, "--json", code=0).document["stacks"]
    return {stack["id"]: stack for stack in stacks}


def standings(recorded: RecordedProject) -> dict[str, str]:
    return {id: stack["status"] for id, stack in status(recorded).items()}


def test_what_was_never_applied_is_new(recorded: RecordedProject) -> None:
    assert standings(recorded) == {"dev/app": "new", "dev/net": "new", "prod/net": "new"}
    assert recorded.objects() == []
    assert "3 stacks: 3 new" in recorded.infra("status", code=0).out


def test_an_apply_is_shown_with_its_commit_until_trunk_moves_on(recorded: RecordedProject) -> None:
    first = recorded.repo.head
    ran = recorded.apply()
    stacks = status(recorded)
    assert {stack["status"] for stack in stacks.values()} == {"up-to-date"}
    net = stacks["dev/net"]
    assert net["applied"]["id"] == first
    assert net["applied"]["subject"] == "First"
    assert net["applied"]["author"] == "Ada Author"
    assert net["applied"]["run"] == ran.document["run"]["id"]
    assert net["applied"]["behind"] == 0
    assert net["state"]["serial"] >= 1
    assert not net["state"]["moved"]
    assert net["last"]["result"] == "applied"
    assert net["lock"] is net["operation"] is None

    recorded.repo.commit({"README.md": "more\n"}, "Unrelated")
    recorded.repo.commit({"infra/envs/dev/net/main.tf": UPSTREAM.replace("one", "two")}, "Change net")
    stacks = status(recorded)
    assert {id: stack["status"] for id, stack in stacks.items()} == {
        "dev/app": "up-to-date",
        "dev/net": "pending",
        "prod/net": "up-to-date",
    }
    assert stacks["dev/net"]["applied"]["behind"] == 2
    text = recorded.infra("status", code=0).out
    assert f"{first[:10]} First (Ada Author, " in text
    assert "2 behind)" in text
    assert "3 stacks: 1 pending, 2 up to date" in text

    # What the follower reads moves with the upstream, which is owed to it although none of its files changed.
    recorded.apply("dev/net")
    stacks = status(recorded)
    assert stacks["dev/net"]["status"] == "up-to-date"
    assert stacks["dev/app"]["status"] == "pending"
    assert "dev/net" in stacks["dev/app"]["why"]
    recorded.apply("dev/app")
    assert set(standings(recorded).values()) == {"up-to-date"}


@pytest.mark.applied
def test_an_output_that_nobody_reads_leaves_nothing_pending(recorded: RecordedProject) -> None:
    recorded.repo.commit({"infra/envs/dev/net/main.tf": UPSTREAM.replace("why", "because")}, "y")
    recorded.apply("dev/net")
    assert standings(recorded)["dev/app"] == "up-to-date"


@pytest.mark.applied("dev/net")
def test_a_state_that_changed_without_the_ledger_is_reported(recorded: RecordedProject) -> None:
    name = "dev/state/net/default.tfstate"
    _, data = recorded.server.store.read_object("states", name)
    recorded.server.store.insert_object("states", name, data)
    assert status(recorded, "dev/net")["dev/net"]["state"]["moved"]
    assert "moved since" in recorded.infra("status", "dev/net", code=0).out
    recorded.server.store.delete_object("states", name)
    stack = status(recorded, "dev/net")["dev/net"]
    assert stack["status"] == "blocked"
    assert "there is no state at" in stack["why"]


@pytest.mark.applied("dev/net")
def test_a_running_apply_and_a_dead_one(recorded: RecordedProject) -> None:
    started = started_at(os.getpid()) or ""
    at_work = recorded.at_work("dev/net", host=this_machine(), pid=os.getpid(), pid_started=started)
    running = status(recorded)["dev/net"]
    assert running["status"] == "running"
    assert running["operation"]["live"]
    assert (running["operation"]["who"], running["operation"]["run"]) == ("bo", "R-other")
    # The same run after its process has died, and with it, the lock that its Terraform left.
    ledger = recorded.ledger("dev/net")
    recorded.server.store.delete_object("states", "dev/ledger/stacks/net.json")
    assert at_work.operation
    recorded.at_work("dev/net", host=this_machine(), pid=os.getpid(), pid_started="another boot")
    recorded.lock("dev/net")
    dead = status(recorded)["dev/net"]
    assert dead["status"] == "unfinished"
    assert not dead["operation"]["live"]
    assert "infra resume dev/net" in dead["advice"]
    assert dead["lock"]["who"] == "bo@elsewhere"
    assert dead["lock"]["age"] < 60
    text = recorded.infra("status", code=0).out
    assert "unfinished" in text
    assert "the state is locked by bo@elsewhere for apply" in text
    entry = ledger.entry("dev/net")
    assert entry is not None
    assert entry.is_unfinished


@pytest.mark.applied("dev/net")
def test_a_state_that_the_ledger_does_not_know_wants_to_be_adopted(recorded: RecordedProject) -> None:
    recorded.server.store.delete_object("states", "dev/ledger/stacks/net.json")
    stack = status(recorded)["dev/net"]
    assert stack["status"] == "unrecorded"
    assert "infra adopt dev/net" in stack["advice"]
    # An apply that finds nothing to do knows as much.
    recorded.apply("dev/net")
    assert status(recorded)["dev/net"]["status"] == "up-to-date"


@pytest.mark.applied("dev/net", "dev/app")
def test_a_stack_that_trunk_no_longer_has_is_not_forgotten(recorded: RecordedProject) -> None:
    recorded.repo.remove("infra/envs/dev/app/main.tf")
    recorded.repo.commit(message="Drop app")
    stacks = status(recorded)
    assert stacks["dev/app"]["status"] == "deleted"
    assert stacks["dev/app"]["applied"]["subject"] == "First"


def test_a_renamed_stack_keeps_its_memory(recorded: RecordedProject) -> None:
    recorded.repo.commit(
        {
            "infra/envs/dev/app/main.tf": DEPENDENT.replace(
                'backend "gcs" {}',
                'backend "gcs" {\n    bucket = "states"\n    prefix = "dev/state/fixed"\n  }',
            )
        },
        "A state with a place of its own",
    )
    recorded.apply("dev/net", "dev/app")
    config = FILES["infra.yaml"] + "stacks:\n  dev/web: {moved: dev/app}\n"
    text = (recorded.repo.root / "infra/envs/dev/app/main.tf").read_text()
    recorded.repo.remove("infra/envs/dev/app/main.tf")
    recorded.repo.commit({"infra.yaml": config, "infra/envs/dev/web/main.tf": text}, "Rename app to web")
    stacks = status(recorded)
    assert "dev/app" not in stacks
    assert stacks["dev/web"]["applied"]["subject"] == "A state with a place of its own"
    recorded.apply("dev/web")
    assert "dev/ledger/stacks/app.json" not in recorded.objects()
    entry = recorded.ledger("dev/web").entry("dev/web")
    assert entry is not None
    assert entry.moved_from == "dev/app"


@pytest.mark.applied("dev/net")
def test_one_who_may_only_read_sees_it_all(recorded: RecordedProject) -> None:
    before = recorded.objects()
    ran = recorded.reader()("status", "--json", code=0)
    assert ran.stack("dev/net")["status"] == "up-to-date"
    assert recorded.objects() == before


def test_an_object_of_a_newer_infra_is_named_beside_the_others(recorded: RecordedProject) -> None:
    recorded.server.store.insert_object("states", "dev/ledger/stacks/net.json", b'{"version": 9}')
    ran = recorded.infra("status", "--json", code=1)
    assert "knows up to 1" in ran.document["errors"][0]["message"]
    assert "upgrade" in ran.document["errors"][0]["advice"]
    standings = {stack["id"]: stack["status"] for stack in ran.document["stacks"]}
    assert standings.pop("dev/net") == "unreadable"
    assert set(standings.values()) == {"new"}
    text = recorded.infra("status", code=1).out
    assert "dev/ledger/stacks/net.json has version 9" in text
    assert "1 ledger unreadable" in text


def test_watching_shows_it_again_until_ctrl_c(recorded: RecordedProject) -> None:
    argv = [sys.executable, "-m", "orchestrator", "status", "--watch", "--interval", "0.1"]
    env = {
        **os.environ,
        "STORAGE_EMULATOR_HOST": recorded.server.url,
        "INFRA_SANDBOX": "test",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with subprocess.Popen(argv, cwd=recorded.repo.root, env=env, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        seen = 0
        for line in watch.stdout:
            seen += line.startswith("3 stacks: 3 new")
            if seen == 2:
                break
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=20)
    assert watch.returncode == 0


def test_watching_excludes_json(recorded: RecordedProject) -> None:
    recorded.infra("status", "--watch", "--json", code=3)


@pytest.mark.applied
def test_a_few_requests_are_enough(recorded: RecordedProject) -> None:
    before = recorded.server.requests.count
    recorded.infra("status", code=0)
    # One listing of entries, of states and of checks for drift, in each of two environments; the marker and
    # its content.
    assert recorded.server.requests.count - before == 8


def test_the_last_check_for_drift_is_shown(recorded: RecordedProject) -> None:
    assert status(recorded)["dev/net"]["drift"] is None
    assert "never checked" not in recorded.infra("status", code=0).out
    log = DriftLog(recorded.ledger("dev/net").storage, "dev")
    log.save(DriftRecord("dev/net", checked_at="2026-01-02T03:04:05Z", result="clean", severity="none"))
    recorded.server.store.insert_object("states", "dev/drift/stacks/app.json", b"{")
    ran = recorded.infra("status", "--json", code=0)
    check_schema(ran.document, "commands")
    known = {"checked_at": "2026-01-02T03:04:05Z", "result": "clean", "severity": "none", "reason": ""}
    assert ran.stack("dev/net")["drift"] == known
    assert ran.stack("dev/app")["drift"]["result"] == ""
    assert "app.json is not a ledger object" in ran.stack("dev/app")["drift"]["reason"]
    assert ran.stack("prod/net")["drift"] is None
    lines = recorded.infra("status", code=0).out.splitlines()
    assert re.search(r"clean, \d+ days ago", next(line for line in lines if line.startswith("dev/net")))
    assert "never checked" in next(line for line in lines if line.startswith("prod/net"))
    assert "unknown" in next(line for line in lines if line.startswith("dev/app"))


def test_local_states_have_a_ledger_of_this_machine(make_repo: MakeRepo, tmp_path: Path) -> None:
    from tests.support.cli import Infra

    repo = make_repo({"infra/envs/dev/net/main.tf": 'resource "terraform_data" "x" {}\n'})
    state_home = tmp_path / "state-home"
    infra = Infra(repo.root, {"XDG_STATE_HOME": str(state_home)})
    infra("apply", "--all", "--auto-approve", "--confirm", "dev", code=0)
    assert infra("status", "--json", code=0).stack("dev/net")["status"] == "up-to-date"
    assert repo.status == "?? infra/envs/dev/net/terraform.tfstate"
    assert list(state_home.glob("infra/ledger/*/dev/ledger/stacks/net.json"))


def test_two_stacks_on_one_state_are_refused(recorded: RecordedProject) -> None:
    fixed = UPSTREAM.replace("{}", '{\n    bucket = "states"\n    prefix = "dev/state/net"\n  }', 1)
    recorded.repo.commit({"infra/envs/dev/twin/main.tf": fixed}, "A twin")
    ran = recorded.infra("apply", "dev/twin", "--auto-approve", "--json", code=3)
    assert "shares its state with dev/net" in ran.document["errors"][0]["message"]
    assert recorded.objects() == []


def test_two_stacks_on_one_state_stop_only_themselves(recorded: RecordedProject) -> None:
    fixed = UPSTREAM.replace("{}", '{\n    bucket = "states"\n    prefix = "dev/state/net"\n  }', 1)
    recorded.repo.commit(
        {"infra/envs/dev/twin/main.tf": fixed, "infra/envs/dev/other/main.tf": UPSTREAM}, "A twin"
    )
    ran = recorded.infra("apply", "dev/*", "--auto-approve", "--json", code=3)
    results = ran.results
    assert (results["dev/net"], results["dev/twin"], results["dev/other"]) == ("failed", "failed", "applied")
    assert "shares its state with dev/net" in ran.stack("dev/twin")["reason"]
    assert not [name for name in recorded.objects() if name.startswith("dev/state/net")]


@pytest.mark.applied("dev/net")
def test_doctor_reports_interrupted_runs(recorded: RecordedProject) -> None:
    checks = {
        check["name"]: check for check in recorded.infra("doctor", "--json", code=None).document["checks"]
    }
    assert checks["ledger"]["message"] == "it knows 1 of 3 stacks, none interrupted"
    assert "clock" not in checks
    recorded.at_work("dev/net", host=this_machine(), pid=os.getpid(), pid_started="another boot")
    checks = {
        check["name"]: check for check in recorded.infra("doctor", "--json", code=None).document["checks"]
    }
    assert checks["ledger"]["status"] == "warning"
    assert "dev/net" in checks["ledger"]["message"]

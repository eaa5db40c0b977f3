"""A renamed stack whose state lies where infra.yaml puts it: `infra state move` takes it along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.state.marker import FILE_NAME as MARKER
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import CONFIG, FILES, UPSTREAM, RecordedProject, serving

pytestmark = pytest.mark.usefixtures("terraform_argv")

OLD, NEW = "dev/state/net/default.tfstate", "dev/state/lan/default.tfstate"
RENAMED = CONFIG + "stacks:\n  dev/lan: {moved: dev/net}\n"


@pytest.fixture
def recorded(make_steady_repo: MakeRepo, tmp_path: Path) -> Iterator[RecordedProject]:
    files = {name: text for name, text in FILES.items() if "app" not in name}
    with serving(tmp_path / "gcs") as server:
        recorded = RecordedProject(make_steady_repo(files), server)
        recorded.apply("dev/net")
        recorded.repo.remove("infra/envs/dev/net/main.tf")
        recorded.repo.commit({"infra.yaml": RENAMED, "infra/envs/dev/lan/main.tf": UPSTREAM}, "Rename")
        yield recorded


def test_what_was_renamed_waits_for_its_state_and_is_unchanged_with_it(recorded: RecordedProject) -> None:
    data = recorded.server.store.read_object("states", OLD)[1]
    waiting = recorded.infra("plan", "dev/lan", "--json", code=0).stack("dev/lan")
    assert waiting["result"] == "waiting"
    assert OLD in waiting["reason"]
    assert "infra state move dev/lan" in waiting["advice"]
    assert f"stacks.dev/lan.moved_from: gs://states/{OLD}" in waiting["advice"]
    recorded.infra("apply", "dev/lan", "--auto-approve", "--json", code=1)
    assert NEW not in recorded.objects()

    assert "--auto-approve" in recorded.infra("state", "move", "dev/lan", code=4).err
    recorded.infra("state", "move", "dev/lan", "--auto-approve", "--json", code=0)
    assert recorded.objects() == sorted(
        [NEW, "dev/ledger/digest.key", "dev/ledger/stacks/lan.json", MARKER, *runs(recorded)]
    )
    assert recorded.server.store.read_object("states", NEW)[1] == data
    assert recorded.infra("plan", "dev/lan", "--json", code=0).results == {"dev/lan": "unchanged"}
    status = recorded.infra("status", "dev/lan", "--json", code=0).stack("dev/lan")
    assert status["applied"]["subject"] == "First"
    assert not status["state"]["moved"]
    assert status["operation"] is None
    assert (
        "no state under an older name"
        in recorded.infra("state", "move", "dev/lan", "--auto-approve", code=3).err
    )


def test_a_rename_that_declares_where_its_state_was_is_carried_out_by_an_apply(
    recorded: RecordedProject,
) -> None:
    declared = RENAMED.replace("{moved: dev/net}", f"{{moved: dev/net, moved_from: gs://states/{OLD}}}")
    recorded.repo.commit({"infra.yaml": declared}, "Declare the move")
    assert recorded.infra("plan", "dev/lan", "--json", code=0).results == {"dev/lan": "unchanged"}
    recorded.infra("apply", "dev/lan", "--auto-approve", "--json", code=0)
    assert NEW in recorded.objects()
    status = recorded.infra("status", "dev/lan", "--json", code=0).stack("dev/lan")
    assert (status["status"], status["applied"]["subject"]) == ("up-to-date", "Declare the move")


def runs(recorded: RecordedProject) -> list[str]:
    return [name for name in recorded.objects() if "/runs/" in name]


def test_a_locked_state_stays_where_it_is(recorded: RecordedProject) -> None:
    recorded.lock("dev/net")
    ran = recorded.infra("state", "move", "dev/lan", "--auto-approve", code=6)
    assert "bo@elsewhere" in ran.err
    assert OLD in recorded.objects()
    assert NEW not in recorded.objects()


def test_a_local_state_moves_too(make_repo: MakeRepo) -> None:
    config = "version: 1\nbackend:\n  local: {path: '.states/{environment}/{stack}.tfstate'}\n"
    text = 'terraform {\n  backend "local" {}\n}\nresource "terraform_data" "x" {}\n'
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/net/main.tf": text, ".gitignore": ".states/\n"})
    infra = Infra(repo.root, {})
    infra("apply", "--all", "--auto-approve", "--confirm", "dev", code=0)
    before = json.loads((repo.root / ".states/dev/net.tfstate").read_text())
    repo.remove("infra/envs/dev/net/main.tf")
    renamed = config + "stacks:\n  dev/a/lan: {moved: dev/net}\n"
    repo.commit({"infra.yaml": renamed, "infra/envs/dev/a/lan/main.tf": text}, "Rename")
    infra("state", "move", "dev/a/lan", "--auto-approve", "--confirm", "dev", code=0)
    assert json.loads((repo.root / ".states/dev/a/lan.tfstate").read_text()) == before
    assert infra("plan", "dev/a/lan", "--json", code=0).results == {"dev/a/lan": "unchanged"}


@pytest.fixture
def elsewhere(make_steady_repo: MakeRepo, tmp_path: Path) -> Iterator[RecordedProject]:
    """dev/net was applied, and its code names another place for its state now."""
    with serving(tmp_path / "gcs") as server:
        recorded = RecordedProject(
            make_steady_repo({name: text for name, text in FILES.items() if "app" not in name}), server
        )
        recorded.apply("dev/net")
        recorded.repo.commit({"infra.yaml": MOVED}, "Move")
        yield recorded


ELSEWHERE = "dev/elsewhere/net/default.tfstate"
MOVED = CONFIG.replace("states}", 'states, prefix: "{environment}/elsewhere/{stack}"}')


def test_a_state_that_lies_elsewhere_is_no_new_stack(elsewhere: RecordedProject) -> None:
    for command in (("plan",), ("apply", "--auto-approve")):
        stack = elsewhere.infra(*command, "dev/net", "--json", code=4).stack("dev/net")
        assert stack["result"] == "blocked"
        assert OLD in stack["reason"]
        assert ELSEWHERE in stack["reason"]
        assert f"infra state move dev/net --from gs://states/{OLD}" in stack["advice"]
    assert ELSEWHERE not in elsewhere.objects()


def test_it_is_moved_by_hand_and_existing_files_stay(elsewhere: RecordedProject) -> None:
    data = elsewhere.server.store.read_object("states", OLD)[1]
    move = ("state", "move", "dev/net", "--from", f"gs://states/{OLD}", "--auto-approve", "--json")
    assert "no state at" in elsewhere.infra(*move[:4], "gs://states/nowhere", *move[5:], code=3).out
    for _ in range(2):
        elsewhere.infra(*move, code=0)
        for name in (OLD, ELSEWHERE):
            assert elsewhere.server.store.read_object("states", name)[1] == data
    assert not [name for name in elsewhere.objects() if name.endswith(".tflock")]
    assert elsewhere.infra("plan", "dev/net", "--json", code=0).results == {"dev/net": "unchanged"}
    status = elsewhere.infra("status", "dev/net", "--json", code=0).stack("dev/net")
    assert not status["state"]["moved"]


def test_another_state_at_the_target_stays(elsewhere: RecordedProject) -> None:
    elsewhere.ledger("dev/net").storage.write(ELSEWHERE, b'{"version": 4, "serial": 9, "lineage": "x"}')
    ran = elsewhere.infra(
        "state", "move", "dev/net", "--from", f"gs://states/{OLD}", "--auto-approve", "--json", code=1
    )
    assert "Another state is at" in ran.out
    assert elsewhere.server.store.read_object("states", ELSEWHERE)[1].endswith(b'"x"}')


def test_a_stack_whose_state_is_gone_is_forgotten_on_purpose_only(elsewhere: RecordedProject) -> None:
    elsewhere.repo.commit({"infra.yaml": CONFIG}, "Back")
    assert "has a state" in elsewhere.infra("state", "forget", "dev/net", "--reason", "x", code=3).err
    elsewhere.ledger("dev/net").storage.delete(OLD)
    stack = elsewhere.infra("plan", "dev/net", "--json", code=4).stack("dev/net")
    assert stack["result"] == "blocked"
    assert "its object was deleted" in stack["reason"]
    assert "infra state forget dev/net" in stack["advice"]
    assert "--auto-approve" in elsewhere.infra("state", "forget", "dev/net", "--reason", "x", code=4).err
    elsewhere.infra("state", "forget", "dev/net", "--reason", "project deleted", "--auto-approve", code=0)
    assert elsewhere.infra("plan", "dev/net", "--json", code=0).results == {"dev/net": "changed"}
    history = elsewhere.infra("history", "--json", code=0).out
    assert "project deleted" in history


def test_a_declared_move_is_planned_from_the_old_state_and_made_by_the_apply(
    elsewhere: RecordedProject,
) -> None:
    data = elsewhere.server.store.read_object("states", OLD)[1]
    declared = MOVED + "stacks:\n  dev/net: {moved_from: 'gs://states/dev/state/net'}\n"
    elsewhere.repo.commit({"infra.yaml": declared}, "Declare it")
    stack = elsewhere.infra("plan", "dev/net", "--json", code=0).stack("dev/net")
    assert stack["result"] == "unchanged"
    assert stack["reason"] == f"its state moves from gs://states/{OLD} to gs://states/{ELSEWHERE}"
    assert ELSEWHERE not in elsewhere.objects()
    assert "--auto-approve" in elsewhere.infra("apply", "dev/net", code=4).err
    stack = elsewhere.infra("apply", "dev/net", "--auto-approve", "--json", code=0).stack("dev/net")
    assert stack["reason"] == f"its state was moved from gs://states/{OLD}"
    assert elsewhere.server.store.read_object("states", ELSEWHERE)[1] == data
    assert elsewhere.server.store.read_object("states", OLD)[1] == data
    assert not [name for name in elsewhere.objects() if name.endswith(".tflock")]
    status = elsewhere.infra("status", "dev/net", "--json", code=0).stack("dev/net")
    assert (status["status"], status["state"]["moved"]) == ("up-to-date", False)
    assert elsewhere.infra("plan", "dev/net", "--json", code=0).stack("dev/net")["reason"] == ""

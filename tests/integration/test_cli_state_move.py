"""A renamed stack whose state lies where infra.yaml puts it: `infra state move` takes it along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.remembered import CONFIG, FILES, UPSTREAM, Remembered, serving

pytestmark = pytest.mark.usefixtures("terraform_argv")

OLD, NEW = "dev/state/net/default.tfstate", "dev/state/lan/default.tfstate"
RENAMED = CONFIG + "stacks:\n  dev/lan: {moved: dev/net}\n"


@pytest.fixture
def place(make_repo: MakeRepo, tmp_path: Path) -> Iterator[Remembered]:
    files = {name: text for name, text in FILES.items() if "app" not in name}
    with serving(tmp_path / "gcs") as server:
        found = Remembered(make_repo(files), server)
        found.apply("dev/net")
        found.repo.remove("infra/envs/dev/net/main.tf")
        found.repo.commit({"infra.yaml": RENAMED, "infra/envs/dev/lan/main.tf": UPSTREAM}, "Rename")
        yield found


def test_what_was_renamed_waits_for_its_state_and_is_unchanged_with_it(place: Remembered) -> None:
    data = place.server.store.read_object("states", OLD)[1]
    waiting = place.infra("plan", "dev/lan", "--json", code=0).stack("dev/lan")
    assert waiting["result"] == "waiting"
    assert OLD in waiting["reason"]
    assert "infra state move dev/lan" in waiting["advice"]
    place.infra("apply", "dev/lan", "--auto-approve", "--json", code=1)
    assert NEW not in place.objects()

    assert "--auto-approve" in place.infra("state", "move", "dev/lan", code=4).err
    place.infra("state", "move", "dev/lan", "--auto-approve", "--json", code=0)
    assert place.objects() == sorted(
        [NEW, "dev/ledger/digest.key", "dev/ledger/stacks/lan.json", *runs(place)]
    )
    assert place.server.store.read_object("states", NEW)[1] == data
    assert place.infra("plan", "dev/lan", "--json", code=0).results == {"dev/lan": "unchanged"}
    status = place.infra("status", "dev/lan", "--json", code=0).stack("dev/lan")
    assert status["applied"]["subject"] == "First"
    assert not status["state"]["moved"]
    assert status["operation"] is None
    assert (
        "no state under an older name"
        in place.infra("state", "move", "dev/lan", "--auto-approve", code=3).err
    )


def runs(place: Remembered) -> list[str]:
    return [name for name in place.objects() if "/runs/" in name]


def test_a_locked_state_stays_where_it_is(place: Remembered) -> None:
    place.lock("dev/net")
    ran = place.infra("state", "move", "dev/lan", "--auto-approve", code=6)
    assert "bo@elsewhere" in ran.err
    assert OLD in place.objects()
    assert NEW not in place.objects()


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

"""`infra state history|restore|backup`: the versions of a state, and putting one back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import FILES, UPSTREAM, Remembered, serving

pytestmark = pytest.mark.usefixtures("terraform_argv")

STATE = "dev/state/net/default.tfstate"
MORE = UPSTREAM + 'resource "terraform_data" "more" {\n  for_each = toset(["a", "b"])\n}\n'


def versions(place: Remembered) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.infra("state", "history", "dev/net", "--json", code=0).document[
        "versions"
    ]
    return found


def state(place: Remembered) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(place.server.store.read_object("states", STATE)[1])
    return document


def test_what_was_never_applied_has_no_versions(place: Remembered) -> None:
    assert "no state" in place.infra("state", "history", "dev/net", code=1).err


def test_versions_tell_what_changed_and_which_run_wrote_them(place: Remembered) -> None:
    first = place.apply("dev/net").document["run"]["id"]
    place.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    second = place.apply("dev/net").document["run"]["id"]
    found = versions(place)
    newest, before = found[0], found[1]
    assert newest["live"]
    assert newest["serial"] > before["serial"]
    assert newest["run"] == second
    assert newest["resources"] == 3
    assert newest["added"] == ['terraform_data.more["a"]', 'terraform_data.more["b"]']
    assert newest["removed"] == []
    assert first in {one["run"] for one in found}
    assert [one["generation"] for one in found] == sorted((one["generation"] for one in found), reverse=True)
    text = place.infra("state", "history", "dev/net", code=0).out
    assert '+terraform_data.more["a"]' in text
    assert second in text
    assert len(place.infra("state", "history", "dev/net", "--limit", "1", "--json").document["versions"]) == 1


@pytest.mark.applied("dev/net")
def test_an_older_version_comes_back_as_a_new_serial(place: Remembered, tmp_path: Path) -> None:
    old = versions(place)[0]
    place.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    place.apply("dev/net")
    before = state(place)
    infra = Infra(place.repo.root, {**place.infra.env, "XDG_STATE_HOME": str(tmp_path / "home")})

    assert "--auto-approve" in infra("state", "restore", "dev/net", old["generation"], code=4).err
    assert state(place) == before

    ran = infra("state", "restore", "dev/net", str(old["serial"]), "--auto-approve", code=0)
    assert '- terraform_data.more["a"]' in ran.out
    now = state(place)
    assert now["serial"] > before["serial"]
    assert now["lineage"] == before["lineage"]
    assert [resource["name"] for resource in now["resources"]] == ["x"]
    (path,) = (tmp_path / "home/infra/backup").rglob("*net")
    assert json.loads(path.read_text()) == before
    assert path.stat().st_mode & 0o077 == 0
    # No lock is left, the ledger knows, and the stack is owed what the state has forgotten.
    assert not [name for name in place.objects() if name.endswith(".tflock")]
    status = place.infra("status", "dev/net", "--json", code=0).stack("dev/net")
    assert (status["last"]["result"], status["status"]) == ("restored", "pending")
    assert status["operation"] is None
    assert versions(place)[0]["run"] == status["last"]["run"]
    assert place.infra("history", "--json").document["runs"][0]["command"] == "restore"


@pytest.mark.applied("dev/net")
def test_what_cannot_be_put_back_is_refused(place: Remembered) -> None:
    live = versions(place)[0]["generation"]
    given = ("--auto-approve", "--json")
    assert "no version 77" in place.infra("state", "restore", "dev/net", "77", *given, code=3).out
    assert "has now" in place.infra("state", "restore", "dev/net", live, *given, code=3).out
    other = json.dumps({**state(place), "lineage": "another"}).encode()
    place.server.store.insert_object("states", STATE, other)
    refused = place.infra("state", "restore", "dev/net", live, *given, code=1)
    assert "another lineage" in refused.document["errors"][0]["message"]


@pytest.mark.applied("dev/net")
def test_nothing_is_put_back_under_a_run_or_a_lock(place: Remembered) -> None:
    old = versions(place)[-1]["generation"]
    place.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    place.apply("dev/net")
    before = state(place)
    place.lock("dev/net")
    given = ("--auto-approve", "--json")
    place.infra("state", "restore", "dev/net", old, *given, code=6)
    place.infra("unlock", "dev/net", "--auto-approve", code=0)
    place.at_work("dev/net")
    place.infra("state", "restore", "dev/net", old, *given, code=6)
    assert state(place) == before


@pytest.mark.applied("prod/net")
def test_a_protected_environment_wants_its_name(place: Remembered) -> None:
    place.repo.commit({"infra/envs/prod/net/main.tf": MORE}, "More")
    place.apply("prod/net")
    found = place.infra("state", "history", "prod/net", "--json").document["versions"]
    old = found[-1]["generation"]
    refused = place.infra("state", "restore", "prod/net", old, "--auto-approve", code=4)
    assert "prod is protected" in refused.err
    place.infra("state", "restore", "prod/net", old, "--auto-approve", "--confirm", "prod", code=0)


def test_a_bucket_without_versions_has_the_live_one(make_repo: MakeRepo, tmp_path: Path) -> None:
    with serving(tmp_path / "gcs", versioned=False) as server:
        place = Remembered(make_repo(FILES), server)
        place.apply("dev/net")
        place.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
        place.apply("dev/net")
        (only,) = versions(place)
        assert only["live"]
        doctor = place.infra("doctor", "--json", code=None).document["checks"]
        assert any("does not keep old versions" in check["message"] for check in doctor)


@pytest.mark.applied("dev/net", "prod/net")
def test_states_are_copied_with_a_manifest(place: Remembered) -> None:
    ran = place.infra("state", "backup", "--out", "kept", "--json", code=0)
    assert ran.document["stacks"] == ["dev/net", "prod/net"]
    folder = place.repo.root / "kept"
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest["stacks"]["dev/net"]
    assert entry["serial"] == state(place)["serial"]
    assert json.loads((folder / entry["file"]).read_text()) == state(place)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}

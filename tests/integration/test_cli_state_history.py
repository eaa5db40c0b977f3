"""`infra state history|restore|backup`: the versions of a state, and putting one back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import FILES, UPSTREAM, RecordedProject, serving

pytestmark = pytest.mark.usefixtures("terraform_argv")

STATE = "dev/state/net/default.tfstate"
MORE = UPSTREAM + 'resource "terraform_data" "more" {\n  for_each = toset(["a", "b"])\n}\n'


def versions(recorded: RecordedProject) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = recorded.infra("state", "history", "dev/net", "--json", code=0).document[
        "versions"
    ]
    return listed


def state(recorded: RecordedProject) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(recorded.server.store.read_object("states", STATE)[1])
    return document


def test_what_was_never_applied_has_no_versions(recorded: RecordedProject) -> None:
    assert "no state" in recorded.infra("state", "history", "dev/net", code=1).err


def test_versions_report_what_changed_and_which_run_wrote_them(recorded: RecordedProject) -> None:
    first = recorded.apply("dev/net").document["run"]["id"]
    recorded.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    second = recorded.apply("dev/net").document["run"]["id"]
    listed = versions(recorded)
    newest, before = listed[0], listed[1]
    assert newest["live"]
    assert newest["serial"] > before["serial"]
    assert newest["run"] == second
    assert newest["resources"] == 3
    assert newest["added"] == ['terraform_data.more["a"]', 'terraform_data.more["b"]']
    assert newest["removed"] == []
    assert first in {version["run"] for version in listed}
    assert [version["generation"] for version in listed] == sorted(
        (version["generation"] for version in listed), reverse=True
    )
    text = recorded.infra("state", "history", "dev/net", code=0).out
    assert '+terraform_data.more["a"]' in text
    assert second in text
    assert (
        len(recorded.infra("state", "history", "dev/net", "--limit", "1", "--json").document["versions"]) == 1
    )


@pytest.mark.applied("dev/net")
def test_an_older_version_comes_back_as_a_new_serial(recorded: RecordedProject, tmp_path: Path) -> None:
    old = versions(recorded)[0]
    recorded.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    recorded.apply("dev/net")
    before = state(recorded)
    infra = Infra(recorded.repo.root, {**recorded.infra.env, "XDG_STATE_HOME": str(tmp_path / "home")})

    assert "--auto-approve" in infra("state", "restore", "dev/net", old["generation"], code=4).err
    assert state(recorded) == before

    ran = infra("state", "restore", "dev/net", str(old["serial"]), "--auto-approve", code=0)
    assert '- terraform_data.more["a"]' in ran.out
    now = state(recorded)
    assert now["serial"] > before["serial"]
    assert now["lineage"] == before["lineage"]
    assert [resource["name"] for resource in now["resources"]] == ["x"]
    (path,) = (tmp_path / "home/infra/backup").rglob("*net")
    assert json.loads(path.read_text()) == before
    assert path.stat().st_mode & 0o077 == 0
    # No lock is left, the ledger knows, and the stack is owed what the state has forgotten.
    assert not [name for name in recorded.objects() if name.endswith(".tflock")]
    status = recorded.infra("status", "dev/net", "--json", code=0).stack("dev/net")
    assert (status["last"]["result"], status["status"]) == ("restored", "pending")
    assert status["operation"] is None
    assert versions(recorded)[0]["run"] == status["last"]["run"]
    assert recorded.infra("history", "--json").document["runs"][0]["command"] == "restore"


@pytest.mark.applied("dev/net")
def test_what_cannot_be_put_back_is_refused(recorded: RecordedProject) -> None:
    live = versions(recorded)[0]["generation"]
    options = ("--auto-approve", "--json")
    assert "no version 77" in recorded.infra("state", "restore", "dev/net", "77", *options, code=3).out
    assert "has now" in recorded.infra("state", "restore", "dev/net", live, *options, code=3).out
    other = json.dumps({**state(recorded), "lineage": "another"}).encode()
    recorded.server.store.insert_object("states", STATE, other)
    refused = recorded.infra("state", "restore", "dev/net", live, *options, code=1)
    assert "another lineage" in refused.document["errors"][0]["message"]


@pytest.mark.applied("dev/net")
def test_nothing_is_put_back_under_a_run_or_a_lock(recorded: RecordedProject) -> None:
    old = versions(recorded)[-1]["generation"]
    recorded.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
    recorded.apply("dev/net")
    before = state(recorded)
    recorded.lock("dev/net")
    options = ("--auto-approve", "--json")
    recorded.infra("state", "restore", "dev/net", old, *options, code=6)
    recorded.infra("unlock", "dev/net", "--auto-approve", code=0)
    recorded.at_work("dev/net")
    recorded.infra("state", "restore", "dev/net", old, *options, code=6)
    assert state(recorded) == before


@pytest.mark.applied("prod/net")
def test_a_protected_environment_wants_its_name(recorded: RecordedProject) -> None:
    recorded.repo.commit({"infra/envs/prod/net/main.tf": MORE}, "More")
    recorded.apply("prod/net")
    listed = recorded.infra("state", "history", "prod/net", "--json").document["versions"]
    old = listed[-1]["generation"]
    refused = recorded.infra("state", "restore", "prod/net", old, "--auto-approve", code=4)
    assert "prod is protected" in refused.err
    recorded.infra("state", "restore", "prod/net", old, "--auto-approve", "--confirm", "prod", code=0)


def test_a_bucket_without_versions_has_the_live_one(make_repo: MakeRepo, tmp_path: Path) -> None:
    with serving(tmp_path / "gcs", versioned=False) as server:
        recorded = RecordedProject(make_repo(FILES), server)
        recorded.apply("dev/net")
        recorded.repo.commit({"infra/envs/dev/net/main.tf": MORE}, "More")
        recorded.apply("dev/net")
        (only,) = versions(recorded)
        assert only["live"]
        doctor = recorded.infra("doctor", "--json", code=None).document["checks"]
        assert any("does not keep old versions" in check["message"] for check in doctor)


@pytest.mark.applied("dev/net", "prod/net")
def test_states_are_copied_with_a_manifest(recorded: RecordedProject) -> None:
    ran = recorded.infra("state", "backup", "--out", "kept", "--json", code=0)
    assert ran.document["stacks"] == ["dev/net", "prod/net"]
    folder = recorded.repo.root / "kept"
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest["stacks"]["dev/net"]
    assert entry["serial"] == state(recorded)["serial"]
    assert json.loads((folder / entry["file"]).read_text()) == state(recorded)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}

"""`infra plan` that shows a plan again, and everything that makes it plan once more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra, InfraResult

MAIN = """\
terraform {
  backend "local" {}
}
variable "size" {
  default = "1"
}
resource "terraform_data" "x" {
  input = var.size
}
output "id" {
  value = terraform_data.x.output
}
"""
READER = """\
terraform {
  backend "local" {}
}
data "terraform_remote_state" "net" {
  backend = "local"
  config  = { path = "../net/terraform.tfstate" }
}
resource "terraform_data" "y" {
  input = data.terraform_remote_state.net.outputs.id
}
"""
NET, APP = "infra/envs/dev/net/main.tf", "infra/envs/dev/app/main.tf"


@pytest.fixture
def infra(make_repo: MakeRepo, tmp_path: Path) -> Infra:
    repo = make_repo({NET: MAIN, APP: READER, "infra.yaml": "environments: {dev: {protected: false}}\n"})
    home = tmp_path / "home"
    home.mkdir()
    infra = Infra(repo.root, {"CI": "", "GITHUB_ACTIONS": "", "HOME": str(home)})
    infra("apply", "--all", "--auto-approve", code=0)
    return infra


def plan(infra: Infra, *options: str) -> tuple[InfraResult, dict[str, bool]]:
    """A plan of everything, and which stacks were shown from an earlier one."""
    ran = infra(*options, "plan", "--all", "--json", code=0)
    return ran, {stack["id"]: "planned" in stack["reason"] for stack in ran.document["stacks"]}


def test_a_plan_is_shown_again_until_anything_it_was_made_from_changes(infra: Infra) -> None:
    again, new = {"dev/net": True, "dev/app": True}, {"dev/net": False, "dev/app": False}
    assert plan(infra)[1] == new
    ran, reused = plan(infra)
    assert reused == again
    assert ran.results == {"dev/net": "unchanged", "dev/app": "unchanged"}
    assert plan(infra, "--cold")[1] == new

    code = infra.root / NET
    code.write_text(code.read_text().replace('"1"', '"2"'))
    ran, reused = plan(infra)
    assert (ran.results["dev/net"], reused) == ("changed", {"dev/net": False, "dev/app": True})
    before = ran.stack("dev/net")["changes"]
    ran, reused = plan(infra)
    assert (ran.stack("dev/net")["changes"], reused) == (before, again)

    # A new state of what is read, and of the stack itself.
    infra("apply", "dev/net", "--auto-approve", code=0)
    ran, reused = plan(infra)
    assert (ran.results, reused) == ({"dev/net": "unchanged", "dev/app": "changed"}, new)
    assert plan(infra)[1] == again
    with_variable = Infra(infra.root, {**infra.env, "TF_VAR_size": "3"})
    assert plan(with_variable)[1] == new


Change = Callable[[Infra], Infra]


def settings(text: str) -> Change:
    def change(infra: Infra) -> Infra:
        (infra.root / "infra.yaml").write_text(f"environments: {{dev: {{protected: false}}}}\n{text}\n")
        return infra

    return change


def log_in(infra: Infra) -> Infra:
    """As another account of Google's."""
    folder = Path(infra.env["HOME"], ".config/gcloud")
    folder.mkdir(parents=True)
    (folder / "active_config").write_text("other")
    return infra


def grow_old(infra: Infra) -> Infra:
    """As if the plans had been made more than an hour ago."""
    for path in (infra.root / ".infra/cache/plans").iterdir():
        saved = json.loads(path.read_text())
        path.write_text(json.dumps({**saved, "planned_at": saved["planned_at"] - 3601}))
    return infra


@pytest.mark.parametrize(
    "change",
    [
        settings("plan: {reuse: 0}"),
        settings("masking: {names: [input]}"),
        log_in,
        grow_old,
        lambda infra: Infra(infra.root, {**infra.env, "CI": "true"}),
    ],
    ids=["switched off", "masking", "account", "age", "CI"],
)
def test_other_settings_make_another_plan(infra: Infra, change: Change) -> None:
    plan(infra)
    assert not any(plan(change(infra))[1].values())


def test_what_is_saved_is_masked_and_private(infra: Infra) -> None:
    plan(infra)
    files = list((infra.root / ".infra/cache/plans").iterdir())
    assert sorted(path.name for path in files) == ["dev%2Fapp.json", "dev%2Fnet.json"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    for path in files:
        path.write_bytes(b"{")
    assert not any(plan(infra)[1].values())


def test_a_plan_for_files_is_always_made(infra: Infra, tmp_path: Path) -> None:
    plan(infra)
    ran = infra("plan", "--all", "--json", "--out", str(tmp_path / "plans"), code=0)
    assert not any("planned" in stack["reason"] for stack in ran.document["stacks"])

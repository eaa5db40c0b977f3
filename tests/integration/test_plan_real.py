"""What real Terraform prints of hostile values: no secret survives, and its plan files are known."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.masking import HIDDEN, Masker
from orchestrator.plan.plan_file import plan_file_info
from orchestrator.plan.reader import read_plan

# Each is told apart by the word in it; what is around it is what breaks naive masking.
AROUND = (
    'say "{}"', "back\\{}\\", "<{}>&", "${{{}}}", "%{{{}}}", "tab\t{}\tend", "line\n{}\nend\n",
    "ü{}\u2028é", "EOT\n{}\nEOT\n", " {} ", "'{}'", '{{"a":"{}"}}', "-> {}", "# {}", "\x7f{}\x01",
    "{} -> null", '"{}', "a,{},b", "= {}", "😀{}",
)  # fmt: skip

CONFIG = """
variable "values" { type = list(string) }

locals {
  keyed = { for index, value in var.values : "k${index}" => value }
}

resource "terraform_data" "by_name" {
  for_each = local.keyed
  input    = { password = "name-${each.value}", plain = "x" }
}

resource "terraform_data" "by_json" {
  for_each = local.keyed
  input = jsonencode({
    api_key = "json-${each.value}"
    deep    = jsonencode({ token = "deep-${each.value}" })
  })
}

resource "terraform_data" "by_list" {
  input = { secrets = [for value in var.values : "list-${value}"] }
}

resource "terraform_data" "by_pair" {
  input = { env = [for index, value in var.values : { name = "DB_PASSWORD", value = "pair-${value}" }] }
}

resource "terraform_data" "by_mark" {
  input = sensitive([for value in var.values : "mark-${value}"])
}

output "credentials" {
  value = { for index, value in var.values : index => "output-${value}" }
}

output "plain" {
  value = "in clear"
}
"""


@dataclass
class RealPlan:
    """A plan that Terraform made: its file, its JSON, and what it printed."""

    file: Path
    show_json: bytes
    diff: str


def make(folder: Path, argv: tuple[str, ...], env: Mapping[str, str]) -> RealPlan:
    def run(*arguments: str) -> bytes:
        done = subprocess.run([*argv, *arguments], cwd=folder, env=env, capture_output=True, check=False)
        assert done.returncode in (0, 2), done.stderr.decode()
        return done.stdout

    values = [text.format(f"hunter2x{index}") for index, text in enumerate(AROUND)]
    folder.mkdir()
    (folder / "main.tf").write_text(CONFIG)
    (folder / "terraform.tfvars.json").write_text(json.dumps({"values": values}))
    run("init")
    diff = run("plan", "-no-color", "-out=plan.tfplan").decode()
    return RealPlan(folder / "plan.tfplan", run("show", "-json", "plan.tfplan"), diff)


@pytest.fixture(scope="module", params=["terraform_argv", "embedded_argv"])
def real_plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealPlan:
    argv: tuple[str, ...] = request.getfixturevalue(request.param)
    return make(tmp_path_factory.mktemp("plan") / "root", argv, dict(os.environ))


def test_no_hostile_value_survives(real_plan: RealPlan) -> None:
    plan = read_plan(real_plan.show_json, Masker())
    assert real_plan.diff.count("hunter2x") > 100
    masked = plan.mask(real_plan.diff)
    lines = [line for line in masked.splitlines() if "hunter2x" in line]
    assert lines == []
    assert "hunter2x" not in json.dumps([change.document() for change in plan.changes]) + repr(plan)
    assert masked.count("terraform_data.by_name[") == len(AROUND)
    assert masked.count('+ plain    = "x"') == len(AROUND)
    assert '+ plain       = "in clear"' in masked
    assert f"+ credentials = {HIDDEN}" in masked
    assert "Plan: 43 to add, 0 to change, 0 to destroy." in masked


def test_the_diff_alone_shows_nothing_by_name_or_shape(real_plan: RealPlan) -> None:
    masked = Masker().mask_text(real_plan.diff)
    assert [line for line in masked.splitlines() if "hunter2x" in line] == []


def test_the_plan_file_names_its_terraform(real_plan: RealPlan) -> None:
    info = plan_file_info(real_plan.file)
    assert info.format_ok
    assert info.terraform_version == json.loads(real_plan.show_json)["terraform_version"]

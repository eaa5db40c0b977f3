"""Providers that stay running for a whole run, held to what Terraform plans with its own."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.terraform.binary import Binary
from tests.conftest import MakeRepo
from tests.support import plugin_provider, warm_oracle
from tests.support.cli import Infra
from tests.support.schemas import check_schema

STACK = """\
terraform {
  required_providers {
    thing = { source = "example.com/test/thing" }
  }
  backend "local" {}
}
provider "thing" {
  project = "first"
}
provider "thing" {
  alias   = "other"
  project = "second"
}
resource "thing_item" "a" {
  name   = "%s"
  secret = "hunter2-%s"
}
resource "thing_item" "b" {
  provider = thing.other
  name     = "b"
}
"""
NAMES = ("a", "b")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A filesystem mirror with the provider; its log is there too."""
    plugin_provider.install(tmp_path / "mirror")
    return tmp_path / "mirror"


def project(make_repo: MakeRepo, mirror: Path, tmp_path: Path, **files: str) -> Infra:
    stacks = {f"infra/envs/dev/{name}/main.tf": STACK % (name, name) for name in NAMES}
    repo = make_repo(stacks | {"infra.yaml": "environments: {dev: {}}\n"} | files)
    settings = plugin_provider.cli_configuration(mirror, tmp_path / "terraformrc")
    return Infra(repo.root, {"TF_CLI_CONFIG_FILE": str(settings)})


def planned(infra: Infra, *, cold: bool = False) -> list[Any]:
    """The changes of every stack, as `--json` shows them."""
    ran = infra(*(("--cold",) if cold else ()), "plan", "--all", "--json", code=0)
    return [(stack["id"], stack["result"], stack["changes"]) for stack in ran.document["stacks"]]


def test_plans_are_those_of_providers_of_their_own(make_repo: MakeRepo, mirror: Path, tmp_path: Path) -> None:
    infra = project(make_repo, mirror, tmp_path)
    warm = planned(infra)
    lines = plugin_provider.log_lines(mirror)
    assert sorted(line for line in lines if line.startswith("configure")) == [
        "configure first",
        "configure second",
    ]
    # One for each configuration, and one for what comes before any.
    assert sum(line.startswith("start") for line in lines) == 3
    assert planned(infra, cold=True) == warm
    assert len(plugin_provider.log_lines(mirror)) > 2 * len(lines)
    text = json.dumps(warm)
    assert '"first"' in text
    assert '"second"' in text
    assert "unconfigured" not in text
    assert "hunter2" not in text


def test_a_provider_that_dies_costs_a_plan_of_its_own_and_no_more(
    make_repo: MakeRepo, mirror: Path, tmp_path: Path
) -> None:
    path = "infra/envs/dev/a/main.tf"
    infra = project(make_repo, mirror, tmp_path, **{path: (STACK % ("a", "a")).replace('"second"', '"dies"')})
    ran = infra("--debug", "plan", "dev/a", "dev/b", "--json", code=1)
    assert ran.results == {"dev/a": "failed", "dev/b": "changed"}
    assert "a is planned with providers of its own" in ran.err


def test_a_stack_that_names_its_own_files_has_providers_of_its_own(
    make_repo: MakeRepo, mirror: Path, tmp_path: Path
) -> None:
    path = "infra/envs/dev/a/main.tf"
    infra = project(make_repo, mirror, tmp_path, **{path: STACK % ("./main.tf", "a")})
    ran = infra("--debug", "plan", "dev/a", "--json", code=0)
    assert ran.results == {"dev/a": "changed"}
    assert "'./main.tf' may be a file of the stack's folder" in ran.err


@pytest.fixture
def laptop(make_repo: MakeRepo, mirror: Path, tmp_path: Path) -> Iterator[Infra]:
    """A project outside CI whose providers stay running between runs; they are ended after the test."""
    settings = "environments: {dev: {}}\nterraform: {warm: 10m}\nplan: {reuse: 0}\n"
    infra = project(make_repo, mirror, tmp_path, **{"infra.yaml": settings})
    # A short path: that of a socket may have a hundred characters.
    with tempfile.TemporaryDirectory() as folder:
        env = {**infra.env, "XDG_RUNTIME_DIR": folder, "CI": "", "GITHUB_ACTIONS": ""}
        laptop = Infra(infra.root, env)
        yield laptop
        laptop("warm", "stop", code=0)
        assert not list(Path(folder).glob("infra/providers-*"))


def test_between_runs_providers_stay_and_what_happens_to_them_costs_no_plan(
    laptop: Infra, mirror: Path
) -> None:
    def starts() -> int:
        return sum(line.startswith("start") for line in plugin_provider.log_lines(mirror))

    expected = planned(laptop, cold=True)
    assert laptop("warm", "status", code=0).out == "No provider stays running.\n"
    before = starts()
    assert [planned(laptop), planned(laptop)] == [expected, expected]
    # Not one more in the second run.
    assert starts() == before + 3
    status = laptop("warm", "status", "--json", code=0)
    check_schema(status.document, "warm")
    (host,) = status.document["hosts"]
    assert len(host["providers"]) == 3
    assert "hunter2" not in status.out
    assert "3 now" in laptop("doctor").out
    # Another environment has processes of its own.
    other = Infra(laptop.root, {**laptop.env, "GOOGLE_PROJECT": "other"})
    assert planned(other) == expected
    assert starts() == before + 6
    for provider in host["providers"]:
        os.kill(provider["pid"], signal.SIGKILL)
    assert planned(laptop) == expected
    assert starts() == before + 9
    # Its providers end with it, and its socket lies there still.
    os.kill(host["pid"], signal.SIGKILL)
    ran = laptop("--timing", "plan", "--all", "--json", code=0)
    assert "terraform plan: 2 times" in ran.err
    assert starts() == before + 12
    stopped = laptop("warm", "stop", "--json", code=0).document
    check_schema(stopped, "warm")
    assert len(stopped["stopped"]) == 1


def test_a_random_stack_is_planned_as_with_providers_of_its_own(
    binary: Binary, child_env: dict[str, str], tmp_path: Path
) -> None:
    """One whose provider dies at work; `make soak PART=warm` plays two hundred."""
    with warm_oracle.thing_oracle(binary, tmp_path, child_env) as oracle:
        assert not warm_oracle.play_stacks(oracle, warm_oracle.thing_stack, 1, [2])

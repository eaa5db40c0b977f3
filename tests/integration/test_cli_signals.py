"""A run that is cancelled off a terminal, as in CI: one signal, an orderly end, one document."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRepo
from tests.support.repo import Repo
from tests.support.warm import Forked

SLOW = """
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "touch started; exec sleep 30"
  }
}
resource "terraform_data" "after" {
  depends_on = [terraform_data.slow]
}
"""
# Reading a state takes long; Terraform plans on as long as the one that answers lets it.
PLANS_SLOWLY = """#!/bin/sh
if [ "$1" = plan ]; then
  touch "$(dirname "$0")/started"
  trap 'echo "Error: interrupted" >&2; exit 1' INT
  sleep 600 &
  wait
fi
exec {real} "$@"
"""


@pytest.fixture
def project(make_repo: MakeRepo) -> Repo:
    files = {f"infra/envs/{name}/main.tf": SLOW for name in ("dev/a", "prod/a")}
    return make_repo({".gitignore": "*.tfstate*\n", **files})


def cancelled(project: Repo, number: int, begun: Path, *argv: str) -> tuple[int, dict[str, Any]]:
    """Run `infra`, send it a signal when the file `begun` is there; its exit code and document."""
    child = Forked([*argv, "--json"], project.root, os.environ)
    try:
        end = time.monotonic() + 60
        while not begun.exists():
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        child.send_signal(number)
        out, _ = child.communicate(timeout=120)
        return child.wait(), json.loads(out)
    finally:
        child.kill()
        child.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_apply_keeps_what_was_made(
    project: Repo, terraform_argv: tuple[str, ...], number: int
) -> None:
    folder = project.root / "infra/envs/dev/a"
    argv = ("apply", "--all", "--auto-approve", "--confirm", "prod")
    code, document = cancelled(project, number, folder / "started", *argv)
    assert code == document["exit_code"] == 7
    dev, prod = document["stacks"]
    assert "interrupted while applying" in dev["reason"]
    assert "applied before it failed: terraform_data.first (create)" in dev["notes"]
    assert (prod["result"], prod["reason"]) == ("aborted", "the run was interrupted")
    loads = json.loads((folder / "terraform.tfstate").read_text())
    assert {resource["name"] for resource in loads["resources"]} == {"first", "slow"}
    assert not (folder / ".terraform.tfstate.lock.info").exists()


def test_a_cancelled_plan_is_no_failure(project: Repo, terraform_argv: tuple[str, ...]) -> None:
    project.write(
        {
            "infra.yaml": "terraform: {binary: bin/terraform}\n",
            "bin/terraform": PLANS_SLOWLY.format(real=terraform_argv[0]),
        }
    )
    (project.root / "bin/terraform").chmod(0o755)
    argv = ("plan", "--all", "--parallelism", "1")
    code, document = cancelled(project, signal.SIGTERM, project.root / "bin/started", *argv)
    assert code == document["exit_code"] == 130
    assert {stack["result"] for stack in document["stacks"]} == {"aborted"}
    assert document["errors"] == []

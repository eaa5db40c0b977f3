"""Two applies of one stack at once: one goes on, the other says who is at work and changes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.warm import Forked

# The provisioner holds the lock until the test has seen what the other one does.
MAIN = """
terraform {
  backend "gcs" {}
}
resource "terraform_data" "x" {
  input = "one"
  provisioner "local-exec" {
    command = "touch '${path.root}/begun'; until [ -e '${path.root}/go' ]; do sleep 0.05; done"
  }
}
"""
STACK = "infra/envs/dev/net"


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which Terraform and we keep states in a bucket."""
    with GcsServer(tmp_path / "gcs") as server:
        server.store.create_bucket("p", {"name": "states"})
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.open_port()}", "INFRA_SANDBOX": "here"}


def two_applies(infra: Infra) -> None:
    """Apply while another process applies; then let that one end."""
    folder = infra.root / STACK
    argv = ("apply", "dev/net", "--auto-approve", "--confirm", "dev")
    first = Forked(argv, infra.root, {**os.environ, **infra.env})
    try:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = infra(*argv, "--json")
    finally:
        (folder / "go").touch()
        output = first.communicate(timeout=60)
        first.close()
    assert first.returncode == 0, output
    assert second.code == 6, second.out
    assert second.results == {"dev/net": "locked"}
    reason = second.stack("dev/net")["reason"]
    assert f"from {os.uname().nodename} since 20" in reason
    assert "runs apply" in reason
    assert infra("plan", "dev/net", "--json", code=0).results == {"dev/net": "unchanged"}


def test_with_the_state_on_disk(make_repo: MakeRepo, terraform_argv: tuple[str, ...]) -> None:
    code = MAIN.replace('backend "gcs" {}', 'backend "local" {}')
    two_applies(Infra(make_repo({".gitignore": "*.tfstate*\n", f"{STACK}/main.tf": code}).root, {}))


def test_with_the_state_in_a_bucket(
    make_repo: MakeRepo, bucket: dict[str, str], terraform_argv: tuple[str, ...]
) -> None:
    config = "backend: {gcs: {bucket: states}}\n"
    two_applies(Infra(make_repo({"infra.yaml": config, f"{STACK}/main.tf": MAIN}).root, bucket))

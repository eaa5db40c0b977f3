"""A small project with its states and its ledger in a bucket of the sandbox's server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.repository.loading import load
from orchestrator.sandbox.gcs.buckets import system_clock
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import LedgerEntry, Operation
from tests.support.cli import Infra, InfraResult
from tests.support.direct import answering_directly
from tests.support.repo import Repo

CONFIG = "version: 1\nbackend:\n  gcs: {bucket: states}\n"

UPSTREAM = """
terraform {
  backend "gcs" {}
}
resource "terraform_data" "x" {
  input = "one"
}
output "x" {
  value = terraform_data.x.output
}
output "y" {
  value = "why"
}
"""

DEPENDENT = """
terraform {
  backend "gcs" {}
}
data "terraform_remote_state" "net" {
  backend = "gcs"
  config = {
    bucket = "states"
    prefix = "dev/state/net"
  }
}
resource "terraform_data" "y" {
  input = data.terraform_remote_state.net.outputs.x
}
"""

FILES = {
    "infra.yaml": CONFIG,
    "infra/envs/dev/net/main.tf": UPSTREAM,
    "infra/envs/dev/app/main.tf": DEPENDENT,
    "infra/envs/prod/net/main.tf": UPSTREAM,
}


@contextmanager
def serving(
    folder: Path, *, versioned: bool = True, clock: Callable[[], datetime] = system_clock
) -> Iterator[GcsServer]:
    """A server with the bucket `states`; in a folder that is there already, as it was left.

    `infra` in this process needs no connection to it; Terraform does.
    """
    is_dir = folder.is_dir()
    with GcsServer(folder, clock=clock) as server, answering_directly(server):
        if not is_dir:
            server.store.create_bucket("p", _bucket(versioned))
        yield server


def applied_before(folder: Path, worlds: Path, *names: str) -> None:
    """Lay out a bucket (`gcs`) and the project (`repo`) in which some stacks, or all, were applied.

    The first one is applied, in a folder below `worlds`; the others are copies of it.
    """
    world = worlds / ("+".join(names).replace("/", "-") or "all")
    if not world.exists():
        with serving(world / "gcs") as server:
            RecordedProject(Repo(world / "repo", FILES), server).apply(*names)
    shutil.copytree(world, folder, symlinks=True, dirs_exist_ok=True)


def _bucket(versioned: bool) -> dict[str, Any]:
    return {
        "name": "states",
        "versioning": {"enabled": versioned},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    }


@dataclass(frozen=True)
class RecordedProject:
    """A project with its states and its ledger in a bucket, the server of the bucket, and `infra` in it."""

    repo: Repo
    server: GcsServer

    @property
    def infra(self) -> Infra:
        """`infra` as the bucket's owner."""
        return self.as_account(None)

    def as_account(self, member: str | None) -> Infra:
        """`infra` as an account."""
        return Infra(
            self.repo.root, {"STORAGE_EMULATOR_HOST": self.server.url_of(member), "INFRA_SANDBOX": "test"}
        )

    def reader(self) -> Infra:
        """`infra` as an account that may only read."""
        member = "serviceAccount:reader@p.iam.gserviceaccount.com"
        policy = self.server.store.get_bucket_policy("states")
        policy["bindings"].append({"role": "roles/storage.objectViewer", "members": [member]})
        self.server.store.set_bucket_policy("states", policy)
        return self.as_account(member)

    def apply(self, *names: str) -> InfraResult:
        """Apply some stacks."""
        consent = ("--auto-approve", "--confirm", "dev", "--confirm", "prod")
        return self.infra("apply", *(names or ("--all",)), *consent, "--json", code=0)

    def ledger(self, stack: str) -> Ledger:
        """The ledger that a stack is in, as the program finds it."""
        project = load(self.repo.root)
        env = {"STORAGE_EMULATOR_HOST": self.server.url, "INFRA_SANDBOX": "test"}
        return Ledgers(project, States(project, env), env).of(project.stacks[stack])

    def at_work(self, stack: str, *, host: str = "elsewhere/1", pid: int = 0, **more: Any) -> LedgerEntry:
        """Another run is in the middle of applying a stack."""
        ledger = self.ledger(stack)
        operation = Operation(
            "R-other", "apply", "planned", "bo", "elsewhere", "c" * 40, host=host, pid=pid, **more
        )
        begun = ledger.begin(stack, operation, ledger.entry(stack))
        assert begun.operation
        return ledger.mark(begun, replace(begun.operation, phase="applying"))

    def lock(self, stack: str, who: str = "bo@elsewhere") -> str:
        """Somebody's Terraform holds a state; returns the lock's generation."""
        environment, _, name = stack.partition("/")
        content = {
            "ID": "1c2d3e4f-0000-4000-8000-000000000000",
            "Operation": "OperationTypeApply",
            "Who": who,
            "Version": "1.11.4",
            "Created": "2026-01-02T03:04:05Z",
            "Info": "",
        }
        stored = self.server.store.insert_object(
            "states", f"{environment}/state/{name}/default.tflock", json.dumps(content).encode()
        )
        return str(stored["generation"])

    def objects(self) -> list[str]:
        """The names of all live objects."""
        return sorted(item["name"] for item in self.server.store.list_objects("states").items)

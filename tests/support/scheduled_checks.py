"""A project whose states are in a bucket and whose resources are in a simulated world, checked for drift."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.sandbox.world import World
from tests.support.cli import Infra, InfraResult
from tests.support.recorded_stack import serving
from tests.support.repo import Repo
from tests.support.schemas import check_schema

DRIFT_ACCOUNT = "serviceAccount:drift@p.iam.gserviceaccount.com"
CONFIG = (
    "version: 1\nbackend:\n  gcs: {bucket: states}\nenvironments:\n  dev: {}\n  prod: {protected: true}\n"
)
HEAD = """
terraform {
  backend "gcs" {}
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

provider "google" {
  project = "example-dev"
  region  = "europe-west1"
}
"""
TYPES = [
    "google_cloud_run_v2_service",
    "google_colab_schedule",
    "google_compute_network",
    "google_pubsub_topic",
    "google_secret_manager_secret_version",
]


@contextmanager
def serving_types(folder: Path) -> Iterator[tuple[ProviderServer, int]]:
    """A server of `TYPES` for many checks, and the pid of its sentinel."""
    server = ProviderServer(folder, RecordedSchemas())
    server.start()
    server.serve_types("google", TYPES)
    sentinel = Sentinel()
    try:
        yield server, sentinel.pid
    finally:
        server.close()
        sentinel.close()


@dataclass(frozen=True)
class ScheduledChecks:
    """The project, the bucket's server, the world, and `infra` as its owner or as the drift account."""

    repo: Repo
    server: GcsServer
    world: World
    attached: str

    def infra(self, *argv: str, code: int | None = None, **env: str) -> InfraResult:
        """`infra` as the owner of everything."""
        return self._as(None, env)(*argv, code=code)

    def _as(self, member: str | None, env: dict[str, str]) -> Infra:
        variables = {
            "STORAGE_EMULATOR_HOST": self.server.url_of(member),
            "TF_REATTACH_PROVIDERS": self.attached,
            "INFRA_SANDBOX": "test",
        }
        return Infra(self.repo.root, {**variables, **env})

    def apply(self, *names: str, code: int = 0) -> InfraResult:
        """Apply some stacks, or all, as the working tree has them."""
        yes = ("--auto-approve", "--allow-destroy", "--confirm", "dev", "--confirm", "prod", "--json")
        return self.infra("apply", *(names or ("--all",)), *yes, code=code)

    def check(self, *argv: str, code: int | None = None, **env: str) -> dict[str, Any]:
        """`infra drift --json` as the account that may only read, and write what it found."""
        document = self._as(DRIFT_ACCOUNT, env)("drift", *argv, "--json", code=code).document
        check_schema(document, "drift")
        return document

    def print_checks(self, *argv: str, code: int | None = None) -> InfraResult:
        """`infra drift` as people see it."""
        return self._as(DRIFT_ACCOUNT, {})("drift", *argv, code=code)

    def classes(self, *argv: str, code: int | None = None) -> dict[str, dict[str, str]]:
        """Address → attribute → class, of all stacks that were checked; `kind` stands for the resource."""
        statuses: dict[str, dict[str, str]] = {}
        for stack in self.check(*argv, code=code)["stacks"]:
            for resource in stack["resources"]:
                attributes = {part["path"]: part["class"] for part in resource["attributes"]}
                statuses[resource["address"]] = {"kind": resource["difference"], **attributes}
        return statuses

    def objects(self, prefix: str = "") -> dict[str, str]:
        """The live objects and their generations."""
        listed = self.server.store.list_objects("states").items
        return {
            resource["name"]: resource["generation"]
            for resource in listed
            if resource["name"].startswith(prefix)
        }

    def contents(self, prefix: str = "") -> dict[str, bytes]:
        """The live objects and what they hold."""
        return {name: self.server.store.read_object("states", name)[1] for name in self.objects(prefix)}

    def world_files(self) -> dict[str, bytes]:
        """Everything that the world is, by file."""
        files = (path for path in sorted(self.world.root.rglob("*")) if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    def lock(self, stack: str, created: str, who: str = "bo@elsewhere") -> None:
        """Somebody's Terraform holds a state."""
        environment, _, name = stack.partition("/")
        content = {"ID": "1", "Operation": "OperationTypeApply", "Who": who, "Created": created, "Info": ""}
        lock_name = f"{environment}/state/{name}/default.tflock"
        self.server.store.insert_object("states", lock_name, json.dumps(content).encode())

    def grant(self, environment: str, folder: str, role: str, member: str = DRIFT_ACCOUNT) -> None:
        """Give an account a role in a folder of the environment, as bootstrap does."""
        store, name = self.server.store, f"{environment}/{folder}"
        if name not in {managed_folder["name"] for managed_folder in store.list_managed_folders("states")}:
            store.insert_managed_folder("states", name)
        binding = {"role": f"roles/storage.{role}", "members": [member]}
        store.set_managed_folder_policy("states", name, {"bindings": [binding]})


@contextmanager
def open_checks(
    repo: Repo,
    folder: Path,
    provider: ProviderServer,
    sentinel: int,
    world: str,
    *,
    applied: Path | None = None,
) -> Iterator[ScheduledChecks]:
    """A bucket of its own, a world of its own, and the drift account's rights in both environments.

    With `applied`, a folder, all stacks were applied: by the first one of a provider that names it; the
    others get copies of its bucket and its world, so that their code must be the same.
    """
    if applied is not None:
        recorded = provider.world(applied.name).root
        if not (applied.exists() and recorded.exists()):
            shutil.rmtree(applied, ignore_errors=True)
            with open_checks(repo, applied, provider, sentinel, applied.name) as first:
                first.apply()
        shutil.copytree(applied, folder)
        shutil.copytree(recorded, provider.world(world).root, dirs_exist_ok=True)
    with serving(folder) as server:
        attached = reattach_config(provider.open(world), sentinel)
        new_checks = ScheduledChecks(repo, server, provider.world(world), attached)
        for environment in ("dev", "prod"):
            for name in ("state/", "ledger/"):
                new_checks.grant(environment, name, "objectViewer")
            new_checks.grant(environment, "drift/", "objectUser")
        yield new_checks

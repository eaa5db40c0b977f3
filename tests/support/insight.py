"""A dataset over a small project whose bucket is in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.config import load as load_config
from orchestrator.engine.ports import SilentProgress
from orchestrator.insight.asking import DatasetSession
from orchestrator.insight.dataset import Dataset
from orchestrator.insight.query import QueryConnection
from orchestrator.insight.refresh import DEFAULT_DAYS, Refresher, dataset_folder, origin_of_dataset
from orchestrator.repository.git import Repository
from orchestrator.repository.loading import load
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.records import LedgerEntry, Operation, Outcome, RunRecord, StackRecord
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
NET = """
terraform {
  backend "gcs" {}
}
module "base" {
  source = "../../../modules/base"
}
"""
APP = """
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
output "id" {
  value = data.terraform_remote_state.net.outputs.id
}
"""
FILES: Mapping[str, str] = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\nenvironments: {dev: {}, prod: {}}\n",
    "infra/envs/dev/net/main.tf": NET,
    "infra/envs/dev/app/main.tf": APP,
    "infra/envs/prod/net/main.tf": NET,
    "infra/modules/base/main.tf": 'module "inner" {\n  source = "../inner"\n}\n',
    "infra/modules/inner/main.tf": "",
    ".github/CODEOWNERS": "* @acme/all\n/infra/envs/prod/ @acme/prod @ada\n",
}


def state_of(
    *instances: tuple[str, Mapping[str, Any]], outputs: Mapping[str, Any] | None = None, **head: Any
) -> bytes:
    """A state with resources `TYPE.NAME` and their attributes."""
    resources = [
        {
            "mode": "managed",
            "type": address.partition(".")[0],
            "name": address.partition(".")[2],
            "provider": 'provider["registry.terraform.io/hashicorp/google"].eu',
            "instances": [
                {
                    "attributes": {name: value for name, value in attributes.items() if name != "marks"},
                    "sensitive_attributes": attributes.get("marks", []),
                }
            ],
        }
        for address, attributes in instances
    ]
    content = {"version": 4, "serial": 3, "lineage": "l", "terraform_version": "1.11.4"}
    return json.dumps(content | head | {"resources": resources, "outputs": outputs or {}}).encode()


@dataclass
class Estate:
    """A project, its bucket, and questions about both. `loads` counts how often the code was read."""

    repo: Repo
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    loads: int = 0
    environ: Mapping[str, str] = field(default_factory=dict)
    open_bucket: Callable[[str], Any] | None = None

    def apply(
        self,
        stack: str,
        *,
        run: str = "",
        at: datetime = NOW,
        result: Outcome = "applied",
        record: Mapping[str, Any] | None = None,
        **stack_record: Any,
    ) -> LedgerEntry:
        """What a run that ended so leaves in the ledger."""
        environment = stack.partition("/")[0]
        run = run or f"{at:%Y%m%dT%H%M%S}000Z-000001"
        ledger = Ledger(self.storage, environment)
        before, self.storage.clock = self.storage.clock, at
        begun = ledger.begin(
            stack, Operation(run, "apply", "applying", "ada", "desk", "c" * 40), ledger.entry(stack)
        )
        entry = ledger.finish(replace(begun, result=result, commit="c" * 40, fingerprint="f"))
        self.save_run(
            environment,
            replace(
                RunRecord(
                    run,
                    "apply",
                    "ci",
                    "c" * 40,
                    "ada",
                    f"{at:%Y-%m-%dT%H:%M:%SZ}",
                    60.0,
                    {},
                    **(record or {}),
                ),
                stacks={stack: StackRecord(result, **({"counts": {"create": 1}} | stack_record))},
            ),
        )
        self.storage.clock = before
        return entry

    def save_run(self, environment: str, record: RunRecord) -> None:
        """Write the record of a run."""
        Ledger(self.storage, environment).save_run(record)

    def save_state(self, stack: str, data: bytes) -> None:
        """Write a stack's state."""
        environment, _, name = stack.partition("/")
        self.storage.write(f"{environment}/state/{name}/default.tfstate", data)

    @contextmanager
    def session(self, days: float = DEFAULT_DAYS) -> Iterator[DatasetSession]:
        """The dataset as a command opens it."""
        repository = Repository.open(self.repo.root)
        config = load_config(self.repo.root)
        environ = {"HOME": str(self.repo.root), **self.environ}
        dataset = Dataset(dataset_folder(self.repo.root), origin_of_dataset(repository, config, environ))

        def load_project() -> Any:
            self.loads += 1
            return load(self.repo.root)

        def open_bucket(location: Location, _: Mapping[str, str]) -> Any:
            return self.open_bucket(location.bucket) if self.open_bucket else self.storage

        refresher = Refresher(
            dataset,
            repository,
            config,
            environ,
            load=load_project,
            progress=SilentProgress(),
            open_bucket=open_bucket,
        )
        connection = QueryConnection(dataset.path, NOW - timedelta(days=days))
        try:
            yield DatasetSession(dataset, refresher, connection, days)
        finally:
            connection.close()
            dataset.close()

    def ask(self, sql: str, *, days: float = DEFAULT_DAYS, **values: object) -> list[tuple[object, ...]]:
        """The rows of a statement, by a session of its own."""
        with self.session(days) as session:
            return list(session.ask(sql, values).rows)

    def calls(self, sql: str) -> list[tuple[str, str]]:
        """The requests that a statement costs."""
        self.storage.calls.clear()
        self.ask(sql)
        return sorted(self.storage.calls)

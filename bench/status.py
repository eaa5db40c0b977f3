"""`infra status` of 1,000 stacks in three environments, every request answered 30 ms late.

The limits are 3 s and 10 requests. The ledgers and states are made beforehand, as 1,000 applies would have
left them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.stacks import commit_all
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.records import LedgerEntry, encode_entry, entry_metadata

STACKS = 1000
ENVIRONMENTS = ("dev", "staging", "prod")
LATENCY_MS = 30
SECONDS = 3.0
REQUESTS = 10

MAIN = """
terraform {
  backend "gcs" {}
}
resource "terraform_data" "one" {
  input = "%s"
}
"""


def lay_out(root: Path) -> Project:
    """A repository of 1,000 stacks."""
    (root / "infra.yaml").write_text("version: 1\nbackend:\n  gcs: {bucket: states}\n")
    for number in range(STACKS):
        environment = ENVIRONMENTS[number % len(ENVIRONMENTS)]
        folder = root / "infra" / "envs" / environment / f"s{number:04}"
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(MAIN % number)
    commit_all(root)
    return load(root)


def fill(server: GcsServer, project: Project) -> None:
    """States and ledger entries of stacks that are all up to date."""
    server.store.create_bucket("p", {"name": "states"})
    state = json.dumps({"version": 4, "serial": 3, "lineage": "l", "resources": [], "outputs": {}})
    for stack in project.stacks.values():
        name = (stack.state or "").removeprefix("gs://states/")
        stored = server.store.insert_object("states", name, state.encode())
        entry = LedgerEntry(
            stack.id,
            commit=project.commit or "",
            fingerprint=project.fingerprint(stack.id),
            author="Ada",
            subject="stacks",
            result="applied",
            run="R",
            applied_at="2026-01-02T03:04:05Z",
            at="2026-01-02T03:04:05Z",
            serial=3,
            state_generation=stored["generation"],
        )
        server.store.insert_object(
            "states",
            f"{stack.environment}/ledger/stacks/{stack.name}.json",
            encode_entry(entry),
            {"metadata": entry_metadata(entry)},
        )


def main() -> int:
    """Print the figures; 1 when a limit is missed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "repository"
        root.mkdir()
        project = lay_out(root)
        with GcsServer(Path(name) / "gcs") as server:
            fill(server, project)
            server.faults.add(HttpFault(latency_ms=LATENCY_MS))
            argv = (sys.executable, "-m", "orchestrator", "status", "--json")
            env = {
                **os.environ,
                "STORAGE_EMULATOR_HOST": server.url,
                "INFRA_SANDBOX": name,
                "PYTHONPATH": str(Path(__file__).parents[1]),
            }
            took = []
            for _ in range(5):
                before = server.requests.count
                began = time.monotonic()
                ran = subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)
                took.append(time.monotonic() - began)
                requests = server.requests.count - before
            stacks = json.loads(ran.stdout)["stacks"]
    assert len(stacks) == STACKS, len(stacks)
    assert {stack["standing"] for stack in stacks} == {"up-to-date"}
    seconds = sorted(took)[len(took) // 2]
    print(
        f"status: {STACKS} stacks, {LATENCY_MS} ms a request: {seconds:.2f} s (limit {SECONDS:g} s), "
        f"{requests} requests (limit {REQUESTS})"
    )
    return int(seconds > SECONDS or requests > REQUESTS)


if __name__ == "__main__":
    sys.exit(main())

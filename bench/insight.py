"""`infra query` over 1,000 states of 20 KB and 5,000 runs, every request answered 30 ms late.

The limits are 10 s for the first query and 1 s for the next. `resources`, `runs` and `stacks` are read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.status import ENVIRONMENTS, LATENCY_MS, STACKS, fill, lay_out
from orchestrator.repository.model import Project
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.records import RunRecord, StackRecord, encode_run, run_metadata

RUNS = 5_000
RESOURCES = 17
FIRST_SECONDS = 10.0
NEXT_SECONDS = 1.0
SQL = "SELECT (SELECT count(*) FROM stacks), (SELECT count(*) FROM runs), (SELECT count(*) FROM resources)"


def make_state(number: int) -> bytes:
    """A state of about 20 KB."""
    resources = [
        {
            "mode": "managed",
            "type": "google_storage_bucket",
            "name": f"bucket_{index}",
            "provider": 'provider["registry.terraform.io/hashicorp/google"]',
            "instances": [
                {
                    "schema_version": 0,
                    "attributes": {
                        **{f"attribute_{key}": f"value {number} {index} {key}" for key in range(25)},
                        "labels": {"team": "blue"},
                    },
                    "sensitive_attributes": [],
                }
            ],
        }
        for index in range(RESOURCES)
    ]
    return json.dumps(
        {"version": 4, "serial": 3, "lineage": "l", "resources": resources, "outputs": {}}
    ).encode()


def fill_more(server: GcsServer, project: Project) -> int:
    """The states in their size, and runs of the last 85 days; returns the bytes of one state."""
    data = b""
    for number, stack in enumerate(project.stacks.values()):
        data = make_state(number)
        server.store.insert_object("states", (stack.state or "").removeprefix("gs://states/"), data)
    now = datetime.now(UTC)
    ids = list(project.stacks)
    for number in range(RUNS):
        started = now - timedelta(days=85) * (number / RUNS)
        id_ = f"{started:%Y%m%dT%H%M%S}000Z-{number:06x}"
        environment = ENVIRONMENTS[number % len(ENVIRONMENTS)]
        record = RunRecord(
            id=id_,
            command="apply",
            trigger="ci",
            commit=project.commit or "",
            person="ada",
            started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            seconds=61.5,
            stacks={ids[number % STACKS]: StackRecord("applied", {"create": 1}, seconds=12.0)},
            subject="stacks (#12)",
        )
        server.store.insert_object(
            "states",
            f"{environment}/ledger/runs/{started:%Y-%m}/{id_}.json",
            encode_run(record),
            {"metadata": run_metadata(record)},
        )
    return len(data)


def main() -> int:
    """Print the figures; 1 when a limit is missed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "repository"
        root.mkdir()
        project = lay_out(root)
        with GcsServer(Path(name) / "gcs") as server:
            fill(server, project)
            size = fill_more(server, project)
            server.faults.add(HttpFault(latency_ms=LATENCY_MS))
            env = {
                **os.environ,
                "STORAGE_EMULATOR_HOST": server.url,
                "INFRA_SANDBOX": name,
                "PYTHONPATH": str(Path(__file__).parents[1]),
            }
            argv = (sys.executable, "-m", "orchestrator", "query", "--json", SQL)
            took, requests = [], []
            for _ in range(4):
                before, began = server.requests.count, time.monotonic()
                ran = subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)
                took.append(time.monotonic() - began)
                requests.append(server.requests.count - before)
                assert json.loads(ran.stdout)["rows"] == [[STACKS, RUNS, STACKS * RESOURCES]], ran.stdout
    seconds = sorted(took[1:])[1]
    print(
        f"query: {STACKS} states of {size:,} bytes, {RUNS} runs, {LATENCY_MS} ms a request: first "
        f"{took[0]:.2f} s (limit {FIRST_SECONDS:g} s), {requests[0]} requests; next {seconds:.2f} s "
        f"(limit {NEXT_SECONDS:g} s), {requests[-1]} requests"
    )
    return int(took[0] > FIRST_SECONDS or seconds > NEXT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())

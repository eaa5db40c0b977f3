"""`infra plan --all` of 1,000 unchanged stacks whose states are in a bucket: plans shown again.

The limits are 2 s, 10 requests and no Terraform. Ledgers and states are made beforehand, as 1,000 applies
would have left them; the first plan of all stacks makes what is shown again.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.status import fill, lay_out
from orchestrator.sandbox.gcs.server import GcsServer

SECONDS = 2.0
REQUESTS = 10


def main() -> int:
    """Print seconds, requests and Terraform processes of the second plan; 1 when a limit is missed."""
    infra = str(Path(sys.executable).with_name("infra"))
    with tempfile.TemporaryDirectory() as name, GcsServer(Path(name) / "gcs") as server:
        root = Path(name) / "repo"
        root.mkdir()
        project = lay_out(root)
        fill(server, project)
        env = {**os.environ, "STORAGE_EMULATOR_HOST": server.url, "INFRA_SANDBOX": "bench"}
        plan = (infra, "--timing", "plan", "--all", "--json")
        times, requests, cpu = [], 0, 0.0
        for _ in range(2):
            cpu = _cpu_seconds()
            before, began = server.requests.count, time.perf_counter()
            done = subprocess.run(plan, cwd=root, env=env, capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - began)
            requests, cpu = server.requests.count - before, _cpu_seconds() - cpu
            if done.returncode not in (0, 2):
                raise SystemExit(f"exit {done.returncode}\n{done.stderr}")
        processes = sum(int(count) for count in re.findall(r"terraform \S+: (\d+) times?", done.stderr))
        is_within = times[1] <= SECONDS and requests <= REQUESTS and not processes
        print(
            f"reuse: {len(project.stacks)} stacks planned in {times[0]:.1f} s, again in {times[1]:.1f} s "
            f"({cpu:.1f} s of CPU) with {requests} requests and {processes} Terraforms; "
            f"limits {SECONDS:g} s, {REQUESTS}, 0: "
            f"{'hold' if is_within else 'MISSED'}"
        )
    return int(not is_within)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

"""A plan of many resources: reading the saved file against `terraform show -json` and parsing what it prints.

`python -m bench.plan_files 1000` measures fewer resources. One in a hundred changes.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.plan.file.document import read_plan_file
from orchestrator.plan.file.schemas import BUILT_IN_SCHEMA

LIMIT = 0.1
RESOURCES = 5000
RUNS = 3

MAIN = """
resource "terraform_data" "main" {
  count = %d
  input = { name = "n-${count.index}%s", size = count.index, tags = ["a", "b"] }
}
"""
TYPE = ["object", {"name": "string", "size": "number", "tags": ["tuple", ["string", "string"]]}]


def state(count: int) -> str:
    """A state in which all of them are as the code was."""
    instances = []
    for number in range(count):
        value = {"value": {"name": f"n-{number}", "size": number, "tags": ["a", "b"]}, "type": TYPE}
        attributes = {"id": f"id-{number}", "input": value, "output": value, "triggers_replace": None}
        instances.append({"index_key": number, "schema_version": 0, "attributes": attributes})
    resource = {
        "mode": "managed",
        "type": "terraform_data",
        "name": "main",
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": instances,
    }
    return json.dumps({"version": 4, "serial": 1, "lineage": "bench", "resources": [resource]})


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Print the figure; 1 when the limit is missed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RESOURCES
    terraform = shutil.which("terraform")
    if terraform is None:
        print("plan_files: skipped, there is no terraform on PATH to compare with")
        return 0
    env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    env.pop("TF_CLI_CONFIG_FILE", None)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "main.tf").write_text(MAIN % (count, '${count.index % 100 == 0 ? "x" : ""}'))
        (root / "terraform.tfstate").write_text(state(count))

        def run(*arguments: str) -> bytes:
            return subprocess.run(
                (str(terraform), *arguments), cwd=root, env=env, check=True, capture_output=True
            ).stdout

        run("init")
        run("plan", "-out=plan")
        pairs = [
            (
                seconds(lambda: read_plan_file(root / "plan", lambda source: BUILT_IN_SCHEMA)),
                seconds(lambda: json.loads(run("show", "-json", "plan"))),
            )
            for _ in range(RUNS)
        ]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    verdict = "holds" if ratio <= LIMIT else "MISSED"
    print(
        f"plan_files: {count} resources read in {ours:.3f} s, by show -json {theirs:.3f} s: "
        f"ratio {ratio:.2f}, limit {LIMIT:.2f} {verdict}; load {os.getloadavg()[0]:.1f}"
    )
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

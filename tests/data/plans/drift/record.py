"""Make the recorded plans of drift again: PYTHONPATH=. python tests/data/plans/drift/record.py [CASE]...

Wants terraform on PATH and what the sandbox needs. A case is a folder: `applied.tf` is applied, the simulated
world is changed as `world.json` says, then `checked.tf` (`applied.tf` without it) is planned. What is kept:
`plan.json` (`show -json` without the values before and after the whole), `computed.json` (what only the
provider sets, of the types in use) and, where there are modules, `modules/modules.json`.
`expected.json` is written by hand: by address what happened to it, and the class of each attribute.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from orchestrator.engine.provider_schemas import computed_only
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.sandbox.world import World
from tests.support.simulated import SimulatedRoot, attached

HERE = Path(__file__).parent
TYPES = [
    "google_cloud_run_v2_service",
    "google_colab_schedule",
    "google_compute_firewall",
    "google_compute_network",
    "google_pubsub_topic",
    "google_secret_manager_secret_version",
    "google_service_account",
    "google_storage_bucket",
]


def record(case: Path, server: ProviderServer, sentinel: int) -> None:
    """Record one case."""
    with tempfile.TemporaryDirectory() as name:
        terraform = shutil.which("terraform") or "terraform"
        stack = attached(server, case.name, Path(name), (terraform,), sentinel)
        if (case / "child").is_dir():
            shutil.copytree(case / "child", stack.folder / "child")
        shutil.copy(case / "applied.tf", stack.folder / "main.tf")
        stack.apply()
        for edit in json.loads((case / "world.json").read_text()):
            change(stack.world, *edit)
        checked = case / "checked.tf"
        shutil.copy(checked if checked.exists() else case / "applied.tf", stack.folder / "main.tf")
        stack.run("init")
        _, plan = stack.plan()
        for left_out in ("planned_values", "prior_state", "timestamp"):
            plan.pop(left_out, None)
        write(case / "plan.json", plan)
        write(case / "computed.json", computed(stack, plan))
        modules = stack.folder / ".terraform" / "modules" / "modules.json"
        if modules.exists():
            (case / "modules").mkdir(exist_ok=True)
            shutil.copy(modules, case / "modules")


def change(world: World, what: str, name: str, *rest: Any) -> None:
    """`["set", NAME, PATH, VALUE]` or `["delete", NAME]`; `TYPE/*` is the one of a type."""
    if name.endswith("/*"):
        (only,) = world.list(name.removesuffix("/*"))
        name = only.address
    if what == "delete":
        world.delete(name)
    else:
        world.set(name, *rest)


def computed(stack: SimulatedRoot, plan: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """What only the provider sets, of the types that drifted."""
    schemas = json.loads(stack.run("providers", "schema", "-json").out)["provider_schemas"]
    computed_names: dict[str, dict[str, list[str]]] = {}
    for resource in plan.get("resource_drift", []):
        block = schemas[resource["provider_name"]]["resource_schemas"][resource["type"]]["block"]
        computed_names.setdefault(resource["provider_name"], {})[resource["type"]] = sorted(
            computed_only(block)
        )
    return computed_names


def write(path: Path, document: Any) -> None:
    """JSON that a person can compare."""
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def main(names: list[str]) -> None:
    """Record the cases named, or all."""
    os.environ.pop("TF_CLI_CONFIG_FILE", None)
    with tempfile.TemporaryDirectory() as folder:
        server = ProviderServer(Path(folder), RecordedSchemas())
        server.start()
        server.serve_types("google", TYPES)
        sentinel = Sentinel()
        for case in sorted(path.parent for path in HERE.glob("*/applied.tf")):
            if not names or case.name in names:
                record(case, server, sentinel.pid)
                sys.stderr.write(f"{case.name}\n")
        server.close()
        sentinel.close()


if __name__ == "__main__":
    main(sys.argv[1:])

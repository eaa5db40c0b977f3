"""Make the recorded plans again: python tests/data/plans/record.py [CASE]... (terraform must be on PATH).

A case is a folder: `before.tf` is applied first, then `after.tf` is planned. What is kept: `plan.json`
(`show -json`) and `diff.txt` (what a person sees). In the case `deposed` the state is edited in between:
built-in resources never fail to be deleted, which is what leaves such an object behind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def terraform(folder: Path, *arguments: str) -> bytes:
    """One Terraform command in a folder; its standard output."""
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    done = subprocess.run(["terraform", *arguments], cwd=folder, env=env, capture_output=True, check=False)
    if done.returncode not in (0, 2):
        raise SystemExit(done.stderr.decode() + done.stdout.decode())
    return done.stdout


def record(case: Path) -> None:
    """Record one case."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if (case / "child").is_dir():
            shutil.copytree(case / "child", folder / "child")
        if (case / "before.tf").exists():
            shutil.copy(case / "before.tf", folder / "main.tf")
            terraform(folder, "init")
            terraform(folder, "apply", "-auto-approve", "-no-color")
        if case.name == "deposed":
            depose(folder / "terraform.tfstate")
        shutil.copy(case / "after.tf", folder / "main.tf")
        terraform(folder, "init")
        diff = terraform(folder, "plan", "-no-color", "-out=plan.tfplan", "-detailed-exitcode")
        (case / "diff.txt").write_bytes(diff)
        (case / "plan.json").write_bytes(terraform(folder, "show", "-json", "plan.tfplan"))


def depose(path: Path) -> None:
    """Add a deposed copy of each object to a state."""
    state = json.loads(path.read_text())
    for resource in state["resources"]:
        resource["instances"] += [{**instance, "deposed": "0a1b2c3d"} for instance in resource["instances"]]
    path.write_text(json.dumps(state))


def main(names: list[str]) -> None:
    """Record the cases named, or all."""
    for case in sorted(path.parent for path in HERE.glob("*/after.tf")):
        if not names or case.name in names:
            record(case)
            sys.stderr.write(f"{case.name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Make the recorded plan files again: python -m tests.data.plan_files.record TERRAFORM [CASE]...

`TERRAFORM` is a program; its version names the folder. Each case of tests/data/plans is planned with it, and
the plan file is kept beside what `show -json` prints of it. The case `aws` (aws.tf) wants the AWS provider
from the mirror that TF_CLI_CONFIG_FILE names; the schemas of its types are kept too.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.data.plans.record import HERE as PLANS
from tests.data.plans.record import depose

HERE = Path(__file__).parent


def record(program: str, folder: Path, name: str, case: Path | None) -> None:
    """Record one case; `case` is its folder."""

    def terraform(*arguments: str) -> bytes:
        passed_names = ("PATH", "HOME", "TF_CLI_CONFIG_FILE")
        env = {name: os.environ[name] for name in passed_names if name in os.environ}
        env |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        done = subprocess.run([program, *arguments], cwd=root, env=env, capture_output=True, check=False)
        if done.returncode not in (0, 2):
            raise SystemExit(done.stderr.decode() + done.stdout.decode())
        return done.stdout

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        if case is not None and (case / "child").is_dir():
            shutil.copytree(case / "child", root / "child")
        if case is not None and (case / "before.tf").exists():
            shutil.copy(case / "before.tf", root / "main.tf")
            terraform("init")
            terraform("apply", "-auto-approve", "-no-color")
        if name == "deposed":
            depose(root / "terraform.tfstate")
        shutil.copy(HERE / "aws.tf" if case is None else case / "after.tf", root / "main.tf")
        terraform("init")
        terraform("plan", "-no-color", "-out=plan.tfplan", "-detailed-exitcode")
        shutil.copy(root / "plan.tfplan", folder / f"{name}.tfplan")
        plan_json = terraform("show", "-json", "plan.tfplan")
        write(folder / f"{name}.json.gz", plan_json)
        if case is None:
            schemas = json.loads(terraform("providers", "schema", "-json"))["provider_schemas"]
            write(
                folder / f"{name}.schemas.json.gz", json.dumps(used(schemas, json.loads(plan_json))).encode()
            )


def used(schemas: dict[str, dict[str, dict[str, object]]], plan_json: dict[str, object]) -> object:
    """The schemas of the types that a plan names."""
    text = json.dumps(plan_json)
    return {
        provider: {
            kind: {name: each for name, each in (schema.get(kind) or {}).items() if f'"{name}"' in text}
            for kind in ("resource_schemas", "data_source_schemas")
        }
        for provider, schema in schemas.items()
    }


def write(path: Path, data: bytes) -> None:
    """Write a compressed file that is the same each time."""
    path.write_bytes(gzip.compress(data, mtime=0))


def main(program: str, names: list[str]) -> None:
    """Record the cases named, or all."""
    answer = subprocess.run([program, "version", "-json"], capture_output=True, check=True).stdout
    folder = HERE / json.loads(answer)["terraform_version"]
    folder.mkdir(exist_ok=True)
    cases = [path.parent for path in sorted(PLANS.glob("*/after.tf"))]
    for name, case in [*((case.name, case) for case in cases), ("aws", None)]:
        if not names or name in names:
            record(program, folder, name, case)
            sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

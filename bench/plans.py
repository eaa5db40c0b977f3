"""100 stacks of built-in resources with empty plans, initialised: `infra plan --all` against bare Terraform.

The other side is `xargs -P CORES` over `terraform plan -detailed-exitcode -lock=false -out`, which makes the
same plan files and nothing else. The limit is 1.15.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.pairs import measure
from bench.stacks import lay_out

LIMIT = 1.15
STACKS = 100

MAIN = """
resource "terraform_data" "one" {
  input = "%s"
}
output "one" {
  value = terraform_data.one.output
}
"""


def main() -> int:
    """Print the figure; 1 when the limit is missed."""
    infra = str(Path(sys.executable).with_name("infra"))
    terraform = shutil.which("terraform")
    if terraform is None:
        print("plans: skipped, there is no terraform on PATH to compare with")
        return 0
    env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    env.pop("TF_CLI_CONFIG_FILE", None)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = lay_out(root, STACKS, MAIN)
        subprocess.run(
            (infra, "apply", "--all", "--auto-approve", "--confirm", "dev"),
            cwd=root,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for folder in folders:
            subprocess.run(
                (terraform, "init", "-input=false"), cwd=folder, env=env, check=True, capture_output=True
            )
        (root / "folders").write_text("\n".join(str(folder) for folder in folders) + "\n")
        cores = str(os.cpu_count() or 1)
        bare = (
            "xargs", "-a", "folders", "-P", cores, "-I{}", terraform, "-chdir={}", "plan", "-input=false",
            "-no-color", "-lock=false", "-detailed-exitcode", "-out=plan.bare",
        )  # fmt: skip
        pair = measure(
            (infra, "--cold", "plan", "--all", "--parallelism", cores), bare, runs=5, cwd=root, env=env
        )
    print("plans:", pair.line(f"infra plan of {STACKS}", "xargs terraform plan", LIMIT))
    return int(pair.ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

"""Stacks of a heavy real provider from nothing to plans: `infra plan` against bare `init` and `plan`.

Both begin in clones that nobody has initialised. The other side is `xargs -P 2` over `terraform init` and
`terraform plan`. One `init` fills Terraform's plugin cache first, since two at once must not write to it; the
time for that counts. The provider is AWS from the filesystem mirror that TF_CLI_CONFIG_FILE names.
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
from bench.warm import MAIN

LIMIT = 0.5
STACKS = 20
RUNS = 1
WIDTH = "2"


def main() -> int:
    """Print the figure; 1 when the limit is missed."""
    infra = str(Path(sys.executable).with_name("infra"))
    terraform = shutil.which("terraform")
    settings = Path(os.environ.get("TF_CLI_CONFIG_FILE", ""))
    if terraform is None or not settings.is_file() or "filesystem_mirror" not in settings.read_text():
        print("cold: skipped, there is no terraform on PATH or no mirror with the AWS provider")
        return 0
    env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = lay_out(root, STACKS, MAIN)
        # One lock file for all, as a repository has it: made once and committed.
        subprocess.run(
            (terraform, "init", "-input=false"), cwd=folders[0], env=env, check=True, capture_output=True
        )
        for folder in folders[1:]:
            shutil.copy(folders[0] / ".terraform.lock.hcl", folder)
        shutil.rmtree(folders[0] / ".terraform")
        (root / "folders").write_text("\n".join(str(folder) for folder in folders) + "\n")
        (root / "infra.yaml").write_text("environments: {dev: {}}\nplan: {reuse: 0}\n")
        each = f"xargs -a folders -P {WIDTH} -I{{}} {terraform} -chdir={{}}"
        bare = (
            "rm -rf cache infra/envs/dev/*/.terraform && mkdir cache && "
            "export TF_PLUGIN_CACHE_DIR=$PWD/cache && "
            f"{terraform} -chdir={folders[0]} init -input=false && {each} init -input=false && "
            f"{each} plan -input=false -no-color -lock=false -out=plan.bare"
        )
        cold = f"rm -rf .infra && {infra} plan --all --parallelism {WIDTH}"
        pair = measure(("sh", "-c", cold), ("sh", "-c", bare), runs=RUNS, cwd=root, env=env)
        print("cold:", pair.line(f"infra plan of {STACKS} from nothing", "xargs init and plan", LIMIT))
    return int(pair.ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

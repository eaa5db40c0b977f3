"""1,000 stacks of which 1 % drifted: `infra drift` against bare Terraform.

`python -m bench.drift 100` measures fewer.

The other side is `xargs -P CORES` over `terraform plan -detailed-exitcode -lock=false -out`, which tells no
class and remembers nothing. The limit of the ratio is 1.15; throughput and infra's own memory are printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.pairs import measure
from bench.stacks import lay_out

LIMIT = 1.15
STACKS = 1000
DRIFTED_EVERY = 100
RUNS = 3

MAIN = """
resource "terraform_data" "one" {
  input = "%s"
}
"""


def drift(folders: list[Path]) -> int:
    """Make one stack in a hundred differ from its code; returns how many."""
    chosen = folders[::DRIFTED_EVERY]
    for folder in chosen:
        path = folder / "terraform.tfstate"
        state = json.loads(path.read_text())
        for resource in state["resources"]:
            for instance in resource["instances"]:
                instance["attributes"]["input"]["value"] = "by hand"
        path.write_text(json.dumps(state))
    return len(chosen)


def peak_memory(argv: tuple[str, ...], root: Path, env: Mapping[str, str]) -> float:
    """The most memory that the program itself had, in MiB; Terraform's is not in it."""
    process = subprocess.Popen(
        argv, cwd=root, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            peak = max(peak, int(lines.get("VmHWM", "0").split()[0]))
        except OSError:
            break
        time.sleep(0.1)
    process.wait()
    return peak / 1024


def main() -> int:
    """Print the figures; 1 when the limit is missed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else STACKS
    infra = str(Path(sys.executable).with_name("infra"))
    terraform = shutil.which("terraform")
    if terraform is None:
        print("drift: skipped, there is no terraform on PATH to compare with")
        return 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "repository"
        root.mkdir()
        env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "XDG_STATE_HOME": name}
        env.pop("TF_CLI_CONFIG_FILE", None)
        folders = lay_out(root, count, MAIN)
        apply = (infra, "apply", "--all", "--auto-approve", "--confirm", "dev")
        subprocess.run(
            apply, cwd=root, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        drifted = drift(folders)
        (root / "folders").write_text("\n".join(map(str, folders)) + "\n")
        cores = str(os.cpu_count() or 1)
        each = ("xargs", "-a", "folders", "-P", cores, "-I{}", terraform, "-chdir={}")
        subprocess.run((*each, "init", "-input=false"), cwd=root, env=env, check=True, capture_output=True)
        bare = (
            *each, "plan", "-input=false", "-no-color", "-lock=false", "-detailed-exitcode", "-out=plan.bare",
        )  # fmt: skip
        ours = (infra, "drift", "--parallelism", cores)
        # xargs says 123 when one of the plans has changes, infra 8 when something drifted.
        pair = measure(ours, bare, runs=RUNS, cwd=root, env=env, ok=(0, 8, 123))
        memory = peak_memory(ours, root, env)
    print("drift:", pair.line(f"infra drift of {count}, {drifted} drifted", "xargs terraform plan", LIMIT))
    print(f"drift: {count / min(pair.a):.1f} stacks a second, {memory:.0f} MiB")
    return int(pair.ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

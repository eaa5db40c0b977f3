"""Reading a project of 2,000 stacks and 300 nested modules: seconds and memory of a fresh process.

Limits: 2 s and 100 MiB for discovery and graph. Beside it stands what any reader must do: list the files
with git and read each. Fingerprints of all stacks and a comparison with the base are measured too, without a
limit, and discovery again with the facts that the run before has stored in the clone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.stacks import commit_all

ENVIRONMENTS = 4
STACKS = 2_000
MODULES = 300
RUNS = 3
SECONDS = 2.0
MEBIBYTES = 100.0

MAIN = """\
terraform {{
  required_version = ">= 1.11"

  backend "gcs" {{}}

  required_providers {{
    google = {{
      source  = "hashicorp/google"
      version = "~> 7.0"
    }}
  }}
}}

provider "google" {{
  project = var.project
  region  = "europe-west1"
}}

data "terraform_remote_state" "upstream" {{
  backend = "gcs"

  config = {{
    bucket = var.state_bucket
    prefix = "{environment}/state/stack-{upstream:04}"
  }}
}}

module "first" {{
  source = "../../../modules/module-{first:03}"

  name    = "stack-{number}"
  project = var.project
  network = data.terraform_remote_state.upstream.outputs.network_id
}}

module "second" {{
  source = "../../../modules/module-{second:03}"

  name   = "stack-{number}-second"
  policy = templatefile("${{path.module}}/policy.json", {{ name = "stack-{number}" }})
}}
"""

VARIABLES = """\
variable "project" {
  description = "Where it is made."
  type        = string
}

variable "state_bucket" {
  description = "Where the states lie."
  type        = string
  default     = "example-state"
}
"""

OUTPUTS = """\
output "network_id" {{
  description = "The network of stack {number}."
  value       = module.first.network_id
}}
"""

MODULE = """\
variable "name" {{
  type = string
}}

locals {{
  labels = {{ managed-by = "terraform", name = var.name, part = "{number}" }}
}}

resource "google_storage_bucket" "main" {{
  name                        = "${{var.name}}-{number}"
  location                    = "EU"
  uniform_bucket_level_access = true
  labels                      = local.labels

  lifecycle {{
    prevent_destroy = false
  }}
}}

{calls}
output "network_id" {{
  value = google_storage_bucket.main.id
}}
"""

CONFIG = """\
backend:
  gcs: {bucket: example-state}
environments:
  dev: {}
  staging: {}
  preprod: {}
  prod: {protected: true}
"""

READ = """\
import resource, sys, time
began = time.perf_counter()
from pathlib import Path
from orchestrator.repository.loading import load
project = load(Path(sys.argv[1]), with_stored=sys.argv[4:] == ["stored"])
waves = project.waves(project.stacks)
seconds = time.perf_counter() - began
unit = 1024 * 1024 if sys.platform == "darwin" else 1024
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
assert len(project.stacks) == int(sys.argv[2]) and len(project.modules) == int(sys.argv[3])
assert len(project.edges) == int(sys.argv[2]) - len(project.environments), len(project.edges)
if sys.argv[4:] == ["all"]:
    began = time.perf_counter()
    assert len({project.fingerprint(stack) for stack in project.stacks}) == len(project.stacks)
    fingerprints = time.perf_counter() - began
    began = time.perf_counter()
    from orchestrator.repository.affected import find_affected
    assert find_affected(project, "HEAD").ids == ()
    print(fingerprints, time.perf_counter() - began)
print(seconds, memory)
"""

BARE = """\
import subprocess, sys, time
began = time.perf_counter()
listed = subprocess.run(["git", "ls-files", "-z"], cwd=sys.argv[1], capture_output=True, check=True).stdout
for name in listed.split(b"\\0")[:-1]:
    with open(sys.argv[1].encode() + b"/" + name, "rb") as file:
        file.read()
print(time.perf_counter() - began)
"""


def files(stacks: int, modules: int) -> Iterator[tuple[str, str]]:
    """The repository: paths and texts. A third of the modules calls two more, so that they nest deeply."""
    yield "infra.yaml", CONFIG
    for number in range(modules):
        called = [other for other in (number * 2 + 1, number * 2 + 2) if other < modules]
        calls = "".join(
            f'module "part-{other}" {{\n  source = "../module-{other:03}"\n  name   = var.name\n}}\n\n'
            for other in called
        )
        yield f"infra/modules/module-{number:03}/main.tf", MODULE.format(number=number, calls=calls)
        yield f"infra/modules/module-{number:03}/README.md", f"# Module {number}\n"
    names = ("dev", "staging", "preprod", "prod")[:ENVIRONMENTS]
    for number in range(stacks):
        environment = names[number % len(names)]
        folder = f"infra/envs/{environment}/stack-{number:04}"
        upstream = number - len(names) if number >= len(names) else number
        yield (
            f"{folder}/main.tf",
            MAIN.format(
                environment=environment,
                number=number,
                upstream=upstream,
                first=number % modules,
                second=(number * 7 + 3) % modules,
            ),
        )
        yield f"{folder}/variables.tf", VARIABLES
        yield f"{folder}/outputs.tf", OUTPUTS.format(number=number)
        yield f"{folder}/terraform.tfvars", f'project = "example-{environment}"\n'
        yield f"{folder}/policy.json", f'{{"stack": {number}, "name": "${{name}}"}}\n'


def make(root: Path, stacks: int = STACKS, modules: int = MODULES) -> None:
    """Write and commit the repository."""
    for name, text in files(stacks, modules):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    commit_all(root)


def run(program: str, *arguments: object) -> list[list[float]]:
    """Run a program in a Python of its own; the numbers that it prints, by line."""
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def main() -> int:
    """Measure, print, and fail when a limit is missed."""
    with tempfile.TemporaryDirectory(prefix="infra-bench-") as name:
        began = time.perf_counter()
        make(Path(name))
        print(f"{STACKS} stacks and {MODULES} nested modules, made in {time.perf_counter() - began:.1f} s")
        run(READ, name, STACKS, MODULES, "stored")
        reads, stored, bare = [], [], []
        for _ in range(RUNS):
            bare.append(run(BARE, name)[0][0])
            reads.append(run(READ, name, STACKS, MODULES)[0])
            stored.append(run(READ, name, STACKS, MODULES, "stored")[0])
        seconds, memory = min(read[0] for read in reads), max(read[1] for read in reads)
        [fingerprints, compared], _ = run(READ, name, STACKS, MODULES, "all")
    is_within = seconds <= SECONDS and memory <= MEBIBYTES
    print(
        f"discovery and graph {seconds:.2f} s, limit {SECONDS:.0f} s; {memory:.0f} MiB, "
        f"limit {MEBIBYTES:.0f} MiB: {'holds' if is_within else 'MISSED'}"
    )
    again = min(read[0] for read in stored)
    print(f"with the facts of an earlier run {again:.2f} s: ratio {again / seconds:.2f}")
    print(f"git ls-files and reading every file {min(bare):.2f} s: ratio {seconds / min(bare):.1f}")
    print(f"all fingerprints {fingerprints:.2f} s; comparing with the base {compared:.2f} s")
    return 0 if is_within else 1


if __name__ == "__main__":
    raise SystemExit(main())

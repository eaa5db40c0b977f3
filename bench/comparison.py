"""`infra plan` beside `xargs terraform plan`, Terramate and Terragrunt, as far as they are on PATH.

A project of N stacks with local states, in a chain (each stack reads the outputs of the one before) or in a
fan-out (all read the first one's). A part of them was changed since its state was written. Every way to plan
runs in turn, once before anything is measured and then `--runs` times, with a home folder of its own:

- `xargs`, `terramate`, `terragrunt`: `terraform plan` in every stack, as many at once as there are cores;
- `infra cold`: `infra --cold plan --all`, every short cut off;
- `infra`: `infra plan --all` with `plan.reuse: 0`, so that each stack is planned;
- `infra reuse`: `infra plan --all`, which may show plans of the run before again;
- `infra affected`: `infra plan`, only what differs from trunk.

Wall seconds, seconds of CPU of all processes, and the memory of the largest process are of the measured runs.
How often Terraform is started is counted in one more run, through a program that notes each start. With
`--output FILE` the figures of all runs go there as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Shape = Literal["chain", "fan-out"]
SHAPES: tuple[Shape, ...] = ("chain", "fan-out")
COUNTS = (1, 10)
CHANGED = (0, 1, 10, 100)
RUNS = 3

MAIN = """\
{read}resource "terraform_data" "main" {{
  input = "stack {number}, version {version}{after}"
}}

output "name" {{
  value = "stack {number}"
}}
"""
READ = """\
data "terraform_remote_state" "upstream" {{
  backend = "local"

  config = {{
    path = "../{upstream}/terraform.tfstate"
  }}
}}

"""
CONFIG = """\
trunk: main
environments:
  dev: {}
"""
TERRAMATE = "terramate {\n  config {\n  }\n}\n"
# Notes each start, then becomes the real program.
COUNTER = '#!/bin/sh\necho start >> {log}\nexec {terraform} "$@"\n'


@dataclass(frozen=True)
class Way:
    """One way to plan: its argv, and the text of infra.yaml besides `CONFIG`."""

    name: str
    argv: tuple[str, ...]
    settings: str = ""


@dataclass(frozen=True)
class TimedRun:
    """One measured run: wall and CPU seconds, and the largest process in MiB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Series:
    """All runs of one way to plan one project; `terraform` counts processes, None where nothing counted."""

    shape: Shape
    stacks: int
    changed: int
    way: str
    samples: tuple[TimedRun, ...]
    terraform: int | None


def upstream_of(shape: Shape, number: int) -> int | None:
    """The stack whose outputs a stack reads."""
    if number == 0:
        return None
    return number - 1 if shape == "chain" else 0


def code(shape: Shape, number: int, version: int) -> str:
    """The main.tf of a stack."""
    upstream = upstream_of(shape, number)
    after = " after ${data.terraform_remote_state.upstream.outputs.name}"
    return MAIN.format(
        number=number,
        version=version,
        read="" if upstream is None else READ.format(upstream=f"s{upstream:04}"),
        after="" if upstream is None else after,
    )


def state(shape: Shape, number: int, version: str) -> str:
    """The state of a stack after its first version was applied by Terraform `version`."""
    upstream = upstream_of(shape, number)
    after = "" if upstream is None else f" after stack {upstream}"
    text = {"value": f"stack {number}, version 1{after}", "type": "string"}
    resource = {
        "mode": "managed",
        "type": "terraform_data",
        "name": "main",
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [
            {
                "schema_version": 0,
                "attributes": {
                    "id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
                    "input": text,
                    "output": text,
                    "triggers_replace": None,
                },
                "sensitive_attributes": [],
            }
        ],
    }
    document = {
        "version": 4,
        "terraform_version": version,
        "serial": 1,
        "lineage": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        "outputs": {"name": {"value": f"stack {number}", "type": "string"}},
        "resources": [resource],
        "check_results": None,
    }
    return json.dumps(document)


def changed_stacks(stacks: int, percent: int) -> list[int]:
    """So many of the stacks, evenly spread; at least one unless it is nothing."""
    count = -(-stacks * percent // 100)
    return [index * stacks // count for index in range(count)]


def lay_out(root: Path, shape: Shape, stacks: int, percent: int, version: str) -> None:
    """A repository with trunk, a branch with the changes checked out, and the states beside the code."""
    envs = root / "infra" / "envs" / "dev"
    for number in range(stacks):
        folder = envs / f"s{number:04}"
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(code(shape, number, 1))
        (folder / "terraform.tfstate").write_text(state(shape, number, version))
        upstream = upstream_of(shape, number)
        name = None if upstream is None else f"s{upstream:04}"
        after = f'  after = ["../{name}"]\n' if name else ""
        (folder / "stack.tm.hcl").write_text(f"stack {{\n{after}}}\n")
        paths = f'"../{name}"' if name else ""
        (folder / "terragrunt.hcl").write_text(f"dependencies {{\n  paths = [{paths}]\n}}\n")
    (root / "terramate.tm.hcl").write_text(TERRAMATE)
    (root / "infra.yaml").write_text(CONFIG)
    (root / ".gitignore").write_text(".infra/\n.terraform/\n*.tfstate*\n*.bare\n.terragrunt-cache/\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Stacks")
    git(root, "switch", "-q", "-c", "change")
    for number in changed_stacks(stacks, percent):
        (envs / f"s{number:04}" / "main.tf").write_text(code(shape, number, 2))
    git(root, "commit", "-q", "--allow-empty", "-a", "-m", "Change")


def git(root: Path, *arguments: str) -> None:
    """Run git without any setting of this machine's or user's."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(("git", *identity, *arguments), cwd=root, env=env, check=True)


def ways(root: Path, cores: int) -> Iterator[Way]:
    """Every way to plan that this machine has; the paths of all stacks are in the file `folders`."""
    infra = str(Path(sys.executable).with_name("infra"))
    plan = ("plan", "-input=false", "-no-color", "-lock=false", "-out=plan.bare")
    width = str(cores)
    folders = str(root / ".git" / "folders")
    yield Way("xargs", ("xargs", "-a", folders, "-P", width, "-I{}", "terraform", "-chdir={}", *plan))
    yield Way("infra cold", (infra, "--cold", "plan", "--all", "--parallelism", width))
    yield Way("infra", (infra, "plan", "--all", "--parallelism", width), "plan: {reuse: 0}\n")
    yield Way("infra reuse", (infra, "plan", "--all", "--parallelism", width))
    yield Way("infra affected", (infra, "plan", "--parallelism", width), "plan: {reuse: 0}\n")
    if shutil.which("terramate"):
        run = ("terramate", "run", "--disable-safeguards=all", "--parallel", width)
        yield Way("terramate", (*run, "--", "terraform", *plan))
    if shutil.which("terragrunt"):
        run_all = ("terragrunt", "run", "--all", "--non-interactive", "--no-auto-init")
        yield Way("terragrunt", (*run_all, "--parallelism", width, "--", *plan))


def sample(way: Way, root: Path, env: Mapping[str, str]) -> TimedRun:
    """Run one way once. SystemExit where it fails."""
    config = root / "infra.yaml"
    if config.read_text() != CONFIG + way.settings:
        config.write_text(CONFIG + way.settings)
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(way.argv, cwd=root, env=dict(env), stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise SystemExit(f"{shlex.join(way.argv)}: exit {process.returncode}\n{text[-4000:]}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return TimedRun(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def measure(
    shape: Shape, stacks: int, percent: int, runs: int, terraform: str, version: str
) -> Iterator[Series]:
    """All ways to plan one project, in turn."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="infra-bench-") as name:
        root, home, shims = (Path(name) / part for part in ("project", "home", "bin"))
        for folder in (root, home, shims):
            folder.mkdir()
        lay_out(root, shape, stacks, percent, version)
        folders = sorted((root / "infra" / "envs" / "dev").iterdir())
        (root / ".git" / "folders").write_text("".join(f"{folder}\n" for folder in folders))
        env = fresh_environment(home)
        samples: dict[str, list[TimedRun]] = {}
        present = list(ways(root, cores))
        for turn in range(runs + 1):
            for way in present:
                result = sample(way, root, env)
                if turn:
                    samples.setdefault(way.name, []).append(result)
        log = Path(name) / "starts"
        shim = shims / "terraform"
        shim.write_text(COUNTER.format(log=shlex.quote(str(log)), terraform=shlex.quote(terraform)))
        shim.chmod(0o755)
        counting = {**env, "PATH": f"{shims}{os.pathsep}{env['PATH']}"}
        for way in present:
            if way.name == "infra reuse":
                # Another program may plan otherwise: the plans of this one are the first to be reused.
                sample(way, root, counting)
            log.write_text("")
            sample(way, root, counting)
            count = len(log.read_text().splitlines())
            yield Series(shape, stacks, percent, way.name, tuple(samples[way.name]), count)


def fresh_environment(home: Path) -> dict[str, str]:
    """The environment of a user with an empty home folder: no git identity, no settings, no caches."""
    passed = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "TMPDIR")}
    return {
        **passed,
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "NO_COLOR": "1",
    }


def versions(terraform: str) -> dict[str, str]:
    """What was measured, and on what machine."""
    programs = {
        "terraform": (terraform, "version"),
        "infra": (str(Path(sys.executable).with_name("infra")), "--version"),
        "git": ("git", "--version"),
        "terramate": ("terramate", "version"),
        "terragrunt": ("terragrunt", "--version"),
    }
    known = {"python": platform.python_version(), "system": platform.platform()}
    with tempfile.TemporaryDirectory() as name:
        env = fresh_environment(Path(name))
        for program, argv in programs.items():
            if shutil.which(argv[0]) is None:
                continue
            done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
            known[program] = done.stdout.splitlines()[0].split(" ", 1)[-1].removeprefix("version ").strip()
    return known


def line(series: Series, bare: Series) -> str:
    """One line of the table: medians, and the ratios to bare Terraform run by run."""
    wall = statistics.median(sample.wall for sample in series.samples)
    cpu = statistics.median(sample.cpu for sample in series.samples)
    memory = statistics.median(sample.memory for sample in series.samples)
    pairs = list(zip(series.samples, bare.samples, strict=True))
    wall_ratio = statistics.median(own.wall / other.wall for own, other in pairs)
    cpu_ratio = statistics.median(own.cpu / other.cpu for own, other in pairs)
    return (
        f"{series.shape:8} {series.stacks:5} {series.changed:4} % {series.way:15} "
        f"{wall:8.2f} {wall_ratio:6.2f} {cpu:8.2f} {cpu_ratio:6.2f} {memory:6.0f} {series.terraform:6}"
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.comparison", description="Compare ways to plan.")
    parser.add_argument("--stacks", type=int, nargs="+", default=list(COUNTS), help="such as 1 10 100 1000")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=list(SHAPES))
    parser.add_argument("--changed", type=int, nargs="+", default=list(CHANGED), help="percent")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--output", type=Path, help="a file for the figures of every run, as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure and print the medians. There is no limit: what counts depends on the project."""
    options = parse(arguments)
    terraform = shutil.which("terraform")
    if terraform is None:
        print("comparison: skipped, there is no terraform on PATH to compare with")
        return 0
    known = versions(terraform)
    print(", ".join(f"{name} {version}" for name, version in known.items()))
    print("shape    stacks changed way               wall s  ratio    CPU s  ratio    MiB  Terraform starts")
    results: list[Series] = []
    for shape in options.shape:
        for stacks in options.stacks:
            # Of a few stacks, several parts may be the same number.
            parts = {len(changed_stacks(stacks, percent)): percent for percent in options.changed}
            for percent in parts.values():
                project = list(
                    measure(shape, stacks, percent, options.runs, terraform, known["terraform"].lstrip("v"))
                )
                for series in project:
                    print(line(series, project[0]), flush=True)
                results += project
                if options.output is not None:
                    document = {
                        "versions": known,
                        "cores": os.cpu_count(),
                        "series": [asdict(series) for series in results],
                    }
                    options.output.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

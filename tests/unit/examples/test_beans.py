"""The example of a training pipeline as infra sees it: examples/beans has tests and packages of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator.repository.affected import find_affected
from orchestrator.repository.loading import load
from tests.support.repo import Repo

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/beans"
STACK = 'terraform {\n  backend "gcs" {}\n}\n'


def config() -> str:
    """What README.md says to add to infra.yaml, with a bucket and the second environment."""
    [snippet] = re.findall(r"```yaml\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    environments, stacks = snippet.split("stacks:\n")
    return f"backend: {{gcs: {{bucket: states}}}}\n{environments}  prod: {{}}\nstacks:\n{stacks}"


def test_the_compiled_pipeline_is_a_part_of_each_stack(tmp_path: Path) -> None:
    files = {
        "infra.yaml": config(),
        "infra/envs/dev/ml/main.tf": STACK,
        "infra/envs/prod/ml/main.tf": STACK,
        "infra/envs/dev/other/main.tf": STACK,
    }
    for path in (*EXAMPLE.glob("compiled/*"), *EXAMPLE.glob("deploy/*"), EXAMPLE / "beans/components.py"):
        files[path.relative_to(ROOT).as_posix()] = path.read_text()
    repo = Repo(tmp_path / "repo", files)
    repo.branch("feature")
    compiled = files["examples/beans/compiled/beans.yaml"]
    repo.commit({"examples/beans/beans/components.py": ""})
    assert find_affected(load(repo.root)).ids == ()
    repo.commit({"examples/beans/deploy/prod.toml": ""})
    assert find_affected(load(repo.root)).ids == ("prod/ml",)
    repo.commit({"examples/beans/compiled/beans.yaml": compiled.replace("0.9", "0.8")})
    assert find_affected(load(repo.root)).ids == ("dev/ml", "prod/ml")


def test_what_hooks_and_checks_run_is_there(tmp_path: Path) -> None:
    project = load(Repo(tmp_path / "repo", {"infra.yaml": config()}).root)
    stacks = project.config.stacks
    commands = [
        hook.command
        for name in ("dev/ml", "prod/ml")
        for hook in (*stacks[name].hooks.after_apply, *stacks[name].hooks.report)
    ]
    commands += [check.command for check in project.config.environments["dev"].checks]  # type: ignore[union-attr]
    assert [command[1:] for command in commands] == [
        ("deploy", "dev"),
        ("report",),
        ("deploy", "prod"),
        ("check", "dev"),
    ]
    for command in commands:
        assert os.access(ROOT / command[0], os.X_OK)

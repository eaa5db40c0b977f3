"""What a shell gets while somebody types, from the real program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeRepo

STACK = 'terraform {\n  backend "local" {}\n}\n'
FILES = {
    "infra/envs/dev/network/main.tf": STACK,
    "infra/envs/prod/network/main.tf": STACK,
    "infra/envs/prod/service/main.tf": STACK,
}


def offered(folder: Path, *words: str) -> list[str]:
    """What is offered for the last of `words`; the program must not say anything else."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator"],
        cwd=folder,
        env={
            **os.environ,
            "_INFRA_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("infra", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_are_offered(tmp_path: Path) -> None:
    assert offered(tmp_path, "pl") == ["plan"]
    assert offered(tmp_path, "sandbox", "w") == ["world"]


def test_environments_and_stacks_are_offered(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)

    assert offered(repo.root, "plan", "prod") == ["prod", "prod/network", "prod/service"]
    assert offered(repo.root, "apply", "--all", "de") == ["dev", "dev/network"]
    assert offered(repo.root, "plan", "nothing") == []


def test_errors_are_kept_to_itself(make_repo: MakeRepo, tmp_path: Path) -> None:
    broken = make_repo({**FILES, "infra.yaml": "versoin: 1\n"}, name="broken")

    assert offered(tmp_path, "plan", "prod") == []
    assert offered(broken.root, "plan", "prod") == []
    assert offered(tmp_path, "no-such-command", "x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_takes(tmp_path: Path, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "completion", shell],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "_INFRA_COMPLETE" in done.stdout
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=done.stdout, text=True, check=True)

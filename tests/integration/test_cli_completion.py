"""What a shell gets while somebody types, from the real program."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from orchestrator.cli.app import App
from orchestrator.cli.main import cli
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


def test_what_is_in_the_code_and_in_runs_is_offered(make_repo: MakeRepo) -> None:
    """Addresses, outputs, tags, runs and modules, in one process: a shell starts one for each."""
    code = (
        'resource "a_b" "one" {}\ndata "a_c" "two" {}\nmodule "m" {\n  source = "%s"\n}\noutput "id" {\n}\n'
    )
    repo = make_repo(
        {
            "infra.yaml": "tags: {network: ['*/network']}\n",
            "infra/envs/dev/network/main.tf": STACK + code % "../../../modules/m",
            "infra/envs/dev/web/main.tf": 'resource "a_b" "other" {}\n',
            "infra/modules/m/main.tf": 'resource "a_b" "inner" {}\n',
        }
    )
    (repo.root / ".infra/runs/20261130T120000000Z-abc123").mkdir(parents=True)

    def completed(*words: str) -> list[str]:
        completion = ShellComplete(cli, {"obj": app_in(repo.root)}, "infra", "_INFRA_COMPLETE")
        return [item.value for item in completion.get_completions(list(words[:-1]), words[-1])]

    assert completed("state", "show", "dev/network", "") == [
        *("a_b.one", "data.a_c.two", "module.m", "module.m.a_b.inner"),
    ]
    assert completed("plan", "dev/network", "--target", "a_b.o") == ["a_b.one", "a_b.other"]
    assert completed("state", "list", "dev/network", "module.m.") == ["module.m.a_b.inner"]
    assert completed("output", "dev/network", "") == ["id"]
    assert completed("plan", "--tag", "n") == ["network"]
    assert completed("resume", "2026") == ["20261130T120000000Z-abc123"]
    assert completed("test", "infra/") == ["infra/modules/m"]
    assert completed("ci", "apply", "d") == ["dev"]
    assert completed("apply", "--confirm", "") == ["dev"]


def app_in(folder: Path) -> App:
    return App(os.environ, io.StringIO(), io.StringIO(), io.StringIO(), str(folder))


INTERACTIVE = {
    # Each prints what the shell itself would offer for `infra plan dev`.
    "bash": (
        ["bash", "--norc", "-c"],
        'eval "$(infra completion bash)"; COMP_WORDS=(infra plan dev); COMP_CWORD=2; '
        '_infra_completion infra; printf "%s\\n" "${COMPREPLY[@]}"',
    ),
    "zsh": (
        ["zsh", "-f", "-c"],
        "autoload -U compinit; compinit -u -D; compdef() { :; }; compadd() { :; }; "
        '_describe() { print -l -- "${(P)${@[-1]}[@]}" "${(P)${@[2]}[@]}"; }; '
        'eval "$(infra completion zsh)"; words=(infra plan dev); CURRENT=3; '
        'compadd() { print -l -- "${(P)${@[-1]}[@]}"; }; _infra_completion infra',
    ),
    "fish": (["fish", "--no-config", "-c"], 'infra completion fish | source; complete -C "infra plan dev"'),
}


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_the_shell_itself_offers_them(make_repo: MakeRepo, shell: str, tmp_path: Path) -> None:
    argv, script = INTERACTIVE[shell]
    program = shutil.which(argv[0])
    if program is None:
        pytest.skip(f"{shell} is not installed here")
    repo = make_repo(FILES)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/infra"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n')
    command.chmod(0o755)
    env = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [program, *argv[1:], script], cwd=repo.root, env=env, capture_output=True, text=True, check=False
    )
    offered_words = {line.split("\t")[0].split(":")[0].strip() for line in done.stdout.splitlines()}
    assert {"dev", "dev/network"} <= offered_words, done.stderr
    assert not any(word.startswith("prod") for word in offered_words)


def test_errors_stay_internal(make_repo: MakeRepo, tmp_path: Path) -> None:
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

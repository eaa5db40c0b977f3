"""What a person meets on a terminal: questions, progress, colour, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.terminal import TerminalChild

ONE = 'resource "terraform_data" "x" {\n  input = "one"\n}\n'

# The totals of `plan`.
VERDICT = r"stacks?: \d+ changed"

SLOW = """
resource "terraform_data" "first" {
  provisioner "local-exec" {
    command = "touch started; sleep 2"
  }
}
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
}
"""

# Terraform that says that it was interrupted, and ends only when it may.
STUBBORN = """#!/bin/sh
if [ "$1" = apply ]; then
  trap 'touch heard' INT
  touch started
  (trap '' INT; exec {real} "$@")
  until [ -e go ]; do sleep 0.05; done
else
  exec {real} "$@"
fi
"""


@pytest.fixture
def project(make_repo: MakeRepo, terraform_argv: tuple[str, ...]) -> Repo:
    return make_repo({"infra/envs/dev/a/main.tf": ONE, "infra/envs/prod/a/main.tf": ONE})


def state(project: Repo, stack: str) -> Path:
    return project.root / "infra/envs" / stack / "terraform.tfstate"


def test_no_is_no(project: Repo) -> None:
    with TerminalChild(project.root, "apply", "dev/a") as terminal:
        terminal.expect("Apply this? [y/N]")
        terminal.type("n")
        assert terminal.end() == 4
    assert "nothing more was changed" in terminal.text
    assert not state(project, "dev/a").exists()


def test_yes_applies_and_the_terminal_has_colour(project: Repo) -> None:
    with TerminalChild(project.root, "apply", "dev/a") as terminal:
        terminal.expect("Apply this? [y/N]")
        terminal.type("y")
        assert terminal.end() == 0
    assert "dev/a  applied  1 created" in terminal.text
    assert "\x1b[32m" in terminal.raw
    assert state(project, "dev/a").exists()


def test_no_color_is_honoured(project: Repo) -> None:
    with TerminalChild(project.root, "plan", "dev/a", env={"NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
    assert "\x1b[32m" not in terminal.raw
    assert "1 to create" in terminal.text


def test_a_plan_longer_than_the_terminal_is_shown_in_the_pager(project: Repo, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/shown\n")
    pager.chmod(0o700)
    with TerminalChild(project.root, "plan", "--all", env={"PAGER": str(pager), "LINES": "5"}) as terminal:
        assert terminal.end() == 0
    assert "dev/a" in (tmp_path / "shown").read_text()
    assert "terraform_data" not in terminal.text
    assert len(re.findall(VERDICT, terminal.text)) == 1
    failing = {"PAGER": "false", "LINES": "5"}
    with TerminalChild(project.root, "plan", "--all", env=failing) as terminal:
        assert terminal.end() == 0
    assert "terraform_data" in terminal.text, "a pager that fails hides nothing"
    assert len(re.findall(VERDICT, terminal.text)) == 1, "the totals are printed once"


def test_a_protected_environment_is_typed(project: Repo) -> None:
    with TerminalChild(project.root, "apply", "prod") as terminal:
        terminal.expect("Type its name to apply there (1 to create):")
        terminal.type("dev")
        assert terminal.end() == 4
    assert not state(project, "prod/a").exists()
    with TerminalChild(project.root, "apply", "prod") as terminal:
        terminal.expect("Type its name to apply there (1 to create):")
        terminal.type("prod")
        assert terminal.end() == 0
    assert state(project, "prod/a").exists()


def test_a_deletion_needs_confirmation_even_with_auto_approve(project: Repo) -> None:
    with TerminalChild(project.root, "apply", "dev/a", "--auto-approve") as terminal:
        assert terminal.end() == 0
    with TerminalChild(project.root, "destroy", "dev/a", "--auto-approve") as terminal:
        terminal.expect("It deletes or replaces in dev/a? [y/N]")
        terminal.type("y")
        assert terminal.end() == 0
    assert json.loads(state(project, "dev/a").read_text())["resources"] == []


def test_ctrl_c_at_the_question_changes_nothing(project: Repo) -> None:
    with TerminalChild(project.root, "apply", "dev/a") as terminal:
        terminal.expect("Apply this? [y/N]")
        terminal.interrupt()
        assert terminal.end() == 130
    assert not state(project, "dev/a").exists()


def slow(project: Repo) -> TerminalChild:
    """An apply whose first resource takes two seconds, once that has begun."""
    project.write({"infra/envs/dev/a/main.tf": SLOW})
    terminal = TerminalChild(project.root, "apply", "dev", "--auto-approve")
    wait_for(project.root / "infra/envs/dev/a/started", terminal)
    return terminal


def wait_for(path: Path, terminal: TerminalChild) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, terminal.text
        time.sleep(0.02)


def test_one_ctrl_c_lets_terraform_end_well(project: Repo) -> None:
    with slow(project) as terminal:
        terminal.interrupt()
        assert terminal.end() == 7
    document = json.loads(state(project, "dev/a").read_text())
    names = [resource["name"] for resource in document["resources"]]
    assert "second" not in names
    assert not state(project, "dev/a").with_name(".terraform.tfstate.lock.info").exists()
    assert "interrupted" in terminal.text


def test_a_second_ctrl_c_leaves_at_once_and_states_what_goes_on(
    project: Repo, terraform_argv: tuple[str, ...]
) -> None:
    project.write({"bin/terraform": STUBBORN.format(real=terraform_argv[0])})
    (project.root / "bin/terraform").chmod(0o755)
    project.write({"infra.yaml": "terraform: {binary: bin/terraform}\n"})
    stack = project.root / "infra/envs/dev/a"
    with TerminalChild(project.root, "apply", "dev", "--auto-approve") as terminal:
        wait_for(stack / "started", terminal)
        terminal.interrupt()
        wait_for(stack / "heard", terminal)
        terminal.interrupt()
        assert terminal.end() == 7
    assert "These processes go on" in terminal.text
    assert "apply of dev/a (pid" in terminal.text
    pid = int(terminal.text.partition("(pid ")[2].partition(")")[0])
    assert is_alive(pid)
    (stack / "go").touch()
    end = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert state(project, "dev/a").exists()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# A Terraform that an interrupt meets while it is still starting: no line, no lock, no state.
STARTING = """#!/bin/sh
if [ "$1" = apply ]; then
  touch started
  exec sleep 20
fi
exec {real} "$@"
"""


def test_an_interrupt_while_terraform_starts_leaves_nothing_to_resume(
    project: Repo, terraform_argv: tuple[str, ...]
) -> None:
    project.write({"bin/terraform": STARTING.format(real=terraform_argv[0])})
    (project.root / "bin/terraform").chmod(0o755)
    project.write({"infra.yaml": "terraform: {binary: bin/terraform}\n"})
    with TerminalChild(project.root, "apply", "dev", "--auto-approve") as terminal:
        wait_for(project.root / "infra/envs/dev/a/started", terminal)
        terminal.interrupt()
        assert terminal.end() == 130
    status = Infra(project.root, {})("status", "dev/a", "--json", code=0).document
    assert status["stacks"][0]["status"] != "unfinished"

"""Run folders: what stays after a run, and what the next one tidies up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.folders import KEPT_DAYS, PID_FILE, Folders
from orchestrator.errors import ProjectError
from orchestrator.process import read_pid_file, write_pid_file

NOW = time.time()
GONE = "gone"


@pytest.fixture
def alive() -> Iterator[int]:
    """A process that runs until the test has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child.pid


@pytest.fixture
def dead_pid() -> int:
    """The pid of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    run_folders = Folders(tmp_path)
    run_folders.prepare()
    return run_folders


def left_by(folders: Folders, pid: int) -> Path:
    """The folder of a run of that process, with a plan file and a journal, and a plan file alone."""
    for stack in ("dev/applied", "dev/planned"):
        (folders.run(GONE, stack) / "plan.tfplan").touch()
    (folders.run(GONE, "dev/applied") / "journal.jsonl").touch()
    folder = folders.base / "runs" / GONE
    write_pid_file(folder / PID_FILE, pid, "infra")
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_plans_of_a_run_that_died_go_and_its_journals_stay(folders: Folders, dead_pid: int) -> None:
    path = left_by(folders, dead_pid)
    folders.begin_run("now", NOW)
    assert files(path) == {"dev%2Fapplied/journal.jsonl"}


def test_a_run_that_goes_on_is_let_be(folders: Folders, alive: int) -> None:
    path = left_by(folders, alive)
    before = files(path)
    folders.begin_run("now", NOW + 2 * KEPT_DAYS * 86400)
    assert files(path) == before


def test_a_terraform_that_outlived_its_run_is_let_be(folders: Folders, dead_pid: int, alive: int) -> None:
    path = left_by(folders, dead_pid)
    write_pid_file(path / "dev%2Fapplied" / PID_FILE, alive, "terraform")
    before = files(path)
    folders.begin_run("now", NOW + 2 * KEPT_DAYS * 86400)
    assert files(path) == before


def test_an_old_run_goes_with_its_journals(folders: Folders, dead_pid: int) -> None:
    path = left_by(folders, dead_pid)
    folders.begin_run("now", NOW + (KEPT_DAYS - 1) * 86400)
    assert files(path)
    folders.begin_run("then", NOW + (KEPT_DAYS + 1) * 86400)
    assert not path.exists()


def test_a_run_that_ends_leaves_nothing_but_journals(folders: Folders) -> None:
    folders.begin_run("now", NOW)
    folder = folders.base / "runs" / "now"
    pid_file = read_pid_file(folder / PID_FILE)
    assert pid_file is not None
    assert pid_file.pid == os.getpid()
    assert pid_file.alive
    (folders.run("now", "dev/a") / "plan.tfplan").touch()
    folders.forget_plans("now")
    assert not folder.exists()


@pytest.mark.parametrize("name", [".infra", ".infra/runs", ".infra/cache"])
def test_links_instead_of_own_folders_are_refused(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "project" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(ProjectError, match="is a link"):
        Folders(tmp_path / "project").prepare()
    assert not list(elsewhere.iterdir())

"""Background programs with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ProcessError
from orchestrator.process import BackgroundProgram, BackgroundPrograms, Command, is_alive, started_at

# Prints its own id, then more than a pipe holds, and a sign that it was read.
CHATTY = """
import os, sys, time
print(os.getpid(), flush=True)
sys.stdout.write("x" * 1_000_000)
sys.stdout.flush()
open(sys.argv[1], "w").close()
time.sleep(600)
"""
LEAVES_US = """
import os, sys
from orchestrator.process import BackgroundPrograms, Command
programs = BackgroundPrograms()
program = programs.start(Command((sys.executable, "-c", {code!r}, sys.argv[1]), "/", {{}}))
print(program.first_line(60).decode(), flush=True)
sys.stdin.read()
"""


def start(programs: BackgroundPrograms, code: str, *arguments: str) -> BackgroundProgram:
    return programs.start(Command((sys.executable, "-c", code, *arguments), Path("/"), {}))


def wait_for_end(pid: int, started: str | None) -> None:
    """A backstop of a minute, by the test's own limit."""
    while started and is_alive(pid, started):
        pass


def test_a_program_is_read_after_its_first_line_and_ended(tmp_path: Path) -> None:
    programs = BackgroundPrograms()
    program = start(programs, CHATTY, str(tmp_path / "read"))
    assert program.first_line(60.0) == str(program.pid).encode()
    while not (tmp_path / "read").exists():
        assert program.is_running
    programs.close()
    assert not program.is_running


@pytest.mark.parametrize(
    ("code", "message"), [("", "ended before"), ("import time; time.sleep(600)", "no line")]
)
def test_a_program_without_a_first_line_is_an_error(code: str, message: str) -> None:
    programs = BackgroundPrograms()
    try:
        with pytest.raises(ProcessError, match=message):
            start(programs, code).first_line(60.0 if not code else 0.0)
    finally:
        programs.close()


def test_a_program_that_is_not_there_is_an_error() -> None:
    programs = BackgroundPrograms()
    with pytest.raises(ProcessError, match="cannot be started"):
        programs.start(Command(("/no/such/program",), Path("/"), {}))
    programs.close()


def test_programs_end_when_we_are_killed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LEAVES_US.format(code=CHATTY), str(tmp_path / "read")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        started = started_at(pid)
        assert started is not None
        os.kill(parent.pid, signal.SIGKILL)
    wait_for_end(pid, started)
    assert not is_alive(pid, started)

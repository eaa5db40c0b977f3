"""How the demo's commands meet their end: a interruption that falls in the middle of one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.process import is_alive, read_pid_file

# Interrupts a command, by its pid file and the repository that it works in.
Interruption = Callable[[Path, Path], None]
# Seconds between two looks at the condition.
POLL_SECONDS = 0.05


def kill_all(pid_file: Path, repository: Path) -> None:
    """The machine is lost: kill the command and every Terraform, the command first, which must not see."""
    for path in (pid_file, *repository.glob(".infra/runs/*/*/pid.json")):
        _signal(path, signal.SIGKILL)


def interrupt(pid_file: Path, repository: Path) -> None:
    """The job is cancelled: the runner signals the step's own process, and nothing else."""
    _signal(pid_file, signal.SIGINT)


@contextmanager
def interrupt_when(
    pid_file: Path, repository: Path, when: Callable[[], bool], interruption: Interruption
) -> Iterator[None]:
    """Within it, `interruption` falls once, as soon as `when` holds."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            if when():
                interruption(pid_file, repository)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _signal(path: Path, number: signal.Signals) -> None:
    recorded = read_pid_file(path)
    if recorded and is_alive(recorded.pid, recorded.started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(recorded.pid, number)

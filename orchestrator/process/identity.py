"""Which process a pid file means: a pid alone may be another program's by the time it is read."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.jsontext import MALFORMED, read_object

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class RecordedProcess:
    """A child as its pid file names it. `started` is opaque: it is only compared."""

    pid: int
    started: str
    argv0: str

    @property
    def alive(self) -> bool:
        """True while that very process runs."""
        return is_alive(self.pid, self.started)


def started_at(pid: int) -> str | None:
    """When a process started, as text that differs for a later process with its pid; None when it is gone.

    A zombie (ended, its parent has not asked yet) counts as gone.
    """
    return _started_linux(pid) if _PROC.is_dir() else _started_elsewhere(pid)


def is_alive(pid: int, started: str) -> bool:
    """True while the process `pid` that started at `started` runs."""
    return started_at(pid) == started


def write_pid_file(path: Path, pid: int, argv0: str) -> None:
    """Record a child that has just been started; readers see the whole file or none."""
    document = {"pid": pid, "started": started_at(pid) or "", "argv0": argv0}
    draft = path.with_name(f".{path.name}.{pid}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
    draft.replace(path)


def read_pid_file(path: Path) -> RecordedProcess | None:
    """What a pid file says; None when it is missing or not one."""
    try:
        document = read_object(path.read_bytes())
        return RecordedProcess(int(document["pid"]), str(document["started"]), str(document["argv0"]))
    except (OSError, *MALFORMED):
        return None


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The program's name is in parentheses and may hold spaces; field 3 follows it, the start is field 22.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else f"{boot}/{int(fields[19])}"


def _started_elsewhere(pid: int) -> str | None:
    argv = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "TZ": "UTC"})
    state, _, started = done.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None

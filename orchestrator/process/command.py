"""What to run, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Stream = Literal["stdout", "stderr"]
# Called with each line, without its end, as the child writes it. An exception from it is raised by `run`
# when the child has ended: a mistake in a progress line must not end an apply.
OnLine = Callable[[Stream, bytes], None]
# Called from the thread that runs the command, once its process exists.
OnStart = Callable[[], None]


@dataclass(frozen=True)
class Command:
    """One program to run.

    `argv` is never given to a shell; `env` is the child's whole environment,
    but for the tokens of a job (job_tokens.py). With `files`, a folder, the
    child writes to the files `stdout_name` and `stderr` there (0600, appended to) and we follow them: it
    then outlives us, so every command that changes state has it. Without it the child writes to pipes.
    `stdin="inherit"` gives the child our terminal: all three streams, nothing is captured. Of what comes
    through a pipe, `most_output` bytes of each stream are returned at most; the rest is read and dropped.

    At `deadline` seconds the child gets one SIGINT, `grace` seconds later its process group is killed. Each
    of `phase_deadlines` is (marker, seconds): from the first line that contains the marker on, so many
    seconds are left at most, and ten of grace. `pid_file` is written when the child runs and stays (see
    `identity.py`). `title` names the command to people: "apply of prod/network".
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    deadline: float | None = None
    files: Path | None = None
    stdin: Literal["none", "inherit"] = "none"
    pid_file: Path | None = None
    grace: float = 10.0
    phase_deadlines: tuple[tuple[bytes, float], ...] = ()
    stdout_name: str = "stdout"
    title: str = ""
    most_output: int | None = None

    @property
    def changes_state(self) -> bool:
        """True for a command that must not die with us."""
        return self.files is not None

    @property
    def name(self) -> str:
        """What to call it when it is spoken of."""
        return self.title or " ".join([Path(self.argv[0]).name, *self.argv[1:2]])


@dataclass(frozen=True)
class Completed:
    """A child that ended. A negative `returncode` is the signal that killed it.

    `ended` says why: by itself, by our deadline, or by an interrupt that we forwarded. `phase` is the marker
    of the phase deadline that was passed, if it was one. `peak_memory` is that of the largest of its
    processes in KiB, children included that it waited for; 0 where the system does not report it. It is never
    less than the memory of infra when it started the child, since a process begins as a copy of its parent.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float
    ended: Literal["exited", "deadline", "interrupted"] = "exited"
    phase: bytes | None = None
    peak_memory: int = 0

    @property
    def ok(self) -> bool:
        """True when the program says that it succeeded."""
        return self.returncode == 0

    @property
    def text(self) -> str:
        """Standard output for people: what is not UTF-8 is shown as a replacement character."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error for people."""
        return self.stderr.decode("utf-8", "replace")

    @property
    def exact_text(self) -> str:
        """Standard output such that encoding it again (`surrogateescape`) gives the same bytes."""
        return self.stdout.decode("utf-8", "surrogateescape")

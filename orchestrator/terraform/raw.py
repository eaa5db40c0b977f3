"""Any Terraform command line, with the care that it needs: by what it does to a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.process import Command
from orchestrator.terraform import command
from orchestrator.terraform.model import Workdir

PID_FILE = "pid.json"
# The line after which nothing but the lock's release is left to do; in text and in JSON.
RELEASING = b"Releasing state lock"


def raw_command(
    program: Sequence[str],
    arguments: Sequence[str],
    work: Workdir,
    root: Path,
    env: Mapping[str, str],
    *,
    terminal: bool,
) -> Command:
    """One that changes state never asks, has no input, writes to files and outlives us.

    With `terminal` any other gets our terminal.
    """
    title = f"{' '.join(arguments[:2])} of {work.title}"
    if command.changes_state(arguments):
        return Command(
            (*program, *command.without_input(arguments)),
            root,
            env,
            files=work.run_dir,
            pid_file=work.run_dir / PID_FILE,
            phase_deadlines=((RELEASING, work.timeouts.unlock),),
            grace=work.timeouts.finish,
            title=title,
        )
    return Command((*program, *arguments), root, env, stdin="inherit" if terminal else "none", title=title)

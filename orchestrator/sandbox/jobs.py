"""The variables that GitHub Actions would give to jobs, for events of the sandbox's GitHub."""

from __future__ import annotations

import json
import os

from orchestrator.errors import UsageError
from orchestrator.sandbox import control
from orchestrator.sandbox.attach import Info
from orchestrator.sandbox.github.run_page import LOG_FILE, SUMMARY_FILE, run_file

# The folder of the sandbox's GitHub in the sandbox's folder.
GITHUB = "github"


def job_variables(info: Info, event: str, run: int = 0, *, continues: bool = False) -> dict[str, str]:
    """The variables of a job that an event starts (`push`, `pull_request:1`), its file in the sandbox.

    With `run` it is another job of a run that was started before, on that run's commit; with `continues` one
    of the newest run that the event has started on this commit, where there is one.

    UsageError for an event that is not written so, SandboxError when GitHub has no such event.
    """
    kind, _, number = event.partition(":")
    if number and not number.isdigit():
        raise UsageError(f"{number!r} is no number.", advice="Write the event as pull_request:1, or push.")
    arguments = {"kind": kind, "number": int(number or 0), "run": run, "continues": continues and not run}
    job = control.call_github(info, "event", repository=info.repository, **arguments)
    folder = info.folder / "events"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{job['variables']['GITHUB_RUN_ID']}.json"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(job["payload"], file)
    run_id = job["variables"]["GITHUB_RUN_ID"]
    summary = run_file(info.folder / GITHUB, run_id, SUMMARY_FILE)
    summary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    summary.touch(mode=0o600)
    return {**job["variables"], "GITHUB_EVENT_PATH": str(path), "GITHUB_STEP_SUMMARY": str(summary)}


def append_log(info: Info, run: str, command: str, output: bytes) -> None:
    """Adds a command of a job and what it printed to the log of its run."""
    path = run_file(info.folder / GITHUB, run, LOG_FILE)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
        file.write(f"$ {command}\n".encode() + output + b"\n")

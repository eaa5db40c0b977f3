"""The jobs that events of the sandbox's GitHub start: what GitHub Actions would give them."""

from __future__ import annotations

import json
import os

from orchestrator.errors import UsageError
from orchestrator.sandbox import control
from orchestrator.sandbox.attach import Info


def variables(info: Info, event: str, run: int = 0, *, continues: bool = False) -> dict[str, str]:
    """The variables of a job that an event starts (`push`, `pull_request:1`), its file in the sandbox.

    With `run` it is another job of a run that was started before, on that run's commit; with `continues` one
    of the newest run that the event has started on this commit, where there is one.

    UsageError for an event that is not written so, SandboxError when GitHub has no such event.
    """
    kind, _, number = event.partition(":")
    if number and not number.isdigit():
        raise UsageError(f"{number!r} is no number.", advice="Write the event as pull_request:1, or push.")
    asked = {"kind": kind, "number": int(number or 0), "run": run, "continues": continues and not run}
    found = control.ask_github(info, "event", repository=info.repository, **asked)
    folder = info.folder / "events"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{found['variables']['GITHUB_RUN_ID']}.json"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(found["payload"], file)
    return {**found["variables"], "GITHUB_EVENT_PATH": str(path)}

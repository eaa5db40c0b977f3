"""The origin of a run: person, machine or job, and pull request."""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MERGED = re.compile(r"^refs/pull/(\d+)/")


@dataclass(frozen=True)
class Origin:
    """`person` is a login, `where` a machine's name or a job's address, `pull_request` is `#12` or empty.

    `attempt` is the workflow's run and attempt (`8813-1`), empty outside of a workflow.
    """

    person: str
    where: str
    is_ci: bool
    link: str = ""
    pull_request: str = ""
    attempt: str = ""

    @property
    def trigger(self) -> str:
        """`ci` or `local`."""
        return "ci" if self.is_ci else "local"


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs in a CI job, by the variables that all of them set."""
    return any(environ.get(name, "").lower() in ("true", "1") for name in ("GITHUB_ACTIONS", "CI"))


def origin_of(environ: Mapping[str, str]) -> Origin:
    """The origin of a run, from the environment variables."""
    if not is_ci(environ):
        return Origin(_login(environ), socket.gethostname(), is_ci=False)
    link = attempt = ""
    if environ.get("GITHUB_RUN_ID"):
        attempt = f"{environ['GITHUB_RUN_ID']}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}"
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        link = f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{environ['GITHUB_RUN_ID']}"
        if environ.get("GITHUB_RUN_ATTEMPT", "1") != "1":
            link += f"/attempts/{environ['GITHUB_RUN_ATTEMPT']}"
    return Origin(
        person=environ.get("GITHUB_ACTOR") or _login(environ),
        where=link or socket.gethostname(),
        is_ci=True,
        link=link,
        pull_request=_pull_request(environ),
        attempt=attempt,
    )


def _login(environ: Mapping[str, str]) -> str:
    for name in ("LOGNAME", "USER"):
        if environ.get(name):
            return environ[name]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _pull_request(environ: Mapping[str, str]) -> str:
    """The pull request that a job runs for, by its ref or by the event."""
    match = _MERGED.match(environ.get("GITHUB_REF", ""))
    if match:
        return f"#{match.group(1)}"
    try:
        event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_bytes())
        number = event["pull_request"]["number"]
    except (KeyError, OSError, ValueError, TypeError):
        return ""
    return f"#{number}"

"""Brings a project's own branches to the sandbox's GitHub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import SandboxError
from orchestrator.process import Command, Supervisor

_REMOTE = re.compile(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
_OWNER = "sandbox"


def name_of(remote: str | None, folder: Path) -> str:
    """What a project is called on the sandbox's GitHub: as at its origin, else after its folder."""
    found = _REMOTE.search(remote or "") if "://" in (remote or "") or "@" in (remote or "") else None
    if found:
        return found[1]
    name = re.sub(r"[^\w.-]+", "-", folder.name)
    return f"{_OWNER}/{name or 'project'}"


def current_branch(folder: Path, environ: Mapping[str, str]) -> str:
    """The branch that is checked out; '' when none is."""
    argv = ("git", "symbolic-ref", "--quiet", "--short", "HEAD")
    return Supervisor().run(Command(argv, folder, dict(environ), deadline=60)).text.strip()


def push(folder: Path, target: Path, branches: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Push commits of the clone in `folder`, by revision, to branches of the bare repository `target`.

    SandboxError when git does not do it, as for a trunk that went on over there.
    """
    pairs = [f"{revision}:refs/heads/{branch}" for branch, revision in branches.items()]
    argv = ("git", "push", "--quiet", "--no-verify", str(target), *pairs)
    done = Supervisor().run(Command(argv, folder, dict(environ), deadline=120))
    if not done.ok:
        last = done.error_text.strip().splitlines() or ["git said nothing"]
        raise SandboxError(
            f"git push to {target} failed: {last[0]}",
            advice="If a branch went on there: `git pull` it from that folder first.",
        )

"""Pushes a project's branches to the sandbox's GitHub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import SandboxError
from orchestrator.process import Command, Supervisor

_REMOTE = re.compile(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
_OWNER = "sandbox"


def repository_name(remote: str | None, folder: Path) -> str:
    """The name of a project on the sandbox's GitHub: that of its origin, else of its folder."""
    match = _REMOTE.search(remote or "") if "://" in (remote or "") or "@" in (remote or "") else None
    if match:
        return match[1]
    name = re.sub(r"[^\w.-]+", "-", folder.name)
    return f"{_OWNER}/{name or 'project'}"


def current_branch(folder: Path, environ: Mapping[str, str]) -> str:
    """The branch that is checked out; '' when none is."""
    argv = ("git", "symbolic-ref", "--quiet", "--short", "HEAD")
    return Supervisor().run(Command(argv, folder, dict(environ), deadline=60)).text.strip()


def fetch_trunk(folder: Path, source: Path, trunk: str, environ: Mapping[str, str]) -> None:
    """Let `origin/TRUNK` of the clone in `folder` be what it is in the bare repository `source`.

    A job's checkout knows the trunk of its host. Where there is no such branch, nothing changes.
    """
    refs = f"+refs/heads/{trunk}:refs/remotes/origin/{trunk}"
    argv = ("git", "fetch", "--quiet", "--no-tags", str(source), refs)
    Supervisor().run(Command(argv, folder, dict(environ), deadline=120))


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

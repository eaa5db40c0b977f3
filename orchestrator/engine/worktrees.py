"""Checks out another commit of the repository to run Terraform in, such as the one last applied.

A checkout of a commit is kept below `.infra/worktrees/` while it may be wanted again. It holds folders of its
own, so that nothing in it stands in the way of what runs in the real checkout.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.engine.context import RunContext
from orchestrator.engine.folders import Folders, private
from orchestrator.engine.memory import Memory
from orchestrator.errors import InfraError
from orchestrator.repository.loading import load_commit
from orchestrator.state.location import Location
from orchestrator.terraform.locking import file_lock

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.repository.model import Project

# Checkouts that nobody is in: this many are kept for the next time, unless unused for this long.
KEPT = 8
KEPT_SECONDS = 7 * 86400.0


@contextmanager
def at_commit(session: Session, commit: str) -> Iterator[Session]:
    """A session on another commit: its project and folders are that commit's, everything else is the run's.

    States and ledgers stay where they are, a local state in the checkout too. Threads that ask for the same
    commit share one checkout. Raises GitError for a commit that is not here, and ConfigError when its
    infra.yaml is none that this version can read.
    """
    full = session.context.project.repository.resolve(commit)
    inner = session.commits.enter(session, full)
    try:
        yield inner
    finally:
        session.commits.leave(session, full)


@dataclass
class _Entered:
    session: Session
    claim: int
    users: int = 0


@dataclass
class CommitSessions:
    """The other commits that a run is in, each with a session that its threads share."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _entered: dict[str, _Entered] = field(default_factory=dict)

    def enter(self, session: Session, commit: str) -> Session:
        """The session on a commit, made by whoever comes first."""
        with self._lock:
            if commit not in self._entered:
                self._entered[commit] = _enter(session, commit)
            entered = self._entered[commit]
            entered.users += 1
            return entered.session

    def leave(self, session: Session, commit: str) -> None:
        """Whoever goes last takes the plan files along, and makes room."""
        with self._lock:
            entered = self._entered[commit]
            entered.users -= 1
            if entered.users:
                return
            del self._entered[commit]
            entered.session.forget_plans()
            os.close(entered.claim)
            with suppress(InfraError, OSError):  # what is not tidied up now is the next time
                _prune(session.context)


def _enter(session: Session, commit: str) -> _Entered:
    context = session.context
    repository = context.project.repository
    at = load_commit(context.project, commit)
    claim = _check_out(context, commit)
    try:
        top = _folder(context.project) / commit
        project = replace(at, root=top / repository.prefix)
        _link_local_states(at, project.root)
        return _Entered(_session_in(session, at, project), claim)
    except BaseException:
        os.close(claim)
        raise


def _session_in(session: Session, at: Project, project: Project) -> Session:
    """`at` is the commit's project with the checkout's root, where local states and ledgers are."""
    context = session.context
    folders = Folders(project.root)
    folders.prepare()
    folders.begin_run(context.info.id, time.time())
    states = session.memory.states.of(at)
    info = replace(context.info, commit=at.commit or "")
    return replace(
        session,
        context=replace(context, project=project, folders=folders, info=info),
        terraform=replace(
            session.terraform, project=project, folders=folders, _roots=defaultdict(threading.Lock)
        ),
        memory=Memory(project, states, session.memory.ledgers.for_commit(at, states)),
    )


def _check_out(context: RunContext, commit: str) -> int:
    """Make the checkout, whole; returns a descriptor that keeps others from removing it while it is open."""
    folder = _folder(context.project)
    repository = context.project.repository
    with file_lock(folder / "lock", lambda: context.supervisor.interrupted):
        claim = os.open(folder / f"{commit}.used", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_SH)
            # Empty until the checkout is whole: one that was interrupted would look like deleted code.
            if not (folder / commit).is_dir() or not os.pread(claim, 1, 0):
                repository.remove_worktree(commit)
                repository.add_worktree(commit)
                os.pwrite(claim, b"whole\n", 0)
            os.utime(claim)
        except BaseException:
            os.close(claim)
            raise
    return claim


def _link_local_states(at: Project, root: Path) -> None:
    """Local states lie in the checkout, beside the code that makes them: link them into this one."""
    for stack in at.stacks.values():
        location = Location.parse(stack.state) if stack.state else None
        if location is None or location.is_remote or Path(location.name).is_absolute():
            continue
        real, link = at.root / location.name, root / location.name
        if not real.is_file() or link.is_symlink() or ".." in Path(location.name).parts:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(real)


def _prune(context: RunContext) -> None:
    """Remove checkouts beyond those kept, the longest unused first, and none that another process is in."""
    folder = _folder(context.project)
    with file_lock(folder / "lock", lambda: context.supervisor.interrupted):
        marks = sorted(folder.glob("*.used"), key=lambda mark: mark.stat().st_mtime, reverse=True)
        oldest = time.time() - KEPT_SECONDS
        for number, mark in enumerate(marks):
            if number >= KEPT or mark.stat().st_mtime < oldest:
                _remove(context.project, mark)


def _remove(project: Project, mark: Path) -> None:
    descriptor = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        project.repository.remove_worktree(mark.stem)
        mark.unlink()
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _folder(project: Project) -> Path:
    from orchestrator.repository.git import WORKTREES

    return private(project.repository.root / WORKTREES)

"""Locks between processes and threads of one machine, by flock: the kernel frees them when a process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import InterruptedRunError


@contextmanager
def file_lock(path: Path, interrupted: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold `path` alone. Raises InterruptedRunError when `interrupted()` becomes true while it waits."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, interrupted)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, interrupted: Callable[[], bool]) -> None:
    pause = 0.01
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if interrupted():
                raise InterruptedRunError(f"Interrupted while waiting for {path.name}.") from None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.2)
        else:
            return

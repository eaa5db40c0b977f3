"""The process whose pid Terraform gets: Terraform kills it, and not the sandbox, when a provider hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


class Sentinel:
    """A program that reads a pipe which only the sandbox holds open, so that it ends with the sandbox."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        argv = _reading_argv()
        try:
            self.pid = os.posix_spawn(
                argv[0],
                argv,
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reader, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                ],
            )
        finally:
            os.close(reader)
        self._ended = False

    def has_ended(self) -> bool:
        """Whether it was killed; it is reaped then."""
        if not self._ended:
            with contextlib.suppress(ChildProcessError):
                self._ended = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        return self._ended

    def close(self) -> None:
        """End it and reap it."""
        os.close(self._writer)
        if not self._ended:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGTERM)
                os.waitpid(self.pid, 0)
        self._ended = True


def _reading_argv() -> list[str]:
    """A program that does nothing but read its standard input to the end: `cat`, else Python."""
    cat = shutil.which("cat", path=os.defpath)
    return [cat] if cat else [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]

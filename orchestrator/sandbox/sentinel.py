"""The child whose pid Terraform is given: Terraform kills it when a provider does not answer, and not us."""

from __future__ import annotations

import contextlib
import os
import signal


class Sentinel:
    """`cat` on a pipe that only we hold open: it sleeps, and ends when we do, however we end."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        try:
            self.pid = os.posix_spawnp(
                "cat",
                ["cat"],
                {"PATH": os.defpath},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reader, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                ],
            )
        finally:
            os.close(reader)
        self._ended = False

    def has_ended(self) -> bool:
        """True when somebody killed it; it is reaped then."""
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

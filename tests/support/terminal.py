"""`infra` on a terminal of its own: typed to, read from, interrupted."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.warm import Forked

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class TerminalChild:
    """A child on a pseudo-terminal. Use as a context manager: what still runs at the end is killed."""

    def __init__(self, root: Path, *argv: str, env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **(env or {})}
        self.child = Forked(argv, root, environment, slave)
        os.close(slave)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was printed so far, without colours and cursor movements."""
        return _CONTROL.sub("", self.raw)

    def expect(self, words: str, seconds: float = 120) -> None:
        """Wait until `words` were printed."""
        end = time.monotonic() + seconds
        while words not in self.text:
            assert self._read(end - time.monotonic()), f"{words!r} did not come:\n{self.text}"

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._master, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.child.send_signal(signal.SIGINT)

    def end(self, seconds: float = 120) -> int:
        """Read to the end; returns the exit code."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        return self.child.wait(timeout=max(1.0, end - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        """Read what is there, waiting for it; False at the end or when the time is up."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def __enter__(self) -> TerminalChild:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.child.close()
        os.close(self._master)

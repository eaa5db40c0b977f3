"""Uploads the journal of an apply to the ledger's bucket, since a CI runner's disk is lost with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable

from orchestrator.engine.orphans import reduce_line
from orchestrator.errors import InfraError
from orchestrator.state.ledger import Ledger

# A batch that could not be written is tried again with the next lines, this often in all.
MAX_FAILURES = 5


class JournalUploader:
    """Writes lines to the ledger in batches of what came while the last batch was under way.

    Only type, address, action and id of a resource leave the machine. It never disturbs the apply: what
    cannot be written is dropped, and `failed` says so.
    """

    def __init__(self, ledger: Ledger, run: str, stack: str, first: int = 0) -> None:
        self._ledger, self._run, self._stack = ledger, run, stack
        self._number = first
        self._lines: list[bytes] = []
        self._failures = 0
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"journal {stack}", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """True when the ledger's journal is incomplete."""
        return self._failures >= MAX_FAILURES

    def feed(self, line: bytes) -> None:
        """A raw line of the journal."""
        reduced_line = reduce_line(line)
        if reduced_line is not None:
            self.add([reduced_line])

    def add(self, lines: Iterable[bytes]) -> None:
        """Lines that may leave the machine as they are."""
        with self._changed:
            self._lines.extend(lines)
            self._changed.notify()

    def close(self, seconds: float = 30.0) -> None:
        """Wait until everything is written, but not for ever."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._ended)
                batch, self._lines = self._lines, []
                if not batch:
                    return
            if not self._write(batch):
                with self._changed:
                    self._lines = batch + self._lines
                    if self.failed or self._ended:
                        return
                    self._changed.wait(1.0)

    def _write(self, batch: list[bytes]) -> bool:
        self._number += 1
        with contextlib.suppress(InfraError):
            self._ledger.append_journal(self._run, self._stack, self._number, batch)
            return True
        self._failures += 1
        return False

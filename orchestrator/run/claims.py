"""One stack in our hands: taken in the ledger, kept by a heartbeat, given back with how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from orchestrator.errors import InfraError
from orchestrator.project.model import Stack
from orchestrator.report.model import StackReport
from orchestrator.state.ledger import HEARTBEAT, Ledger
from orchestrator.state.records import Entry, StackRecord

# The first beat comes soon: it notes the state lock that Terraform has taken by then.
FIRST_BEAT = 2.0


class Claim:
    """A stack that this run has taken. `before` is what the ledger said until then.

    `waited` is true when another run held it first: what was planned before may be out of date.
    """

    def __init__(
        self, ledger: Ledger, stack: Stack, before: Entry | None, entry: Entry, *, waited: bool
    ) -> None:
        self.ledger = ledger
        self.stack = stack
        self.before = before
        self.entry = entry
        self.waited = waited
        self.ended = False
        self.lost = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def applying(self, lock_generation: Callable[[], str]) -> None:
        """Terraform is about to run; from now on, if not before, the ledger hears from us."""
        if self._thread is not None:
            return
        operation = self.entry.operation
        if operation is None:
            raise ValueError(f"{self.stack.id} is not claimed")
        self.entry = self.ledger.mark(self.entry, replace(operation, phase="applying"))
        self._thread = threading.Thread(
            target=self._beat, args=(lock_generation,), name=f"heartbeat {self.stack.id}", daemon=True
        )
        self._thread.start()

    def finish(self, entry: Entry) -> None:
        """Write how it ended; `entry` is ours with new fields."""
        self.rest()
        self.entry = self.ledger.finish(replace(entry, generation=self.entry.generation))
        self.ended = True

    def give_back(self) -> None:
        """Nothing was done: the ledger says again what it said before."""
        self.rest()
        if not self.ended:
            self.ended = True
            before = self.before
            # What was cut off in the middle still is; what had not begun is over.
            if before and not before.is_unfinished:
                before = replace(before, operation=None)
            self.ledger.leave(self.entry, before)

    def record(self, report: StackReport) -> StackRecord:
        """The stack's part in the record of the run, once it has ended."""
        return StackRecord(
            result=report.result,
            counts=dict(report.counts),
            reason=report.reason,
            seconds=round(report.seconds, 3),
            serial_before=self.before.serial if self.before else None,
            serial_after=self.entry.serial,
            generation_after=self.entry.state_generation,
        )

    def rest(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self, lock_generation: Callable[[], str]) -> None:
        pause, noted = FIRST_BEAT, ""
        while not self._stop.wait(pause):
            pause = HEARTBEAT
            try:
                lock = "" if noted else lock_generation()
                with self._lock:
                    self.entry = self.ledger.heartbeat(self.entry, lock=lock)
                noted = noted or lock
            except InfraError as error:
                # The apply goes on: it would be worse to stop it. Its end tells, if that cannot be written.
                self.lost = error.message

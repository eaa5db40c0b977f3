"""Claims: a stack taken in the ledger by one run, and the stages it goes through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from orchestrator.errors import InfraError
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.ledger import HEARTBEAT, Ledger
from orchestrator.state.records import LedgerEntry, StackRecord

# The first beat comes soon: it notes the state lock that Terraform has taken by then.
FIRST_BEAT = 2.0

# planned: ours in the ledger. announced: the ledger says that Terraform may run, so that a crash from here on
# is looked into. started: Terraform's process exists. ended: the ledger has the outcome, or is as it was.
Stage = Literal["planned", "announced", "started", "ended"]


class Claim:
    """A stack that this run has taken. `before` is what the ledger said until then.

    The stage only moves forward. A claim whose Terraform never started is always given back: nothing was
    done, whatever came in between. One that started ends with its outcome, or stays in the ledger as
    unfinished. `waited` is true when another run held the stack first: what was planned before may be out of
    date. `serial` is the state's when it was taken, None where there is no state. `forgotten` is the reason
    why the apply gives up a state that is gone.
    """

    def __init__(
        self,
        ledger: Ledger,
        stack: Stack,
        before: LedgerEntry | None,
        entry: LedgerEntry,
        *,
        waited: bool,
        serial: int | None = None,
        forgotten: str = "",
        first_beat: float = FIRST_BEAT,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self.ledger = ledger
        self.stack = stack
        self.before = before
        self.entry = entry
        self.waited = waited
        self.serial = serial
        self.forgotten = forgotten
        self.stage: Stage = "planned"
        # When our Terraform could first run, by the clock of where the ledger lies; empty where that is not
        # known: before it is announced, and for one that another run started.
        self.announced_at = ""
        self._first_beat = first_beat
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def has_ended(self) -> bool:
        """True once the ledger has the outcome, or says again what it said before."""
        return self.stage == "ended"

    def announce(self, lock_generation: Callable[[], str]) -> None:
        """Terraform is about to run: the ledger says so first, and hears from us from now on.

        Written ahead, since a machine that is lost between Terraform's start and the write would leave
        resources that nobody looks for. `lock_generation` gives the generation of the state's lock, "" where
        it is not our Terraform's. Does nothing when it was announced before.
        """
        if self.stage != "planned":
            return
        operation = self.entry.operation
        if operation is None:
            raise ValueError(f"{self.stack.id} is not claimed")
        entry = self.entry
        if self.forgotten:
            # From here on the new state may be there: whoever resumes must not miss the one that is gone.
            entry = replace(entry, state_generation="", forgotten=self.forgotten)
        # A lock of an apply that is resumed is released by now, or is noted again by the first heartbeat.
        self.entry = self.ledger.mark(entry, replace(operation, phase="applying", lock=""))
        if not (self.before and self.before.is_unfinished):
            self.announced_at = self.ledger.now()
        self.stage = "announced"
        self._thread = threading.Thread(
            target=self._beat, args=(lock_generation,), name=f"heartbeat {self.stack.id}", daemon=True
        )
        self._thread.start()

    def start(self) -> None:
        """Terraform's process exists. It may be called again: an apply that met a lock is tried again."""
        if self.stage not in ("announced", "started"):
            raise ValueError(f"{self.stack.id} is {self.stage}: it was not announced")
        self.stage = "started"

    def finish(self, entry: LedgerEntry) -> None:
        """Write the outcome; `entry` is ours with new fields."""
        self._stop_heartbeat()
        self.entry = self.ledger.finish(replace(entry, generation=self.entry.generation))
        self.stage = "ended"

    def note_state(self, url: str, generation: str) -> None:
        """The state was moved: write where it is now, whatever comes next."""
        if self.entry.operation is None:
            raise ValueError(f"{self.stack.id} is not claimed")
        self.entry = self.ledger.mark(
            replace(self.entry, state=url, state_generation=generation), self.entry.operation
        )
        if self.before is not None:
            self.before = replace(self.before, state=url, state_generation=generation)

    def forget_operation(self) -> None:
        """The operation that the ledger had is over without having done anything: give back without it."""
        if self.before is not None:
            self.before = replace(self.before, operation=None)

    def forget_stack(self, reason: str) -> None:
        """Give back an entry that knows only why the stack's state was given up."""
        self.before = LedgerEntry(self.stack.id, forgotten=reason)

    def give_back(self) -> None:
        """Nothing was done: the ledger says again what it said before."""
        self._stop_heartbeat()
        if self.has_ended:
            return
        self.stage = "ended"
        before = self.before
        # What was interrupted while applying still is; what had not started is over.
        if before and not before.is_unfinished:
            before = replace(before, operation=None)
        self.ledger.leave(self.entry, before)

    def close(self) -> None:
        """The run leaves the stack: gives it back unless Terraform started, and stops the heartbeat."""
        if self.stage in ("planned", "announced"):
            self.give_back()
        self._stop_heartbeat()

    def record(self, report: StackReport) -> StackRecord:
        """The stack's part in the record of the run, once it has ended; it counts what was done."""
        return StackRecord(
            result=report.result,
            counts=dict(report.counts) if report.has_applied else {},
            reason=report.reason,
            seconds=round(report.seconds, 3),
            serial_before=self.serial,
            serial_after=self.entry.serial,
            generation_after=self.entry.state_generation,
        )

    def _stop_heartbeat(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self, lock_generation: Callable[[], str]) -> None:
        pause, noted = self._first_beat, ""
        while not self._stop.wait(pause):
            pause = self._heartbeat
            try:
                lock = "" if noted else lock_generation()
                with self._lock:
                    self.entry = self.ledger.heartbeat(self.entry, lock=lock)
                noted = noted or lock
            except InfraError:
                # The apply goes on: it would be worse to stop it. Should the ledger stay out of reach, the
                # outcome cannot be written either, and the report says that.
                continue

"""Leftovers of an interrupted run: its process, journal, rescued states and lock; finds and clears them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.apply_plan import PLANNED_FILE
from orchestrator.engine.orphans import Orphan
from orchestrator.engine.session import Session
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InterruptedRunError, PartialError, StateError
from orchestrator.process import RecordedProcess, read_pid_file, started_at
from orchestrator.repository.model import Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.locks import LockInfo, belongs_to, release_lock
from orchestrator.state.records import LedgerEntry
from orchestrator.state.statefile import StateFile, read_state
from orchestrator.terraform.client import PID_FILE, Workdir
from orchestrator.terraform.journal import JOURNAL, event_text
from orchestrator.terraform.rescue import rescue_errored_state, rescue_folder

FOLLOW = 0.2


@dataclass(frozen=True)
class RescuedState:
    """A state that Terraform could not save; `where` is a path or an object's name."""

    where: str
    data: bytes
    head: StateFile


def live_process(work: Workdir) -> RecordedProcess | None:
    """The run's Terraform, if it still runs on this machine."""
    pid_file = read_pid_file(work.run_dir / PID_FILE)
    return pid_file if pid_file and pid_file.alive else None


def follow_process(
    work: Workdir, process: RecordedProcess, note: Callable[[str], None], stop: Callable[[], bool]
) -> None:
    """Wait until a Terraform process whose `infra` died has ended, reporting its progress."""
    path = work.run_dir / JOURNAL
    offset = 0
    while process.alive:
        if stop():
            raise InterruptedRunError("Interrupted while following Terraform, which goes on.")
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                text = event_text(line)
                if text:
                    note(text)
        time.sleep(FOLLOW)


def read_journal(ledger: Ledger, run: str, stack: Stack, work: Workdir) -> list[bytes]:
    """The journal lines of a run for a stack, from this machine and from the ledger."""
    lines = ledger.journal(run, stack.id)
    for name in (PLANNED_FILE, JOURNAL):
        path = work.run_dir / name
        if path.is_file():
            lines += path.read_bytes().splitlines()
    return lines


def is_journal_complete(entry: LedgerEntry, work: Workdir) -> bool:
    """Whether the journal on this machine has every line: it is here, and the machine has not gone down."""
    if not (work.run_dir / JOURNAL).is_file():
        return False
    before = entry.operation.pid_started if entry.operation else ""
    now = started_at(os.getpid()) or ""
    # On Linux the boot's id stands before the slash.
    return not before or "/" not in now or before.partition("/")[0] == now.partition("/")[0]


def newest_rescued(
    terraform: TerraformRunner, ledger: Ledger, run: str, stack: Stack, work: Workdir
) -> RescuedState | None:
    """The newest state that the run's Terraform could not save; one that lies in the root is moved away."""
    for root in dict.fromkeys((work.root, terraform.client.root(work))):
        rescue_errored_state(work, root)
    states = list(_rescued(ledger, run, stack, work))
    return max(states, key=lambda state: state.head.serial, default=None)


def _rescued(ledger: Ledger, run: str, stack: Stack, work: Workdir) -> Iterator[RescuedState]:
    states = [(name, data) for name, data in ledger.rescued(run, stack.id).items()]
    folder = rescue_folder(work.env) / run
    name = work.run_dir.name
    for path in sorted(folder.glob(f"{_escaped(name)}*")) if folder.is_dir() else ():
        if path.name == name or path.name.removeprefix(f"{name}.").isdigit():
            states.append((str(path), path.read_bytes()))
    for where, data in states:
        # One that was torn while it was written is of no use.
        with contextlib.suppress(StateError):
            yield RescuedState(where, data, read_state(data, where))


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def is_newer(rescued: RescuedState, remote: StateFile | None) -> bool:
    """Whether a rescued state continues the one in the backend."""
    if remote is None or not remote.lineage:
        return True
    return rescued.head.lineage == remote.lineage and rescued.head.serial > remote.serial


def own_lock(lock: LockInfo | None, entry: LedgerEntry) -> bool:
    """Whether the state's lock was taken by the interrupted run."""
    if lock is None:
        return False
    if entry.operation is None:
        return lock.generation == entry.left_lock
    return belongs_to(lock, entry.operation)


def _write_rescued_state(work: Workdir, rescued: RescuedState) -> Path:
    """The rescued state as a file that Terraform can push."""
    from orchestrator.atomic_files import write_private

    path = work.run_dir / "rescued.tfstate"
    write_private(path, rescued.data)
    return path


def release_own_lock(session: Session, stack: Stack, lock: LockInfo) -> None:
    """Release exactly this lock on the stack's state."""
    location = session.memory.states.location(stack)
    if location:
        release_lock(session.memory.states.storage(location), location, lock)


def push_rescued(session: Session, stack: Stack, work: Workdir, rescued: RescuedState) -> int:
    """Push a rescued state; returns the serial of the state then. `work` is initialized.

    Raises PartialError where Terraform does not take it.
    """
    path = _write_rescued_state(work, rescued)
    try:
        done = session.terraform.client.run_raw(work, ("state", "push", str(path)))
    finally:
        path.unlink(missing_ok=True)
    head = session.memory.states.head(stack)
    if not done.ok or head is None or head.serial < rescued.head.serial:
        raise PartialError(
            f"The rescued state of {stack.id} could not be pushed: "
            f"{session.context.mask(done.error_text).strip()[:300]}",
            advice=f"It is kept: {rescued.where}. Mend what is wrong and resume again.",
            stack=stack.id,
        )
    return head.serial


def remove_deleted(session: Session, stack: Stack, work: Workdir, orphans: Sequence[Orphan]) -> None:
    """Remove from the state the predecessors of some objects, which the interrupted apply deleted.

    Raises PartialError where Terraform does not do it.
    """
    addresses = [orphan.address for orphan in orphans]
    done = session.terraform.client.run_raw(work, ("state", "rm", *addresses))
    if not done.ok:
        raise PartialError(
            f"{', '.join(addresses)} could not be removed from the state: "
            f"{session.context.mask(done.error_text).strip()[:300]}",
            advice=f"Mend what is wrong, then `infra resume {stack.id}` again.",
            stack=stack.id,
        )

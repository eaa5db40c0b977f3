"""What is left of a run that was cut off: its Terraform, its journal, unsaved states, its lock."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InterruptedRunError, StateError
from orchestrator.process import Recorded, read_pid_file, started_at
from orchestrator.project.model import Stack
from orchestrator.run.carrying import PLANNED_FILE
from orchestrator.state.ledger import Ledger
from orchestrator.state.locks import LockInfo, belongs_to
from orchestrator.state.records import Entry
from orchestrator.state.statefile import StateFile, read_state
from orchestrator.terraform.client import JOURNAL, Workdir
from orchestrator.terraform.journal import event_text
from orchestrator.terraform.raw import PID_FILE
from orchestrator.terraform.rescue import rescue_errored_state, rescue_folder

FOLLOW = 0.2


@dataclass(frozen=True)
class Rescued:
    """A state that Terraform could not save; `where` is a path or an object's name."""

    where: str
    data: bytes
    head: StateFile


def living(work: Workdir) -> Recorded | None:
    """The run's Terraform, if it still runs on this machine."""
    found = read_pid_file(work.run_dir / PID_FILE)
    return found if found and found.alive else None


def follow(work: Workdir, process: Recorded, tell: Callable[[str], None], stop: Callable[[], bool]) -> None:
    """Wait until a Terraform that lost its `infra` has ended, telling what it does."""
    path = work.run_dir / JOURNAL
    place = 0
    while process.alive:
        if stop():
            raise InterruptedRunError("Interrupted while following Terraform, which goes on.")
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                place += len(line)
                text = event_text(line)
                if text:
                    tell(text)
        time.sleep(FOLLOW)


def journal(ledger: Ledger, run: str, stack: Stack, work: Workdir) -> list[bytes]:
    """All that is known of what the run did to the stack, here and in the ledger."""
    lines = ledger.journal(run, stack.id)
    for name in (PLANNED_FILE, JOURNAL):
        path = work.run_dir / name
        if path.is_file():
            lines += path.read_bytes().splitlines()
    return lines


def is_whole(entry: Entry, work: Workdir) -> bool:
    """Whether the journal on this machine has every line: it is here, and the machine has not gone down."""
    if not (work.run_dir / JOURNAL).is_file():
        return False
    before = entry.operation.pid_started if entry.operation else ""
    now = started_at(os.getpid()) or ""
    # On Linux the boot's id stands before the slash.
    return not before or "/" not in now or before.partition("/")[0] == now.partition("/")[0]


def newest_rescued(
    terraform: TerraformRunner, ledger: Ledger, run: str, stack: Stack, work: Workdir
) -> Rescued | None:
    """The newest state that the run's Terraform could not save; one that lies in the root is moved away."""
    for root in dict.fromkeys((work.root, terraform.client.root(work))):
        rescue_errored_state(work, root)
    states = list(_rescued(ledger, run, stack, work))
    return max(states, key=lambda one: one.head.serial, default=None)


def _rescued(ledger: Ledger, run: str, stack: Stack, work: Workdir) -> Iterator[Rescued]:
    found = [(name, data) for name, data in ledger.rescued(run, stack.id).items()]
    folder = rescue_folder(work.env) / run
    name = work.run_dir.name
    for path in sorted(folder.glob(f"{_escaped(name)}*")) if folder.is_dir() else ():
        if path.name == name or path.name.removeprefix(f"{name}.").isdigit():
            found.append((str(path), path.read_bytes()))
    for where, data in found:
        # One that was torn while it was written is of no use.
        with contextlib.suppress(StateError):
            yield Rescued(where, data, read_state(data, where))


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def is_newer(rescued: Rescued, remote: StateFile | None) -> bool:
    """Whether a rescued state continues the one in the backend."""
    if remote is None or not remote.lineage:
        return True
    return rescued.head.lineage == remote.lineage and rescued.head.serial > remote.serial


def own_lock(lock: LockInfo | None, entry: Entry) -> bool:
    """Whether the state's lock is one that the cut-off run took."""
    if lock is None:
        return False
    if entry.operation is None:
        return lock.generation == entry.left_lock
    return belongs_to(lock, entry.operation)


def saved_copy(work: Workdir, rescued: Rescued) -> Path:
    """The rescued state as a file that Terraform can push."""
    from orchestrator.engine.folders import write_private

    path = work.run_dir / "rescued.tfstate"
    write_private(path, rescued.data)
    return path

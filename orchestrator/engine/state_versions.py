"""The versions of a state: lists them with their runs, restores one, backs up states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.engine.folders import private
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.state_queries import initialized_workdir, never_applied
from orchestrator.engine.states import States
from orchestrator.errors import MismatchError, StateError, UsageError
from orchestrator.report.history import StateVersion
from orchestrator.report.model import Result, StackReport
from orchestrator.repository.model import Stack, encode_id
from orchestrator.state.location import Location
from orchestrator.state.records import RunRecord
from orchestrator.state.statefile import addresses_of, read_state
from orchestrator.state.storage import Blob
from orchestrator.terraform.client import PlanOptions
from orchestrator.terraform.failures import command_error

WORKERS = 16
# More than this many states are not written in one apply: a record that says so is wrong.
MOST_SERIALS = 10_000
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class StateRestore:
    """A version that is to be put back: its content, and the state that it takes the place of."""

    stack: Stack
    version: StateVersion
    data: bytes
    now: Blob | None
    now_serial: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


def _require_location(states: States, stack: Stack) -> Location:
    """Where a stack's state lies; StateError when that cannot be told."""
    location = states.location(stack)
    if location is None:
        raise StateError(
            f"Where {stack.id} keeps its state cannot be told.",
            advice=f"`infra state pull {stack.id}` reads it through Terraform.",
            stack=stack.id,
        )
    return location


def versions_of(states: States, ledgers: Ledgers, stack: Stack, *, limit: int) -> list[StateVersion]:
    """The newest versions of a stack's state, newest first, each compared with the one before it."""
    location = _require_location(states, stack)
    storage = states.storage(location)
    generations = storage.versions(location.name)[::-1]
    listed = generations[: limit + 1]
    with ThreadPoolExecutor(WORKERS) as pool:
        blobs = list(pool.map(lambda blob: storage.read(blob.name, blob.generation), listed))
    writers = runs_by_generation(ledgers.of(stack).runs(stack.id), stack.id)
    versions = [_version(blob, content, writers) for blob, content in zip(listed, blobs, strict=True)]
    compared = [
        _compared(version, content, older)
        for version, content, older in zip(versions, blobs, [*blobs, None][1:], strict=True)
    ]
    return compared[:limit]


def runs_by_generation(runs: Iterable[RunRecord], stack: str) -> dict[str, str]:
    """Which run wrote which generation of a state, and which serials (`serial:4`), the newest run first.

    Terraform writes more than one serial in a long apply. A run that left the state as it was wrote none.
    """
    writers: dict[str, str] = {}
    for run in runs:
        record = run.stacks.get(stack)
        if record is None or record.serial_after is None or record.serial_after == record.serial_before:
            continue
        if record.generation_after:
            writers.setdefault(record.generation_after, run.id)
        first = record.serial_after if record.serial_before is None else record.serial_before + 1
        for serial in range(max(first, record.serial_after - MOST_SERIALS), record.serial_after + 1):
            writers.setdefault(f"serial:{serial}", run.id)
    return writers


def _version(blob: Blob, content: Blob | None, writers: Mapping[str, str]) -> StateVersion:
    version = StateVersion(blob.generation, blob.updated, blob.size, live=not blob.deleted)
    if content is None:
        return version
    try:
        head = read_state(content.data, blob.name)
    except StateError:
        return version
    return replace(
        version,
        serial=head.serial,
        lineage=head.lineage,
        resources=len(addresses_of(content.data)),
        run=writers.get(blob.generation) or writers.get(f"serial:{head.serial}", ""),
    )


def _compared(version: StateVersion, content: Blob | None, older: Blob | None) -> StateVersion:
    if version.serial is None or content is None:
        return version
    if older is None:
        return replace(version, added=(), removed=())
    added, removed = _compare_addresses(older.data, content.data)
    return replace(version, added=added, removed=removed)


def _compare_addresses(before: bytes, after: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The resources that one state has and the other lacks: added, removed."""
    old, new = set(addresses_of(before)), set(addresses_of(after))
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def find_restore(memory: Memory, stack: Stack, requested: str) -> StateRestore:
    """Find a version by its generation or its serial, and see that it may be put back."""
    location = _require_location(memory.states, stack)
    storage = memory.states.storage(location)
    versions = versions_of(memory.states, memory.ledgers, stack, limit=1000)
    matches = [version for version in versions if requested in (version.generation, str(version.serial))]
    if not matches:
        raise UsageError(
            f"{stack.id} has no version {requested}.", advice=f"`infra state history {stack.id}` lists them."
        )
    version = matches[0]
    blob, now = storage.read(location.name, version.generation), storage.read(location.name)
    if blob is None or version.serial is None:
        raise StateError(f"Version {requested} of {stack.id} cannot be read.", stack=stack.id)
    if now and now.generation == version.generation:
        raise UsageError(f"{requested} is the version that {stack.id} has now.")
    head = read_state(now.data, location.url) if now else None
    if head and head.lineage != version.lineage:
        raise StateError(
            f"Version {requested} of {stack.id} has another lineage: it is no older version of this state.",
            advice="Look at both with care; `infra run STACK -- state push -force` is the last resort.",
            stack=stack.id,
        )
    added, removed = _compare_addresses(now.data if now else b"{}", blob.data)
    serial = max(version.serial for version in versions if version.serial is not None)
    return StateRestore(stack, version, blob.data, now, serial, added, removed)


def restore(session: Session, restore_point: StateRestore, backup: Path) -> int:
    """Put a version back as a new serial, under the ledger and Terraform's lock; returns the serial.

    What lies there now is kept in `backup` first. MismatchError when the state has moved meanwhile.
    """
    memory = session.memory
    stack = restore_point.stack
    recorder = LedgerRecorder(session, "restore", RecorderOptions(), PlanOptions())
    work = initialized_workdir(session, stack, look=False)
    serial = restore_point.now_serial + 1
    state = private(work.run_dir) / "restored.tfstate"
    write_private(state, _with_serial(restore_point.data, serial))
    try:
        with recorder.claim(stack) as claim, session.terraform.alone_in(stack):
            now = memory.states.generation(stack)
            if now != (restore_point.now.generation if restore_point.now else None):
                raise MismatchError(
                    f"The state of {stack.id} has moved meanwhile; nothing was changed.",
                    advice="Look again.",
                    stack=stack.id,
                )
            if restore_point.now:
                write_private(private(backup) / encode_id(stack.id), restore_point.now.data)
            claim.announce(lambda: lock.generation if (lock := memory.states.lock(stack)) else "")
            done = session.terraform.client.run_raw(work, ("state", "push", str(state)), on_start=claim.start)
            pushed = memory.states.head(stack)
            # A remote backend adds one more to the serial that it is given; a local one does not.
            worked = done.returncode == 0 and pushed is not None and pushed.serial >= serial
            recorded = recorder.failed(claim, "restored" if worked else "failed")
            result: Result = "applied" if worked else "interrupted" if recorded == "interrupted" else "failed"
            recorder.note(claim, StackReport(stack.id, stack.environment, result))
            if pushed is None or not worked:
                limit = work.timeouts.quick
                raise command_error(f"state push of {stack.id}", work.root, limit, done, stack=stack.id)
    finally:
        state.unlink(missing_ok=True)
        recorder.save()
    return pushed.serial


def _with_serial(data: bytes, serial: int) -> bytes:
    """A state with another serial: Terraform takes none that is older than what is there."""
    content = json.loads(data)
    content["serial"] = serial
    return (json.dumps(content, indent=2) + "\n").encode()


def back_up(states: States, stacks: Iterable[Stack], folder: Path, now: str) -> list[str]:
    """Copy states into a folder, 0600, with a manifest; returns the stacks that had one."""
    private(folder)
    located = [(stack, location) for stack in stacks if (location := states.location(stack))]
    with ThreadPoolExecutor(WORKERS) as pool:
        blobs = list(pool.map(lambda located: states.storage(located[1]).read(located[1].name), located))
    manifest_stacks = {}
    for (stack, location), blob in zip(located, blobs, strict=True):
        if blob is None:
            continue
        name = f"{encode_id(stack.id)}.tfstate"
        write_private(folder / name, blob.data)
        head = read_state(blob.data, location.url)
        manifest_stacks[stack.id] = {
            "file": name,
            "state": location.url,
            "generation": blob.generation,
            "serial": head.serial,
            "lineage": head.lineage,
            "sha256": hashlib.sha256(blob.data).hexdigest(),
        }
    manifest = {"version": 1, "created": now, "made": now, "stacks": manifest_stacks}
    write_private(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    return list(manifest_stacks)


def backup_folder(environ: Mapping[str, str], name: str) -> Path:
    """`$XDG_STATE_HOME/infra/backup/NAME`: outside the checkout, since states hold secrets."""
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "infra" / "backup" / name


def require_state(stack: Stack, versions: list[StateVersion]) -> None:
    """Raise when there is no version at all."""
    if not versions:
        raise never_applied(stack)

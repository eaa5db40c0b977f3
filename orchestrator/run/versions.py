"""The versions of a state: which there are and who wrote them, putting one back, keeping copies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.engine.folders import private, write_private
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.session import Session
from orchestrator.engine.states import States
from orchestrator.errors import MismatchError, StateError, UsageError
from orchestrator.project.model import Stack, encode_id
from orchestrator.report.history import StateVersion
from orchestrator.report.model import Result, StackReport
from orchestrator.run.looking import never_applied, ready
from orchestrator.run.recording import Recorder, Terms
from orchestrator.state.location import Location
from orchestrator.state.records import RunRecord
from orchestrator.state.statefile import addresses_of, read_state
from orchestrator.state.storage import Blob
from orchestrator.terraform.client import PlanOptions
from orchestrator.terraform.failures import failure

WORKERS = 16
# More than this many states are not written in one apply: a record that says so is wrong.
MOST_SERIALS = 10_000
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Restoring:
    """A version that is to be put back: its content, and the state that it takes the place of."""

    stack: Stack
    version: StateVersion
    data: bytes
    now: Blob | None
    now_serial: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


def located(states: States, stack: Stack) -> Location:
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
    location = located(states, stack)
    storage = states.storage(location)
    blobs = storage.versions(location.name)[::-1]
    wanted = blobs[: limit + 1]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda one: storage.read(one.name, one.generation), wanted))
    writers = runs_by_generation(ledgers.of(stack).runs(stack.id), stack.id)
    read = [_version(blob, whole, writers) for blob, whole in zip(wanted, found, strict=True)]
    compared = [
        _compared(version, whole, older)
        for version, whole, older in zip(read, found, [*found, None][1:], strict=True)
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


def _version(blob: Blob, whole: Blob | None, writers: Mapping[str, str]) -> StateVersion:
    version = StateVersion(blob.generation, blob.updated, blob.size, live=not blob.deleted)
    if whole is None:
        return version
    try:
        head = read_state(whole.data, blob.name)
    except StateError:
        return version
    return replace(
        version,
        serial=head.serial,
        lineage=head.lineage,
        resources=len(addresses_of(whole.data)),
        run=writers.get(blob.generation) or writers.get(f"serial:{head.serial}", ""),
    )


def _compared(version: StateVersion, whole: Blob | None, older: Blob | None) -> StateVersion:
    if version.serial is None or whole is None:
        return version
    if older is None:
        return replace(version, added=(), removed=())
    added, removed = difference(older.data, whole.data)
    return replace(version, added=added, removed=removed)


def difference(before: bytes, after: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The resources that one state has and the other lacks: added, removed."""
    old, new = set(addresses_of(before)), set(addresses_of(after))
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def to_restore(memory: Memory, stack: Stack, wanted: str) -> Restoring:
    """Find a version by its generation or its serial, and see that it may be put back."""
    location = located(memory.states, stack)
    storage = memory.states.storage(location)
    versions = versions_of(memory.states, memory.ledgers, stack, limit=1000)
    found = [one for one in versions if wanted in (one.generation, str(one.serial))]
    if not found:
        raise UsageError(
            f"{stack.id} has no version {wanted}.", advice=f"`infra state history {stack.id}` lists them."
        )
    version = found[0]
    whole, now = storage.read(location.name, version.generation), storage.read(location.name)
    if whole is None or version.serial is None:
        raise StateError(f"Version {wanted} of {stack.id} cannot be read.", stack=stack.id)
    if now and now.generation == version.generation:
        raise UsageError(f"{wanted} is the version that {stack.id} has now.")
    head = read_state(now.data, location.url) if now else None
    if head and head.lineage != version.lineage:
        raise StateError(
            f"Version {wanted} of {stack.id} is of another lineage: it is not an older form of this state.",
            advice="Look at both with care; `infra run STACK -- state push -force` is the last resort.",
            stack=stack.id,
        )
    added, removed = difference(now.data if now else b"{}", whole.data)
    serial = max(one.serial for one in versions if one.serial is not None)
    return Restoring(stack, version, whole.data, now, serial, added, removed)


def restore(session: Session, one: Restoring, backup: Path) -> int:
    """Put a version back as a new serial, under the ledger and Terraform's lock; returns the serial.

    What lies there now is kept in `backup` first. MismatchError when the state has moved meanwhile.
    """
    memory = session.memory
    stack = one.stack
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    work = ready(session, stack, look=False)
    serial = one.now_serial + 1
    state = private(work.run_dir) / "restored.tfstate"
    write_private(state, renumbered(one.data, serial))
    try:
        with recorder.claim(stack) as claim, session.terraform.alone_in(stack):
            now = memory.states.generation(stack)
            if now != (one.now.generation if one.now else None):
                raise MismatchError(
                    f"The state of {stack.id} has moved meanwhile; nothing was changed.",
                    advice="Look again.",
                    stack=stack.id,
                )
            if one.now:
                write_private(private(backup) / encode_id(stack.id), one.now.data)
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
                raise failure(f"state push of {stack.id}", work.root, limit, done, stack=stack.id)
    finally:
        state.unlink(missing_ok=True)
        recorder.save()
    return pushed.serial


def renumbered(data: bytes, serial: int) -> bytes:
    """A state with another serial: Terraform takes none that is older than what is there."""
    content = json.loads(data)
    content["serial"] = serial
    return (json.dumps(content, indent=2) + "\n").encode()


def back_up(states: States, stacks: Iterable[Stack], folder: Path, now: str) -> list[str]:
    """Copy states into a folder, 0600, with a manifest; returns the stacks that had one."""
    private(folder)
    places = [(stack, place) for stack in stacks if (place := states.location(stack))]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda one: states.storage(one[1]).read(one[1].name), places))
    kept = {}
    for (stack, place), whole in zip(places, found, strict=True):
        if whole is None:
            continue
        name = f"{encode_id(stack.id)}.tfstate"
        write_private(folder / name, whole.data)
        head = read_state(whole.data, place.url)
        kept[stack.id] = {
            "file": name,
            "state": place.url,
            "generation": whole.generation,
            "serial": head.serial,
            "lineage": head.lineage,
            "sha256": hashlib.sha256(whole.data).hexdigest(),
        }
    manifest = {"version": 1, "made": now, "stacks": kept}
    write_private(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    return list(kept)


def backup_folder(environ: Mapping[str, str], name: str) -> Path:
    """`$XDG_STATE_HOME/infra/backup/NAME`: outside the checkout, since states hold secrets."""
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "infra" / "backup" / name


def require_state(stack: Stack, versions: list[StateVersion]) -> None:
    """Raise when there is no version at all."""
    if not versions:
        raise never_applied(stack)

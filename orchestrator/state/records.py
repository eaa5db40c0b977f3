"""The records of the ledger (entries, operations, runs), and their versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from orchestrator.errors import StateError
from orchestrator.jsontext import read_object

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

# Raised when a reader of the version before would misunderstand; fields may be added without that.
VERSION = 1
# The results by which a stack became what a commit says.
COMPLETE_RESULTS = ("applied", "destroyed", "unchanged", "adopted")
# Custom metadata may hold 8 KiB in all, names and heartbeat included.
METADATA_LIMIT = 7_000
SUBJECT_LENGTH = 120
SHORT = 10
# Beyond it, what a machine calls the time and when its run was recorded are of different clocks.
LONGEST_RUN = timedelta(days=3)

# Follows a commit where what was applied is that commit with changes that no commit has.
UNCOMMITTED = "+uncommitted"

Kind = Literal["apply", "destroy", "resume", "adopt", "restore", "run", "forget"]
Phase = Literal["planned", "applying"]
Outcome = Literal[
    "", "applied", "failed", "interrupted", "destroyed", "unchanged", "adopted", "restored", "modified"
]


@dataclass(frozen=True)
class Operation:
    """What a run is doing to a stack.

    `who` is a person or a workflow, `where` a machine or a job's address; `host` (a machine's name, then what
    tells it from others of that name), `pid` and `pid_started` say which process to look for. `started` is
    by the ledger's clock; `heartbeat` too, and comes from the object's own time of update: no machine's
    clock is compared with another's. `lock` is the generation of the state lock that its Terraform took, once
    a heartbeat has noted it.
    """

    run: str
    kind: Kind
    phase: Phase
    who: str
    where: str
    commit: str
    host: str = ""
    pid: int = 0
    pid_started: str = ""
    started: str = ""
    heartbeat: str = ""
    lock: str = ""

    def __str__(self) -> str:
        return f"{self.who} runs {self.kind} {self.run} from {self.where} since {self.started}"


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger knows of a stack. No value of a resource or an output is in it, only hashes.

    What was last applied whole: `commit` (`COMMIT+uncommitted` where the code was in no commit), its
    `author` and `subject`, whether trunk had it (`from_trunk`), `fingerprint`, `upstreams` (stack id → hash
    of the outputs read), `upstream_generations` (stack id → generation of that state), and when and by which
    run (`applied_at`, `applied_run`). The last run, however it ended: `result`, `run`, `at`, and the commit
    it tried, `attempted`. The state as that run left it: `state` (where it is, as `Stack.state` says; empty
    in entries of older versions), `serial`, `lineage`, `state_generation`, `state_size`, `rescued` where one
    that could not be saved is kept, `left_lock` the generation of a lock on it that could not be released.
    `break_glass` is the reason by which the last apply was let through, `forgotten` the one by which `infra
    state forget` gave the state up. `plan_seconds` and `apply_seconds` are how long the last complete plan
    and apply took, None where that is not known. `generation` and `metageneration` are the object's own.
    `problem` says why the object cannot be read, `remedy` what to do; nothing else is known then. They are
    not written.
    """

    stack: str
    commit: str = ""
    fingerprint: str = ""
    upstreams: Mapping[str, str] = field(default_factory=dict)
    upstream_generations: Mapping[str, str] = field(default_factory=dict)
    author: str = ""
    subject: str = ""
    from_trunk: bool = False
    applied_at: str = ""
    applied_run: str = ""
    result: Outcome = ""
    run: str = ""
    at: str = ""
    attempted: str = ""
    state: str = ""
    serial: int | None = None
    lineage: str = ""
    state_generation: str = ""
    state_size: int | None = None
    rescued: str = ""
    left_lock: str = ""
    operation: Operation | None = None
    break_glass: str | None = None
    moved_from: str | None = None
    forgotten: str = ""
    plan_seconds: float | None = None
    apply_seconds: float | None = None
    generation: str = ""
    metageneration: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def is_known(self) -> bool:
        """True when some commit was ever applied whole."""
        return bool(self.commit)

    @property
    def is_blank(self) -> bool:
        """True when nothing is known: the only run that took the stack gave it back."""
        return not (self.commit or self.result or self.operation or self.forgotten or self.problem)

    @property
    def has_state(self) -> bool:
        """True when the last run that recorded an outcome left a state behind that must still be there."""
        return bool(self.state_generation) and self.result != "destroyed"

    @property
    def is_unfinished(self) -> bool:
        """True when a run is in the middle of it, or was interrupted there: its state may not be right."""
        applying = self.operation is not None and self.operation.phase == "applying"
        return applying or self.result == "interrupted"


@dataclass(frozen=True)
class StackRecord:
    """One stack in one run.

    `forgotten` are objects that a resume left alone: they exist, and no state knows of them.
    """

    result: str
    counts: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    serial_before: int | None = None
    serial_after: int | None = None
    generation_after: str = ""
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunRecord:
    """One run in one environment. `started` is RFC 3339; `link` leads to the job, `pull_request` is `#12`.

    `traceparent` names its span, where telemetry was on.

    `problem` says why its object cannot be read; only `id` is known then. `recorded` is when it was last
    recorded, by the clock of where the ledger lies. Both are never written.
    """

    id: str
    command: str
    trigger: str
    commit: str
    person: str
    started: str
    seconds: float
    stacks: Mapping[str, StackRecord]
    subject: str = ""
    pull_request: str = ""
    link: str = ""
    break_glass: str | None = None
    traceparent: str = ""
    problem: str = ""
    recorded: str = ""

    @property
    def order(self) -> tuple[str, str]:
        """What runs are sorted by: when it started, or was recorded where its machine's clock was wrong."""
        try:
            apart = datetime.fromisoformat(self.recorded) - datetime.fromisoformat(self.started)
        except (ValueError, TypeError):
            return self.started, self.id
        return (self.started if abs(apart) < LONGEST_RUN else self.recorded), self.id


def base_commit(commit: str) -> str:
    """The commit that Git knows, of one that may be recorded as `COMMIT+uncommitted`."""
    return commit.removesuffix(UNCOMMITTED)


def short_commit(commit: str) -> str:
    """A recorded commit for people: `1a2b3c4d5e`, `1a2b3c4d5e+uncommitted`."""
    return base_commit(commit)[:SHORT] + (UNCOMMITTED if commit.endswith(UNCOMMITTED) else "")


def encode_entry(entry: LedgerEntry) -> bytes:
    """An entry as its object holds it."""
    return encode(_entry_document(entry))


def decode_entry(data: bytes, where: str) -> LedgerEntry:
    """An entry from its object; StateError when it is none, or of a version that is not known."""
    return decode(data, where, _entry)


def entry_metadata(entry: LedgerEntry) -> dict[str, str]:
    """The entry again as custom metadata, so that one listing tells all; empty when it does not fit."""
    text = json.dumps(_entry_document(entry), separators=(",", ":"), sort_keys=True)
    return {"entry": text} if len(text) <= METADATA_LIMIT else {}


def entry_of_metadata(metadata: Mapping[str, str], where: str) -> LedgerEntry | None:
    """The entry that the metadata holds; None when it holds none."""
    text = metadata.get("entry")
    return decode_entry(text.encode(), where) if text else None


def encode_run(record: RunRecord) -> bytes:
    """A run as its object holds it."""
    return encode(_run_document(record))


def decode_run(data: bytes, where: str) -> RunRecord:
    """A run from its object."""
    return decode(data, where, _run)


def unreadable_run(id_: str, problem: str) -> RunRecord:
    """The record of a run whose object cannot be read."""
    # The id begins with the day, by which runs are sorted.
    started = f"{id_[:4]}-{id_[4:6]}-{id_[6:8]}"
    return RunRecord(id_, "", "", "", "", started, 0.0, {}, problem=problem)


def run_metadata(record: RunRecord) -> dict[str, str]:
    """The run again as custom metadata; without it, a reader must read the object."""
    text = json.dumps(_run_document(record), separators=(",", ":"), sort_keys=True)
    return {"run": text} if len(text) <= METADATA_LIMIT else {}


def run_of_metadata(metadata: Mapping[str, str], where: str) -> RunRecord | None:
    """The run that the metadata holds; None when it holds none."""
    text = metadata.get("run")
    return decode_run(text.encode(), where) if text else None


def _entry_document(entry: LedgerEntry) -> dict[str, Any]:
    content = asdict(replace(entry, subject=entry.subject[:SUBJECT_LENGTH]))
    for own in ("generation", "metageneration", "problem", "remedy"):
        del content[own]
    if content["operation"]:
        del content["operation"]["heartbeat"], content["operation"]["lock"]
    return {"version": VERSION, **content}


def _run_document(record: RunRecord) -> dict[str, Any]:
    content = asdict(record)
    del content["problem"], content["recorded"]
    if not record.traceparent:
        del content["traceparent"]
    return {"version": VERSION, **content}


def _entry(content: dict[str, Any]) -> LedgerEntry:
    operation = content.get("operation")
    entry = build_record(LedgerEntry, {**content, "operation": None, "generation": "", "metageneration": ""})
    return replace(entry, operation=build_record(Operation, operation)) if operation else entry


def _run(content: dict[str, Any]) -> RunRecord:
    stacks = {name: build_record(StackRecord, stack) for name, stack in content["stacks"].items()}
    return build_record(RunRecord, {**content, "stacks": stacks})


def build_record(kind: type[T], content: Mapping[str, Any]) -> T:
    """A dataclass from JSON; what a newer infra of the same version has added is passed over.

    ValueError for a value of another type than the field's.
    """
    adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]
    return adapter.validate_python(content)


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as its object holds it."""
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def decode(data: bytes, where: str, read: Callable[[dict[str, Any]], T]) -> T:
    """What an object at `where` holds; StateError when it is none of ours, or of an unknown version."""
    try:
        content = read_object(data)
        if content["version"] > VERSION:
            raise StateError(
                f"{where} has version {content['version']}; this infra knows up to {VERSION}.",
                advice="A newer infra wrote it: upgrade this one.",
            )
        return read(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"{where} is not a ledger object of infra.",
            advice="Restore an older version of that object, or delete it: `infra adopt` makes a new one.",
        ) from error

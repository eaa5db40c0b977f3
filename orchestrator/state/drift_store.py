"""The drift store: results of scheduled checks by stack and by run, below `ENV/drift/`.

No value of a resource is in it, only addresses, names of attributes, and digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

from orchestrator.errors import StateError
from orchestrator.state.ledger import READERS
from orchestrator.state.records import METADATA_LIMIT, VERSION, build_record, decode, encode
from orchestrator.state.storage import ABSENT, Blob, Storage, timestamp

# Times in drift that are kept of one stack; what is older is only counted.
EPISODES = 50


@dataclass(frozen=True)
class DriftedResourceRecord:
    """One resource that drifted: what happened to it, its class, which attributes, and since when."""

    address: str
    kind: str
    category: str
    paths: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True)
class Episode:
    """One time in drift. `ended` and `how` are empty while it lasts; times are RFC 3339 in UTC.

    `by` is the run of ours that ended it, empty when none did. `came_back` counts the earlier times in which
    one of the same resources drifted.
    """

    began: str
    ended: str = ""
    how: str = ""
    came_back: int = 0
    resources: tuple[DriftedResourceRecord, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class DriftRecord:
    """What is known of a stack's drift.

    `checked_at` is the last check that could be made, with its `result` (`clean`, `drifted`), `commit`,
    `digest` of what drifted, `severity`, and how many attributes of each class there were (`counts`).
    `applied_run` and `state_generation` are what the ledger and the bucket said then: by them it can be told
    what ended a drift. `tried_at` and `reason` are of an attempt since that could not check. `remediation` is
    how a remediation since has ended. `baseline` are the attributes that differed in the first check
    after an apply with no plan to change them: `ADDRESS PATH` → digest of the value.
    """

    stack: str
    checked_at: str = ""
    run: str = ""
    commit: str = ""
    result: str = ""
    digest: str = ""
    severity: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    applied_run: str = ""
    fingerprint: str = ""
    state_generation: str = ""
    tried_at: str = ""
    reason: str = ""
    remediation: str = ""
    baseline: Mapping[str, str] = field(default_factory=dict)
    now: Episode | None = None
    past: tuple[Episode, ...] = ()
    forgotten: int = 0
    generation: str = ""

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Every time in drift that is kept, oldest first, the present one last."""
        return (*self.past, self.now) if self.now else self.past


@dataclass(frozen=True)
class DriftRun:
    """One run of checks in one environment: for each stack its result, digest, counts and what happened.

    `events` maps stack ids to `began`, `changed`, or how a drift ended.
    """

    id: str
    started: str
    seconds: float
    trigger: str
    commit: str
    results: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    link: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """When an environment was last looked at (`at`, `run`).

    `complete` is the moment since which every one of its stacks was checked: the oldest check of all, that
    of `oldest`; both are empty while there is one that never was. The others are counts of stacks.
    """

    at: str
    run: str
    complete: str = ""
    oldest: str = ""
    stacks: int = 0
    drifted: int = 0
    unchecked: int = 0


class DriftLog:
    """The memory of drift of one environment, in the place where its ledger is."""

    def __init__(self, storage: Storage, environment: str, base: str | None = None) -> None:
        self.storage = storage
        self.environment = environment
        self._base = f"{base or environment}/drift"

    def record(self, stack: str) -> DriftRecord | None:
        """What is known of a stack; None when it was never checked."""
        blob = self.storage.read(self._name(stack))
        return _with_generation(decode(blob.data, blob.name, _record), blob.generation) if blob else None

    def records(self, *, whole: bool = False) -> dict[str, DriftRecord]:
        """Everything that is known, by stack id: one listing. The past is in it only when `whole`."""
        blobs = self.list_records()
        short = {blob.name: blob.metadata.get("drift") for blob in blobs}
        lacking = [blob.name for blob in blobs if whole or not short[blob.name]]
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(lacking, pool.map(self.storage.read, lacking), strict=True))
        records = []
        for listed_blob in blobs:
            blob, text = read.get(listed_blob.name), short[listed_blob.name]
            data = blob.data if blob else text.encode() if text else b""
            if data:
                generation = blob.generation if blob else listed_blob.generation
                records.append(self._readable(data, listed_blob.name, generation))
        return {record.stack: record for record in records}

    def list_records(self) -> list[Blob]:
        """The objects of the records of all stacks."""
        return self.storage.list(f"{self._base}/stacks/")

    def listed_record(self, listed: Blob) -> DriftRecord | None:
        """The whole record in a listed object; None when it is gone or was replaced."""
        data = self.storage.content(listed.name, listed.generation)
        return self._readable(data, listed.name, listed.generation) if data is not None else None

    def _readable(self, data: bytes, name: str, generation: str) -> DriftRecord:
        """A record; for a broken one, a record that says so and that the next check replaces."""
        try:
            record = decode(data, name, _record)
        except StateError as error:
            below = unquote(name.rpartition("/")[2].removesuffix(".json"))
            stack = below if below == self.environment else f"{self.environment}/{below}"
            record = DriftRecord(stack, reason=error.message)
        return _with_generation(record, generation)

    def save(self, record: DriftRecord) -> DriftRecord:
        """Write what is known of a stack, over what it was told from; PreconditionFailed when that moved."""
        past = record.past[-EPISODES:]
        record = replace(record, past=past, forgotten=record.forgotten + len(record.past) - len(past))
        blob = self.storage.write(
            self._name(record.stack),
            encode(_document(record)),
            if_generation=record.generation or ABSENT,
            metadata=_metadata(record),
        )
        return _with_generation(record, blob.generation)

    def save_run(self, run: DriftRun) -> None:
        """Write what a run of checks found, in place of an earlier record of the same run."""
        name = f"{self._base}/runs/{run.id[:4]}-{run.id[4:6]}/{run.id}.json"
        self.storage.write(name, encode({"version": VERSION, **asdict(run)}))

    def heartbeat(self) -> Heartbeat | None:
        """When this environment was last looked at; None when it never was."""
        blob = self.storage.read(f"{self._base}/heartbeat.json")
        return (
            decode(blob.data, blob.name, lambda content: build_record(Heartbeat, content)) if blob else None
        )

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write when this environment was looked at; whoever comes last has the whole picture."""
        self.storage.write(f"{self._base}/heartbeat.json", encode({"version": VERSION, **asdict(heartbeat)}))

    def now(self) -> str:
        """The time where this lies, RFC 3339 in UTC."""
        return timestamp(self.storage)

    def _name(self, stack: str) -> str:
        below = stack.removeprefix(f"{self.environment}/")
        return f"{self._base}/stacks/{quote(below, safe='')}.json"


def heartbeat_of(run: str, at: str, stacks: Iterable[str], records: Mapping[str, DriftRecord]) -> Heartbeat:
    """The heartbeat of an environment that has these stacks, by what is known of them now."""
    stack_records = [records.get(stack) for stack in stacks]
    checked = [record for record in stack_records if record and record.checked_at]
    whole = len(checked) == len(stack_records) and bool(stack_records)
    oldest = min(checked, key=lambda record: (record.checked_at, record.stack)) if whole else None
    return Heartbeat(
        at=at,
        run=run,
        complete=oldest.checked_at if oldest else "",
        oldest=oldest.stack if oldest else "",
        stacks=len(stack_records),
        drifted=sum(record.result == "drifted" for record in checked),
        unchecked=sum(
            record is None or not record.checked_at or bool(record.reason) for record in stack_records
        ),
    )


def _document(record: DriftRecord) -> dict[str, Any]:
    content = asdict(record)
    del content["generation"]
    return {"version": VERSION, **content}


def _metadata(record: DriftRecord) -> dict[str, str]:
    """The record again without its past, so that one listing tells all; empty when it does not fit."""
    content = _document(replace(record, past=()))
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return {"drift": text} if len(text) <= METADATA_LIMIT else {}


# Words in records of earlier versions, which are read for ever, and their present names.
_RENAMED_KEYS = {"correction": "remediation"}
_RENAMED_VALUES = {
    "owed": "unapplied",
    "reverted by a correction": "reverted by a remediation",
    "accepted by a correction": "accepted by a remediation",
}


def _renamed(values: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    """The values with the present words in these fields."""
    return {
        key: _RENAMED_VALUES.get(value, value) if key in fields and isinstance(value, str) else value
        for key, value in values.items()
    }


def _record(content: dict[str, Any]) -> DriftRecord:
    content = {_RENAMED_KEYS.get(key, key): value for key, value in content.items()}
    content = _renamed(content, "remediation")
    counts = content.get("counts") or {}
    content["counts"] = {_RENAMED_VALUES.get(name, name): number for name, number in counts.items()}
    now = content.get("now")
    past = tuple(map(_episode, content.get("past") or ()))
    return replace(
        build_record(DriftRecord, {**content, "now": None, "past": ()}),
        now=_episode(now) if now else None,
        past=past,
    )


def _episode(content: Mapping[str, Any]) -> Episode:
    records = tuple(
        replace(
            build_record(DriftedResourceRecord, {**_renamed(resource, "kind", "category"), "paths": ()}),
            paths=tuple(resource.get("paths") or ()),
        )
        for resource in content.get("resources") or ()
    )
    return replace(build_record(Episode, {**_renamed(content, "how"), "resources": ()}), resources=records)


def _with_generation(record: DriftRecord, generation: str) -> DriftRecord:
    return replace(record, generation=generation)

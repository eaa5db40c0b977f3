"""What nightly checks found, by stack and by run: below `ENV/drift/`, the one place where they may write.

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
from orchestrator.state.records import METADATA_LIMIT, VERSION, decode, encode, made_of
from orchestrator.state.storage import ABSENT, Storage

# Times in drift that are kept of one stack; what is older is only counted.
EPISODES = 50


@dataclass(frozen=True)
class Seen:
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
    resources: tuple[Seen, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class DriftRecord:
    """What is known of a stack's drift.

    `checked_at` is the last check that could be made, with its `result` (`clean`, `drifted`), `commit`,
    `digest` of what drifted, `severity`, and how many attributes of each class there were (`counts`).
    `applied_run` and `state_generation` are what the ledger and the bucket said then: by them it can be told
    what ended a drift. `tried_at` and `reason` are of an attempt since that could not check. `correction` is
    what a correction since came to. `baseline` are the attributes that differed in the first check
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
    correction: str = ""
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
        found = self.storage.read(self._name(stack))
        return _with_generation(decode(found.data, found.name, _record), found.generation) if found else None

    def records(self, *, whole: bool = False) -> dict[str, DriftRecord]:
        """Everything that is known, by stack id: one listing. The past is in it only when `whole`."""
        listed = self.storage.list(f"{self._base}/stacks/")
        short = {one.name: one.metadata.get("drift") for one in listed}
        lacking = [one.name for one in listed if whole or not short[one.name]]
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(lacking, pool.map(self.storage.read, lacking), strict=True))
        found = []
        for one in listed:
            blob, text = read.get(one.name), short[one.name]
            data = blob.data if blob else text.encode() if text else b""
            if data:
                generation = blob.generation if blob else one.generation
                found.append(self._readable(data, one.name, generation))
        return {record.stack: record for record in found}

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
        kept = record.past[-EPISODES:]
        record = replace(record, past=kept, forgotten=record.forgotten + len(record.past) - len(kept))
        made = self.storage.write(
            self._name(record.stack),
            encode(_document(record)),
            if_generation=record.generation or ABSENT,
            metadata=_metadata(record),
        )
        return _with_generation(record, made.generation)

    def save_run(self, run: DriftRun) -> None:
        """Write what a run of checks found, in place of an earlier record of the same run."""
        name = f"{self._base}/runs/{run.id[:4]}-{run.id[4:6]}/{run.id}.json"
        self.storage.write(name, encode({"version": VERSION, **asdict(run)}))

    def heartbeat(self) -> Heartbeat | None:
        """When this environment was last looked at; None when it never was."""
        found = self.storage.read(f"{self._base}/heartbeat.json")
        return decode(found.data, found.name, lambda one: made_of(Heartbeat, one)) if found else None

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write when this environment was looked at; whoever comes last has the whole picture."""
        self.storage.write(f"{self._base}/heartbeat.json", encode({"version": VERSION, **asdict(heartbeat)}))

    def now(self) -> str:
        """The time where this lies, RFC 3339 in UTC."""
        return f"{self.storage.now():%Y-%m-%dT%H:%M:%SZ}"

    def _name(self, stack: str) -> str:
        below = stack.removeprefix(f"{self.environment}/")
        return f"{self._base}/stacks/{quote(below, safe='')}.json"


def heartbeat_of(run: str, at: str, stacks: Iterable[str], records: Mapping[str, DriftRecord]) -> Heartbeat:
    """The heartbeat of an environment that has these stacks, by what is known of them now."""
    known = [records.get(stack) for stack in stacks]
    checked = [one for one in known if one and one.checked_at]
    whole = len(checked) == len(known) and bool(known)
    oldest = min(checked, key=lambda one: (one.checked_at, one.stack)) if whole else None
    return Heartbeat(
        at=at,
        run=run,
        complete=oldest.checked_at if oldest else "",
        oldest=oldest.stack if oldest else "",
        stacks=len(known),
        drifted=sum(one.result == "drifted" for one in checked),
        unchecked=sum(one is None or not one.checked_at or bool(one.reason) for one in known),
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


def _record(content: dict[str, Any]) -> DriftRecord:
    now = content.get("now")
    past = tuple(map(_episode, content.get("past") or ()))
    return replace(
        made_of(DriftRecord, {**content, "now": None, "past": ()}),
        now=_episode(now) if now else None,
        past=past,
    )


def _episode(content: Mapping[str, Any]) -> Episode:
    seen = tuple(
        replace(made_of(Seen, {**one, "paths": ()}), paths=tuple(one.get("paths") or ()))
        for one in content.get("resources") or ()
    )
    return replace(made_of(Episode, {**content, "resources": ()}), resources=seen)


def _with_generation(record: DriftRecord, generation: str) -> DriftRecord:
    return replace(record, generation=generation)

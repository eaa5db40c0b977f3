"""Reads the memory of one environment into rows: listings first, then only objects that are new."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from orchestrator.engine.ledgers import presence
from orchestrator.engine.ownership import MemoryFolder, Ownership
from orchestrator.engine.states import listing_folders
from orchestrator.errors import InfraError
from orchestrator.insight.code_rows import EnvironmentSource, pull_request_of
from orchestrator.insight.plan_rows import PlanRows, read_plan_rows
from orchestrator.insight.schema import COUNT_COLUMNS, Layer
from orchestrator.insight.state_rows import StateRows, StateRules, read_state_rows
from orchestrator.jsontext import MALFORMED, mapping, read_object
from orchestrator.plan.digest import sha256
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.drift_store import DriftLog, DriftRecord
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.plan_objects import PlanObjects
from orchestrator.state.records import LedgerEntry, RunRecord
from orchestrator.state.storage import Blob, ObjectReader, Storage

T = TypeVar("T")
Row = Sequence[object]

# How a line of a journal ends what it is about.
_OUTCOMES = {"apply_complete": "done", "apply_errored": "failed"}
_PULL_REQUEST_MARK = "#"


@dataclass(frozen=True)
class KnownObjects:
    """What the dataset has of an environment: generations by object or stack, and what needs no reading.

    `states` maps stacks to generation and whether attributes were read; `months` are months that were read
    after they were over, by folder; `plans` maps stacks to when their last plan was posted, by
    `plan_attestations` that were read for it.
    """

    states: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    months: frozenset[tuple[str, str]] = frozenset()
    journals: frozenset[str] = frozenset()
    drift: Mapping[str, str] = field(default_factory=dict)
    attestations: Mapping[str, str] = field(default_factory=dict)
    plans: Mapping[str, str] = field(default_factory=dict)
    plan_attestations: frozenset[str] = frozenset()


@dataclass
class LayerRows:
    """What changes in one layer of one environment: rows by table, after others were removed.

    `removed` maps tables to a column and the values whose rows go first; with `clears` all of the environment
    go. `problem` says why the layer could not be read: it has no rows then.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    removed: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    clears: bool = False
    problem: str = ""

    def add(self, table: str, *rows: Row) -> None:
        """Rows of a table."""
        self.rows.setdefault(table, []).extend(rows)

    def remove(self, values: Iterable[str], **columns: str) -> None:
        """Remove the rows of tables that have one of these values in a column."""
        listed = list(values)
        for table, column in columns.items():
            _, before = self.removed.setdefault(table, (column, []))
            before.extend(listed)


class MemoryReader:
    """Reads one environment. `pool` reads objects side by side; `notify` gets what is being read."""

    def __init__(
        self,
        source: EnvironmentSource,
        known: KnownObjects,
        *,
        storage: Callable[[Location | None], Storage],
        files: ObjectReader,
        ownership: Ownership,
        rules: StateRules,
        days: float,
        pool: Executor,
        notify: Callable[[str], None],
    ) -> None:
        self._source = source
        self._known = known
        self._storage = storage
        self._files = files
        self._ownership = ownership
        self._rules = rules
        self._days = days
        self._pool = pool
        self._notify = notify
        self._states: dict[str, Blob] | None = None

    def read(self, layer: Layer, *, with_attributes: bool = False) -> LayerRows:
        """One layer; an environment that cannot be read gives the problem."""
        self._notify(f"reading {layer}")
        try:
            for folder in self._source.folders:
                if folder:
                    self._ownership.check(self._of(folder), folder)
            match layer:
                case "ledger":
                    return self._ledger()
                case "runs":
                    return self._runs()
                case "journals":
                    return self._journals()
                case "states":
                    return self._state_rows(with_attributes=with_attributes)
                case "drift":
                    return self._drift()
                case "plans":
                    return self._plans()
                case _:
                    return self._approvals()
        except InfraError as error:
            return LayerRows(clears=True, problem=error.message)

    def read_at(self) -> str:
        """The time by the clock of the environment's memory; this machine's where that does not answer."""
        try:
            moment = self._ledgers()[0].storage.now() if self._source.folders else datetime.now(UTC)
        except InfraError:
            moment = datetime.now(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    # The layers

    def _ledger(self) -> LayerRows:
        rows = LayerRows(clears=True)
        states = self._listed_states()
        rows.add(
            "state_object",
            *(
                (self._source.name, id_, blob.generation, blob.size, blob.created)
                for id_, blob in states.items()
            ),
        )
        for folder, ledger in zip(self._source.folders, self._ledgers(), strict=True):
            entries = ledger.entries()
            for id_, entry in self._of_stacks(entries, folder).items():
                entry, is_live = ledger.check_liveness(entry)
                rows.add("entry", self._entry_row(id_, entry, is_live=is_live))
        return rows

    def _of_stacks(
        self, entries: Mapping[str, LedgerEntry], folder: MemoryFolder | None
    ) -> dict[str, LedgerEntry]:
        """The entries by the ids that the stacks have now; those of stacks whose memory is elsewhere go."""
        earlier = {old: new for new, old in self._source.earlier.items()}
        by_id: dict[str, LedgerEntry] = {}
        for id_, entry in entries.items():
            current = earlier.get(id_, id_) if earlier.get(id_) not in entries else id_
            is_renamed = id_ in earlier and current == id_
            is_elsewhere = current in self._source.folder_of and self._source.folder_of[current] != folder
            if not (is_renamed or is_elsewhere or entry.is_blank):
                by_id[current] = entry
        return by_id

    def _entry_row(self, id_: str, entry: LedgerEntry, *, is_live: bool) -> Row:
        return (
            *(self._source.name, id_, entry.generation, entry.commit, entry.author, entry.subject),
            *(int(entry.from_trunk), entry.applied_at, entry.applied_run, entry.result, entry.run, entry.at),
            *(entry.attempted, entry.serial, int(entry.is_unfinished and not is_live), int(is_live)),
            str(entry.operation) if entry.operation else "",
            *(entry.break_glass, entry.forgotten, entry.rescued, entry.problem),
        )

    def _runs(self) -> LayerRows:
        rows = LayerRows()
        for folder, ledger in zip(self._source.folders, self._ledgers(), strict=True):
            key = _folder_key(folder)
            current = ledger.months(1)[0]
            months = [
                month
                for month in ledger.months(self._month_count(ledger.storage.now()))
                if month == current or (key, month) not in self._known.months
            ]
            self._notify(f"listing runs of {', '.join(months)}")
            # The oldest month first: a run that is in two of them was recorded last in the newer one.
            listings = dict(zip(months, self._map(ledger.list_runs, months), strict=True))
            changed = [
                blob
                for month in reversed(months)
                for blob in listings[month]
                if self._known.runs.get(blob.name) != blob.generation
            ]
            recorded = zip(changed, self._map(ledger.listed_run, changed), strict=True)
            records = {record.id: (blob, record) for blob, record in recorded if record}
            rows.remove([f"{key} {id_}" for id_ in records], run="record", run_stack="record")
            for blob, record in records.values():
                rows.add("run", self._run_row(key, blob, record))
                rows.add("run_stack", *self._run_stack_rows(key, record))
            rows.add("month", *((self._source.name, key, month) for month in months if month != current))
        return rows

    def _run_row(self, key: str, blob: Blob, record: RunRecord) -> Row:
        number = record.pull_request.removeprefix(_PULL_REQUEST_MARK)
        return (
            *(self._source.name, f"{key} {record.id}", record.id, blob.name, blob.generation),
            *(_utc(record.order[0]) or _utc(record.recorded), _utc(record.started), record.seconds),
            *(record.command, record.trigger, record.commit, record.subject, record.person),
            int(number) if number.isdecimal() and len(number) < 10 else pull_request_of(record.subject),
            *(record.link, record.break_glass, record.problem),
        )

    def _run_stack_rows(self, key: str, record: RunRecord) -> list[Row]:
        return [
            (
                *(self._source.name, f"{key} {record.id}", record.id, id_),
                *(stack.result, stack.reason, stack.seconds),
                *(stack.serial_before, stack.serial_after),
                *(int(stack.counts.get(name, 0)) for name in COUNT_COLUMNS),
            )
            for id_, stack in record.stacks.items()
        ]

    def _journals(self) -> LayerRows:
        rows = LayerRows()
        for ledger in self._ledgers():
            # The id of a run begins with its day.
            since = f"{ledger.storage.now() - timedelta(days=self._days):%Y%m%d}"
            listed = [
                (run, stack, blob)
                for run, stack, blob in ledger.list_journals()
                if blob.name not in self._known.journals and run >= since
            ]
            for (run, stack, blob), data in self._contents(
                ledger.storage, [(item, item[2]) for item in listed]
            ):
                rows.remove([blob.name], journal="object", journal_line="object")
                rows.add("journal", (self._source.name, blob.name, run, stack))
                rows.add("journal_line", *self._journal_rows(blob, run, stack, data))
        return rows

    def _journal_rows(self, blob: Blob, run: str, stack: str, data: bytes) -> list[Row]:
        lines: list[Row] = []
        for line in data.splitlines():
            try:
                document = read_object(line)
            except MALFORMED:
                continue
            hook = mapping(document.get("hook"))
            resource = mapping(hook.get("resource"))
            address, action = str(resource.get("addr") or ""), str(hook.get("action") or "")
            if address and action:
                lines.append(
                    (
                        *(self._source.name, blob.name, run, stack),
                        self._rules.masker.mask_address(address),
                        *(str(resource.get("resource_type") or ""), action),
                        _OUTCOMES.get(str(document.get("type")), "unknown"),
                    )
                )
        return lines

    def _state_rows(self, *, with_attributes: bool) -> LayerRows:
        rows = LayerRows()
        listed = self._listed_states()
        known = self._known.states
        removed = [id_ for id_ in known if id_ not in listed]
        changed = [
            id_
            for id_, blob in listed.items()
            if known.get(id_, ("", False))[0] != blob.generation or (with_attributes and not known[id_][1])
        ]
        tables = dict.fromkeys(("state", "resource", "output", "attribute"), "stack")
        rows.remove([*removed, *changed], **tables)
        storages = {id_: self._reader(self._source.states[id_]) for id_ in changed}
        count = len(changed)

        def read(id_: str) -> tuple[str, StateRows]:
            location, blob = self._source.states[id_], listed[id_]
            data = storages[id_].content(location.name, blob.generation)
            if data is None:
                return id_, StateRows(problem="it was replaced while it was read")
            return id_, read_state_rows(data, location.url, self._rules, with_attributes=with_attributes)

        for number, (id_, state) in enumerate(self._map(read, changed)):
            if number % 50 == 0:
                self._notify(f"reading states, {number:,} of {count:,}")
            self._add_state(rows, id_, listed[id_].generation, state, with_attributes=with_attributes)
        return rows

    def _add_state(
        self, rows: LayerRows, id_: str, generation: str, state: StateRows, *, with_attributes: bool
    ) -> None:
        of = self._source.name, id_
        generation = "" if state.problem and not state.lineage else generation
        rows.add(
            "state",
            (
                *(*of, generation, state.serial, state.lineage, state.terraform_version, state.problem),
                int(with_attributes),
            ),
        )
        rows.add("resource", *((*of, *resource) for resource in state.resources))
        rows.add("output", *((*of, *output) for output in state.outputs))
        rows.add("attribute", *((*of, *attribute) for attribute in state.attributes))

    def _drift(self) -> LayerRows:
        rows = LayerRows()
        seen: set[str] = set()
        for folder, ledger in zip(self._source.folders, self._ledgers(), strict=True):
            log = DriftLog(ledger.storage, self._source.name, folder.base if folder else self._source.name)
            listed = log.list_records()
            names = {f"{_folder_key(folder)} {blob.name}": blob for blob in listed}
            seen |= names.keys()
            changed = {
                name: blob for name, blob in names.items() if self._known.drift.get(name) != blob.generation
            }
            rows.remove(changed, drift_record="object", episode="object", episode_resource="object")
            for name, record in zip(changed, self._map(log.listed_record, changed.values()), strict=True):
                if record:
                    self._add_drift(rows, name, record)
        rows.remove(
            self._known.drift.keys() - seen,
            drift_record="object",
            episode="object",
            episode_resource="object",
        )
        return rows

    def _add_drift(self, rows: LayerRows, name: str, record: DriftRecord) -> None:
        environment = self._source.name
        rows.add(
            "drift_record",
            (
                *(environment, name, record.generation, record.stack, record.result, record.severity),
                *(_utc(record.checked_at), _utc(record.tried_at), record.reason, record.remediation),
            ),
        )
        for episode in record.episodes:
            of = environment, name, record.stack, _utc(episode.began)
            rows.add(
                "episode",
                (
                    *of,
                    _utc(episode.ended),
                    episode.how,
                    episode.by,
                    episode.came_back,
                    len(episode.resources),
                ),
            )
            rows.add(
                "episode_resource",
                *(
                    (
                        *of,
                        self._rules.masker.mask_address(resource.address),
                        *(resource.kind, resource.category, _utc(resource.since)),
                    )
                    for resource in episode.resources
                ),
            )

    def _approvals(self) -> LayerRows:
        rows = LayerRows()
        for folder in filter(None, self._source.folders):
            attestations = Attestations(self._of(folder), folder.base)
            listed = attestations.list()
            changed = [blob for blob in listed if self._known.attestations.get(blob.name) != blob.generation]
            for blob, attestation in zip(changed, self._map(attestations.listed, changed), strict=True):
                if attestation is None:
                    continue
                rows.remove([blob.name], attestation="object", attested_plan="object")
                rows.add(
                    "attestation",
                    (
                        *(self._source.name, blob.name, blob.generation, attestation.pull_request),
                        *(attestation.head, attestation.run, attestation.posted, attestation.problem),
                    ),
                )
                rows.add(
                    "attested_plan",
                    *((self._source.name, blob.name, *plan) for plan in attestation.plans.items()),
                )
        return rows

    def _plans(self) -> LayerRows:
        rows = LayerRows()
        for folder in filter(None, self._source.folders):
            objects = PlanObjects(self._of(folder), self._source.name, folder.base)
            attestations = Attestations.beside(objects)
            added = [blob for blob in attestations.list() if blob.name not in self._known.plan_attestations]
            last: dict[str, Attestation] = {}
            for attestation in filter(None, self._map(attestations.listed, added)):
                for stack in attestation.plans:
                    before = last[stack].posted if stack in last else self._known.plans.get(stack, "")
                    if attestation.posted >= before:
                        last[stack] = attestation
            self._notify(f"reading the last plans of {len(last):,} stacks")
            plans = self._map(functools.partial(_read_plan, objects, self._rules), last, last.values())
            for (stack, attestation), plan in zip(last.items(), plans, strict=True):
                of = self._source.name, stack
                rows.remove([stack], plan="stack", plan_resource="stack")
                rows.add(
                    "plan",
                    (*of, attestation.pull_request, attestation.head, attestation.posted, plan.problem),
                )
                rows.add("plan_resource", *((*of, *resource) for resource in plan.resources))
            rows.add("plan_attestation", *((self._source.name, blob.name) for blob in added))
        return rows

    # Objects

    def _listed_states(self) -> dict[str, Blob]:
        """The states that exist, by stack id: listed once."""
        if self._states is not None:
            return self._states
        remote = {id_: at for id_, at in self._source.states.items() if at.is_remote}
        listed: dict[tuple[str, str], Blob] = {}
        folders = listing_folders(remote.values())
        blobs_of = self._map(lambda item: self._storage(Location(item[0], "")).list(item[1]), folders)
        for (bucket, _), blobs in zip(folders, blobs_of, strict=True):
            listed.update({(bucket, blob.name): blob for blob in blobs})
        states = {
            id_: listed[at.bucket, at.name] for id_, at in remote.items() if (at.bucket, at.name) in listed
        }
        for id_, location in self._source.states.items():
            blob = None if location.is_remote else self._files.stat(location.name)
            if blob:
                states[id_] = blob
        self._states = states
        return states

    def _contents(self, storage: Storage, items: Sequence[tuple[T, Blob]]) -> list[tuple[T, bytes]]:
        """The contents of listed objects; those that are gone are left out."""
        contents = self._map(lambda item: storage.content(item[1].name, item[1].generation), items)
        return [(key, data) for (key, _), data in zip(items, contents, strict=True) if data is not None]

    def _ledgers(self) -> list[Ledger]:
        return [
            Ledger(
                self._of(folder),
                self._source.name,
                folder.base if folder else None,
                presence=presence,
            )
            for folder in self._source.folders
        ]

    def _of(self, folder: MemoryFolder | None) -> Storage:
        return self._storage(Location(folder.bucket, "") if folder else None)

    def _reader(self, location: Location) -> ObjectReader:
        return self._storage(location) if location.is_remote else self._files

    def _map(self, function: Callable[..., T], *items: Iterable[object]) -> Iterable[T]:
        return self._pool.map(function, *items)

    def _month_count(self, now: datetime) -> int:
        """How many months the days reach back, this one included."""
        begin = now - timedelta(days=self._days)
        return (now.year - begin.year) * 12 + now.month - begin.month + 1


def _read_plan(objects: PlanObjects, rules: StateRules, stack: str, attestation: Attestation) -> PlanRows:
    """The rows of the plan that an attestation names for a stack."""
    data = objects.of_stack(attestation.pull_request, attestation.head, stack, attestation.plan_run)
    if data is None:
        return PlanRows("its plan is no longer in the bucket")
    if sha256(data) != attestation.plans[stack]:
        return PlanRows("the plan in the bucket is not the one that was attested")
    return read_plan_rows(data, rules)


def _folder_key(folder: MemoryFolder | None) -> str:
    return f"{folder.bucket}/{folder.base}" if folder else ""


def _utc(moment: str) -> str:
    """A moment in UTC and in one form, so that texts sort as times do; empty for what is none."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

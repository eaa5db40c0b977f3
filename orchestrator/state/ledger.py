"""The ledger of an environment: what is applied to each stack, by whom, and which operations run.

Objects below `ENV/ledger/`, each write conditional on the generation that it was decided on. Ages are judged
by the clock of where the ledger lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from orchestrator.errors import LockedError, PartialError, StateError
from orchestrator.state.records import (
    COMPLETE_RESULTS,
    LedgerEntry,
    Operation,
    RunRecord,
    decode_entry,
    decode_run,
    encode_entry,
    encode_run,
    entry_metadata,
    entry_of_metadata,
    run_metadata,
    run_of_metadata,
    unreadable_run,
)
from orchestrator.state.storage import ABSENT, Blob, PreconditionFailed, Storage, timestamp

# Seconds between two heartbeats, and how long none may come before a run counts as dead.
HEARTBEAT = 10.0
SILENT_AFTER = 60.0
# Readers of objects that do not fit into their own metadata.
READERS = 16

Presence = Callable[[Operation], bool | None]


class Ledger:
    """The ledger of one environment, in the place where its states lie.

    `base` is the folder that the environment has there (`folder`), its name unless told otherwise. `presence`
    tells whether an operation's process runs, None when that cannot be told from here.
    """

    def __init__(
        self,
        storage: Storage,
        environment: str,
        base: str | None = None,
        *,
        presence: Presence = lambda operation: None,
    ) -> None:
        self.storage = storage
        self.environment = environment
        self._presence = presence
        self.folder = base or environment
        self._base = f"{self.folder}/ledger"

    # Stacks

    def entry(self, stack: str) -> LedgerEntry | None:
        """What is known of a stack; None when nothing is. Always read again."""
        blob = self.storage.read(self._name(stack))
        return self._entry(blob) if blob else None

    def entries(self) -> dict[str, LedgerEntry]:
        """Everything that is known, by stack id: one listing, since the metadata holds each entry.

        An object that is none of ours gives an entry with a `problem`; the others are not affected.
        """
        listed = self.storage.list(f"{self._base}/stacks/")
        from_metadata = {blob.name: _of_metadata(blob) for blob in listed}
        lacking = [blob.name for blob in listed if from_metadata[blob.name] is None]
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(lacking, pool.map(self.storage.read, lacking), strict=True))
        entries = []
        for blob in listed:
            entry, content = from_metadata[blob.name], read.get(blob.name)
            if entry:
                entries.append(_with_properties(entry, blob))
            elif content:
                entries.append(self._readable(content))
        return {entry_.stack: entry_ for entry_ in entries}

    def begin(
        self, stack: str, operation: Operation, expected: LedgerEntry | None, *, resuming: bool = False
    ) -> LedgerEntry:
        """Take the stack for an operation, if it still is as `expected` and nobody else is at work.

        `resuming` takes over what was interrupted. Raises LockedError while another operation lives,
        PartialError when one was interrupted, both saying whose.
        """
        if expected is not None:
            self._refuse_others(expected, operation, resuming=resuming)
        started = operation.started or self.now()
        entry = replace(
            expected or LedgerEntry(stack),
            operation=replace(operation, started=started),
            attempted=operation.commit,
        )
        try:
            return self._write(entry, expected.generation if expected else ABSENT)
        except PreconditionFailed:
            current = self.entry(stack)
            if current and current.operation:
                self._refuse_others(current, operation, resuming=False)
            raise LockedError(
                f"Somebody else changed the ledger of {stack} at the same moment.",
                advice="Try again.",
                stack=stack,
            ) from None

    def mark(self, entry: LedgerEntry, operation: Operation) -> LedgerEntry:
        """Move our own operation on, such as from planned to applying."""
        return self._write_ours(replace(entry, operation=operation), entry)

    def heartbeat(self, entry: LedgerEntry, *, lock: str = "") -> LedgerEntry:
        """Say that our operation lives, without a new generation; PreconditionFailed when it is not ours.

        `lock` notes the generation of the state lock that our Terraform holds.
        """
        name = self._name(entry.stack)
        beat = {"heartbeat": self.now()} | ({"lock": lock} if lock else {})
        try:
            patched = self.storage.patch_metadata(name, beat, if_metageneration=entry.metageneration)
        except PreconditionFailed:
            # A beat whose answer was lost has moved it on, too.
            now = self.storage.stat(name)
            if now is None or now.generation != entry.generation:
                raise
            patched = self.storage.patch_metadata(name, beat, if_metageneration=now.metageneration)
        if patched.generation != entry.generation:
            raise PreconditionFailed(
                f"The ledger of {entry.stack} was taken over.", advice="See `infra status`."
            )
        return _with_properties(entry, patched)

    def finish(self, entry: LedgerEntry) -> LedgerEntry:
        """Write how our operation ended, and that it is over. `entry` is ours with its fields set again.

        `run` and the times are filled in here.
        """
        run = entry.operation.run if entry.operation else entry.run
        ended = replace(entry, operation=None, run=run, at=self.now())
        if ended.result in COMPLETE_RESULTS:
            ended = replace(ended, applied_run=run, applied_at=ended.at)
        return self._write_ours(ended, entry)

    def leave(self, entry: LedgerEntry, before: LedgerEntry | None) -> LedgerEntry:
        """Give a stack back to which our operation did nothing: `before` holds again."""
        return self._write_ours(before or LedgerEntry(entry.stack), entry)

    def move(self, old: str, new: str) -> LedgerEntry | None:
        """Carry a renamed stack's entry over; None when the old one has none. An existing new one stays.

        Raises LockedError while an operation lives under the old name.
        """
        entry, existing = self.entry(old), self.entry(new)
        if entry is None or existing is not None:
            return existing
        if entry.operation and self.is_live(entry):
            raise _locked(entry, entry.operation)
        moved = self._write(replace(entry, stack=new, moved_from=old), ABSENT)
        self.storage.delete(self._name(old), if_generation=entry.generation)
        return moved

    def receive(self, stack: str, other: Ledger, own: LedgerEntry | None) -> LedgerEntry | None:
        """Copy a stack's entry from another ledger, which keeps its own; gives `own` when that has none.

        `own` is the blank entry that is here, if one is. Raises LockedError while an operation lives there.
        """
        entry = other.entry(stack)
        if entry is None:
            return own
        if entry.operation and other.is_live(entry):
            raise _locked(entry, entry.operation)
        return self._write(entry, own.generation if own else ABSENT)

    def note_state(self, stack: str, url: str) -> None:
        """Note where a stack's state has been moved to, for runs whose code still names where it was."""
        entry = self.entry(stack)
        if entry and entry.state != url:
            self._write(replace(entry, state=url), entry.generation)

    # Whether an operation lives

    def silence(self, entry: LedgerEntry) -> float:
        """Seconds since the entry's operation was last heard of, by the ledger's own clock."""
        if entry.operation is None or not entry.operation.heartbeat:
            return 0.0
        heard = datetime.fromisoformat(entry.operation.heartbeat)
        return max(0.0, (self.storage.now() - heard).total_seconds())

    def is_live(self, entry: LedgerEntry) -> bool:
        """Whether the entry's operation goes on: its process runs, or it is being heard of."""
        if entry.operation is None:
            return False
        runs = self._presence(entry.operation)
        return self.silence(entry) < SILENT_AFTER if runs is None else runs

    def check_liveness(self, entry: LedgerEntry) -> tuple[LedgerEntry, bool]:
        """The entry, and whether its operation goes on.

        A process that is gone may have written how it ended after the entry was read: before an operation is
        called interrupted, its entry is read again.
        """
        while entry.operation and not self.is_live(entry):
            now = self.entry(entry.stack)
            if now is None or now.generation == entry.generation:
                return entry, False
            entry = now
        return entry, entry.operation is not None

    # Runs

    def save_run(self, record: RunRecord) -> None:
        """Write what a run did, in place of an earlier record of the same run.

        The id of a run begins with its machine's date. Where that is another month than the ledger's clock
        has, the run is listed in the ledger's month too.
        """
        names = {self._run_name(record.id), f"{self._base}/runs/{self.months(1)[0]}/{record.id}.json"}
        for name in sorted(names):
            self.storage.write(name, encode_run(record), metadata=run_metadata(record))

    def run(self, run: str) -> RunRecord | None:
        """One run; None when it did nothing in this environment."""
        blob = self.storage.read(self._run_name(run))
        return decode_run(blob.data, blob.name) if blob else None

    def runs(self, stack: str | None = None, *, months: int = 3) -> list[RunRecord]:
        """The runs of this month and those before it, newest first; with `stack` only those of that stack."""
        listed = [blob for month in self.months(months) for blob in self.list_runs(month)]
        records: dict[str, RunRecord] = {}
        for blob in listed:
            record = self.listed_run(blob)
            if record and (stack is None or stack in record.stacks or record.problem):
                # The newest month first: a run that is in two of them was recorded last in the newer one.
                records.setdefault(record.id, record)
        return sorted(records.values(), key=lambda run: run.order, reverse=True)

    def list_runs(self, month: str) -> list[Blob]:
        """The objects of the runs of a month (`2026-11`)."""
        return self.storage.list(f"{self._base}/runs/{month}/")

    def listed_run(self, listed: Blob) -> RunRecord | None:
        """The run of a listed object, one with a `problem` where it is none of ours; None when it is gone."""
        record = self._record(listed)
        return replace(record, recorded=listed.created) if record else None

    def _record(self, listed: Blob) -> RunRecord | None:
        try:
            record = run_of_metadata(listed.metadata, listed.name)
        except StateError:
            record = None
        blob = None if record else self.storage.read(listed.name)
        if record or blob is None:
            return record
        try:
            return decode_run(blob.data, blob.name)
        except StateError as error:
            return unreadable_run(listed.name.rpartition("/")[2].removesuffix(".json"), error.message)

    # The parts of an apply that several jobs share

    def begin_part(self, attempt: str, part: str) -> None:
        """Note that a part (`2/3`) of a workflow's attempt (`8813-1`) has begun."""
        self.storage.write(f"{self._base}/parts/{attempt}/{quote(part, safe='')}", b"")

    def begun_parts(self, attempt: str) -> set[str]:
        """The parts of a workflow's attempt that have begun."""
        folder = f"{self._base}/parts/{attempt}/"
        return {unquote(blob.name.removeprefix(folder)) for blob in self.storage.list(folder)}

    # What a run leaves for the case that its machine is lost

    def append_journal(self, run: str, stack: str, number: int, lines: Iterable[bytes]) -> None:
        """One batch of a run's journal: an object of its own, written once."""
        data = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
        self.storage.write(f"{self._journal(run, stack)}{number:05d}.jsonl", data, if_generation=ABSENT)

    def journal(self, run: str, stack: str) -> list[bytes]:
        """The lines of a run's journal as far as they came here."""
        names = [blob.name for blob in self.storage.list(self._journal(run, stack))]
        blobs = (self.storage.read(name) for name in names)
        return [line for blob in blobs if blob for line in blob.data.splitlines()]

    def list_journals(self) -> list[tuple[str, str, Blob]]:
        """The batches of all journals: run, stack id and object, in order."""
        folder = f"{self._base}/journal/"
        parts = [(blob.name.removeprefix(folder).split("/"), blob) for blob in self.storage.list(folder)]
        return [(path[0], self._stack(path[1]), blob) for path, blob in parts if len(path) == 3]

    def journal_batches(self, run: str, stack: str) -> int:
        """How many batches of a run's journal there are."""
        return len(self.storage.list(self._journal(run, stack)))

    def rescue(self, run: str, stack: str, data: bytes) -> str:
        """Keep a state that Terraform could not save; returns the object's name. Nothing is overwritten."""
        number = 1
        while True:
            name = f"{self._base}/rescue/{run}/{quote(stack, safe='')}/{number}.tfstate"
            try:
                self.storage.write(name, data, if_generation=ABSENT)
            except PreconditionFailed:
                blob = self.storage.read(name)
                if blob and blob.data == data:
                    return name
                number += 1
            else:
                return name

    def rescued(self, run: str, stack: str) -> dict[str, bytes]:
        """The states kept by `rescue`, oldest first."""
        listed = self.storage.list(f"{self._base}/rescue/{run}/{quote(stack, safe='')}/")
        blobs = (self.storage.read(blob.name) for blob in listed)
        return {blob.name: blob.data for blob in blobs if blob}

    def _write_ours(self, entry: LedgerEntry, own: LedgerEntry) -> LedgerEntry:
        """Write while the object still is ours; a ledger that somebody deleted meanwhile is made again."""
        try:
            return self._write(entry, own.generation)
        except PreconditionFailed:
            if self.entry(own.stack) is not None:
                raise StateError(
                    f"The ledger of {own.stack} was taken over while this run was at work.",
                    advice=f"See `infra status {own.stack}`.",
                    stack=own.stack,
                ) from None
            return self._write(entry, ABSENT)

    def _write(self, entry: LedgerEntry, generation: str) -> LedgerEntry:
        blob = self.storage.write(
            self._name(entry.stack),
            encode_entry(entry),
            if_generation=generation,
            metadata={**entry_metadata(entry), **_noted_lock(entry)},
        )
        return _with_properties(entry, blob)

    def _refuse_others(self, entry: LedgerEntry, operation: Operation, *, resuming: bool) -> None:
        """Raise when somebody else's operation stands in the way of ours."""
        other = entry.operation
        if other and other.run == operation.run:
            return
        if other and self.is_live(entry):
            raise _locked(entry, other)
        if entry.is_unfinished and not resuming:
            what = f"{other.kind} {other.run} by {other.who}" if other else f"the run {entry.run}"
            raise PartialError(
                f"{entry.stack}: {what} was interrupted while applying.",
                advice=f"`infra resume {entry.stack}` finds out what was applied and does the rest.",
                stack=entry.stack,
            )

    def _entry(self, blob: Blob) -> LedgerEntry:
        return _with_properties(decode_entry(blob.data, blob.name), blob)

    def _readable(self, blob: Blob) -> LedgerEntry:
        """The entry in an object, one with a `problem` where it is none of ours."""
        try:
            return self._entry(blob)
        except StateError as error:
            return LedgerEntry(
                self._stack(blob.name), generation=blob.generation, problem=error.message, remedy=error.advice
            )

    def _stack(self, name: str) -> str:
        """The id of the stack whose object has this name."""
        below = unquote(name.rpartition("/")[2].removesuffix(".json"))
        return below if below == self.environment else f"{self.environment}/{below}"

    def now(self) -> str:
        """The time by the clock of where the ledger lies, in RFC 3339."""
        return timestamp(self.storage)

    def _name(self, stack: str) -> str:
        return f"{self._base}/stacks/{quote(_below(stack, self.environment), safe='')}.json"

    def _run_name(self, run: str) -> str:
        return f"{self._base}/runs/{run[:4]}-{run[4:6]}/{run}.json"

    def _journal(self, run: str, stack: str) -> str:
        return f"{self._base}/journal/{run}/{quote(_below(stack, self.environment), safe='')}/"

    def months(self, count: int) -> list[str]:
        """This month and those before it, as `2026-11`, newest first."""
        month, months = self.storage.now().astimezone(UTC).replace(day=1), []
        for _ in range(count):
            months.append(f"{month:%Y-%m}")
            month = (month - timedelta(days=1)).replace(day=1)
        return months


def _noted_lock(entry: LedgerEntry) -> dict[str, str]:
    """The lock that a heartbeat noted, as metadata: whoever takes the stack over must still know it."""
    return {"lock": entry.operation.lock} if entry.operation and entry.operation.lock else {}


def _of_metadata(listed: Blob) -> LedgerEntry | None:
    """The entry in a listed object's metadata; None where the object itself has to be read."""
    try:
        return entry_of_metadata(listed.metadata, listed.name)
    except StateError:
        return None


def _below(stack: str, environment: str) -> str:
    """A stack's name below its environment; an environment that is itself a stack has its own."""
    return stack.removeprefix(f"{environment}/")


def _with_properties(entry: LedgerEntry, blob: Blob) -> LedgerEntry:
    """The entry with what the object itself says: its generations, and when its run was last heard of."""
    operation = entry.operation
    if operation:
        operation = replace(operation, heartbeat=blob.updated, lock=blob.metadata.get("lock", ""))
    return replace(entry, operation=operation, generation=blob.generation, metageneration=blob.metageneration)


def _locked(entry: LedgerEntry, other: Operation) -> LockedError:
    return LockedError(
        f"{entry.stack}: {other}.",
        advice="Wait for it (`--wait 10m`), or ask them.",
        stack=entry.stack,
    )

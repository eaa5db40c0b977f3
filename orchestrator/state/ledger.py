"""The durable memory of an environment: what is applied to each stack, by whom, and what is under way.

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
    WHOLE,
    Entry,
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
from orchestrator.state.storage import ABSENT, Blob, PreconditionFailed, Storage

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

    def entry(self, stack: str) -> Entry | None:
        """What is known of a stack; None when nothing is. Always read anew."""
        found = self.storage.read(self._name(stack))
        return self._entry(found) if found else None

    def entries(self) -> dict[str, Entry]:
        """Everything that is known, by stack id: one listing, since the metadata holds each entry.

        An object that is none of ours gives an entry with a `problem`; the others are not affected.
        """
        listed = self.storage.list(f"{self._base}/stacks/")
        known = {one.name: _of_metadata(one) for one in listed}
        lacking = [one.name for one in listed if known[one.name] is None]
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(lacking, pool.map(self.storage.read, lacking), strict=True))
        found = []
        for one in listed:
            made, whole = known[one.name], read.get(one.name)
            if made:
                found.append(_with_properties(made, one))
            elif whole:
                found.append(self._readable(whole))
        return {entry.stack: entry for entry in found}

    def begin(
        self, stack: str, operation: Operation, expected: Entry | None, *, resuming: bool = False
    ) -> Entry:
        """Take the stack for an operation, if it still is as `expected` and nobody else is at work.

        `resuming` takes over what was cut off. Raises LockedError while another operation lives,
        PartialError when one was cut off, both saying whose.
        """
        if expected is not None:
            self._refuse_others(expected, operation, resuming=resuming)
        started = operation.started or self.now()
        wanted = replace(
            expected or Entry(stack),
            operation=replace(operation, started=started),
            attempted=operation.commit,
        )
        try:
            return self._write(wanted, expected.generation if expected else ABSENT)
        except PreconditionFailed:
            found = self.entry(stack)
            if found and found.operation:
                self._refuse_others(found, operation, resuming=False)
            raise LockedError(
                f"Somebody else changed the ledger of {stack} at the same moment.",
                advice="Try again.",
                stack=stack,
            ) from None

    def mark(self, entry: Entry, operation: Operation) -> Entry:
        """Move our own operation on, such as from planned to applying."""
        return self._write_ours(replace(entry, operation=operation), entry)

    def heartbeat(self, entry: Entry, *, lock: str = "") -> Entry:
        """Say that our operation lives, without a new generation; PreconditionFailed when it is not ours.

        `lock` notes the generation of the state lock that our Terraform holds.
        """
        name = self._name(entry.stack)
        beat = {"heartbeat": self.now()} | ({"lock": lock} if lock else {})
        try:
            found = self.storage.patch_metadata(name, beat, if_metageneration=entry.metageneration)
        except PreconditionFailed:
            # A beat whose answer was lost has moved it on, too.
            now = self.storage.stat(name)
            if now is None or now.generation != entry.generation:
                raise
            found = self.storage.patch_metadata(name, beat, if_metageneration=now.metageneration)
        if found.generation != entry.generation:
            raise PreconditionFailed(
                f"The ledger of {entry.stack} was taken over.", advice="See `infra status`."
            )
        return _with_properties(entry, found)

    def finish(self, entry: Entry) -> Entry:
        """Write how our operation ended, and that it is over. `entry` is ours with its fields set anew.

        `run` and the times are filled in here.
        """
        run = entry.operation.run if entry.operation else entry.run
        ended = replace(entry, operation=None, run=run, at=self.now())
        if ended.result in WHOLE:
            ended = replace(ended, applied_run=run, applied_at=ended.at)
        return self._write_ours(ended, entry)

    def leave(self, entry: Entry, before: Entry | None) -> Entry:
        """Give a stack back to which our operation did nothing: `before` holds again."""
        return self._write_ours(before or Entry(entry.stack), entry)

    def move(self, old: str, new: str) -> Entry | None:
        """Carry a renamed stack's entry over; None when the old one has none. An existing new one stays.

        Raises LockedError while an operation lives under the old name.
        """
        found, there = self.entry(old), self.entry(new)
        if found is None or there is not None:
            return there
        if found.operation and self.is_live(found):
            raise _locked(found, found.operation)
        made = self._write(replace(found, stack=new, moved_from=old), ABSENT)
        self.storage.delete(self._name(old), if_generation=found.generation)
        return made

    def receive(self, stack: str, other: Ledger, own: Entry | None) -> Entry | None:
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

    def silence(self, entry: Entry) -> float:
        """Seconds since the entry's operation was last heard of, by the ledger's own clock."""
        if entry.operation is None or not entry.operation.heartbeat:
            return 0.0
        heard = datetime.fromisoformat(entry.operation.heartbeat)
        return max(0.0, (self.storage.now() - heard).total_seconds())

    def is_live(self, entry: Entry) -> bool:
        """Whether the entry's operation goes on: its process runs, or it is being heard of."""
        if entry.operation is None:
            return False
        runs = self._presence(entry.operation)
        return self.silence(entry) < SILENT_AFTER if runs is None else runs

    def judge(self, entry: Entry) -> tuple[Entry, bool]:
        """The entry, and whether its operation goes on.

        A process that is gone may have written how it ended after the entry was read: before an operation is
        called cut off, its entry is read again.
        """
        while entry.operation and not self.is_live(entry):
            now = self.entry(entry.stack)
            if now is None or now.generation == entry.generation:
                return entry, False
            entry = now
        return entry, entry.operation is not None

    # Runs

    def save_run(self, record: RunRecord) -> None:
        """Write what a run did, in place of an earlier record of the same run."""
        self.storage.write(self._run_name(record.id), encode_run(record), metadata=run_metadata(record))

    def run(self, run: str) -> RunRecord | None:
        """One run; None when it did nothing in this environment."""
        found = self.storage.read(self._run_name(run))
        return decode_run(found.data, found.name) if found else None

    def runs(self, stack: str | None = None, *, months: int = 3) -> list[RunRecord]:
        """The runs of this month and those before it, newest first; with `stack` only those of that stack."""
        listed = [
            one for month in self._months(months) for one in self.storage.list(f"{self._base}/runs/{month}/")
        ]
        records = []
        for one in listed:
            record = self._record(one)
            if record and (stack is None or stack in record.stacks or record.problem):
                records.append(record)
        return sorted(records, key=lambda one: (one.started, one.id), reverse=True)

    def _record(self, listed: Blob) -> RunRecord | None:
        """The run of a listed object, one with a `problem` where it is none of ours; None when it is gone."""
        try:
            record = run_of_metadata(listed.metadata, listed.name)
        except StateError:
            record = None
        whole = None if record else self.storage.read(listed.name)
        if record or whole is None:
            return record
        try:
            return decode_run(whole.data, whole.name)
        except StateError as error:
            return unreadable_run(listed.name.rpartition("/")[2].removesuffix(".json"), error.message)

    # The parts of an apply that several jobs share

    def begin_part(self, attempt: str, part: str) -> None:
        """Note that a part (`2/3`) of a workflow's attempt (`8813-1`) has begun."""
        self.storage.write(f"{self._base}/parts/{attempt}/{quote(part, safe='')}", b"")

    def begun_parts(self, attempt: str) -> set[str]:
        """The parts of a workflow's attempt that have begun."""
        folder = f"{self._base}/parts/{attempt}/"
        return {unquote(one.name.removeprefix(folder)) for one in self.storage.list(folder)}

    # What a run leaves for the case that its machine is lost

    def append_journal(self, run: str, stack: str, number: int, lines: Iterable[bytes]) -> None:
        """One batch of a run's journal: an object of its own, written once."""
        data = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
        self.storage.write(f"{self._journal(run, stack)}{number:05d}.jsonl", data, if_generation=ABSENT)

    def journal(self, run: str, stack: str) -> list[bytes]:
        """The lines of a run's journal as far as they came here."""
        names = [one.name for one in self.storage.list(self._journal(run, stack))]
        found = (self.storage.read(name) for name in names)
        return [line for one in found if one for line in one.data.splitlines()]

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
                found = self.storage.read(name)
                if found and found.data == data:
                    return name
                number += 1
            else:
                return name

    def rescued(self, run: str, stack: str) -> dict[str, bytes]:
        """The states kept by `rescue`, oldest first."""
        listed = self.storage.list(f"{self._base}/rescue/{run}/{quote(stack, safe='')}/")
        found = (self.storage.read(one.name) for one in listed)
        return {one.name: one.data for one in found if one}

    def _write_ours(self, wanted: Entry, ours: Entry) -> Entry:
        """Write while the object still is ours; a ledger that somebody deleted meanwhile is made again."""
        try:
            return self._write(wanted, ours.generation)
        except PreconditionFailed:
            if self.entry(ours.stack) is not None:
                raise StateError(
                    f"The ledger of {ours.stack} was taken over while this run was at work.",
                    advice=f"See `infra status {ours.stack}`.",
                    stack=ours.stack,
                ) from None
            return self._write(wanted, ABSENT)

    def _write(self, entry: Entry, generation: str) -> Entry:
        made = self.storage.write(
            self._name(entry.stack),
            encode_entry(entry),
            if_generation=generation,
            metadata={**entry_metadata(entry), **_noted_lock(entry)},
        )
        return _with_properties(entry, made)

    def _refuse_others(self, entry: Entry, ours: Operation, *, resuming: bool) -> None:
        """Raise when somebody else's operation stands in the way of ours."""
        other = entry.operation
        if other and other.run == ours.run:
            return
        if other and self.is_live(entry):
            raise _locked(entry, other)
        if entry.is_unfinished and not resuming:
            what = f"{other.kind} {other.run} by {other.who}" if other else f"the run {entry.run}"
            raise PartialError(
                f"{entry.stack}: {what} was cut off while applying.",
                advice=f"`infra resume {entry.stack}` finds out what was applied and does the rest.",
                stack=entry.stack,
            )

    def _entry(self, blob: Blob) -> Entry:
        return _with_properties(decode_entry(blob.data, blob.name), blob)

    def _readable(self, blob: Blob) -> Entry:
        """The entry in an object, one with a `problem` where it is none of ours."""
        try:
            return self._entry(blob)
        except StateError as error:
            return Entry(
                self._stack(blob.name), generation=blob.generation, problem=error.message, remedy=error.advice
            )

    def _stack(self, name: str) -> str:
        """The id of the stack whose object has this name."""
        below = unquote(name.rpartition("/")[2].removesuffix(".json"))
        return below if below == self.environment else f"{self.environment}/{below}"

    def now(self) -> str:
        """The time by the clock of where the ledger lies, in RFC 3339."""
        return f"{self.storage.now():%Y-%m-%dT%H:%M:%SZ}"

    def _name(self, stack: str) -> str:
        return f"{self._base}/stacks/{quote(_below(stack, self.environment), safe='')}.json"

    def _run_name(self, run: str) -> str:
        return f"{self._base}/runs/{run[:4]}-{run[4:6]}/{run}.json"

    def _journal(self, run: str, stack: str) -> str:
        return f"{self._base}/journal/{run}/{quote(_below(stack, self.environment), safe='')}/"

    def _months(self, count: int) -> list[str]:
        """This month and those before it, as `2026-11`, newest first."""
        month, found = self.storage.now().astimezone(UTC).replace(day=1), []
        for _ in range(count):
            found.append(f"{month:%Y-%m}")
            month = (month - timedelta(days=1)).replace(day=1)
        return found


def _noted_lock(entry: Entry) -> dict[str, str]:
    """The lock that a heartbeat noted, as metadata: whoever takes the stack over must still know it."""
    return {"lock": entry.operation.lock} if entry.operation and entry.operation.lock else {}


def _of_metadata(listed: Blob) -> Entry | None:
    """The entry in a listed object's metadata; None where the object itself has to be read."""
    try:
        return entry_of_metadata(listed.metadata, listed.name)
    except StateError:
        return None


def _below(stack: str, environment: str) -> str:
    """A stack's name below its environment; an environment that is itself a stack has its own."""
    return stack.removeprefix(f"{environment}/")


def _with_properties(entry: Entry, blob: Blob) -> Entry:
    """The entry with what the object itself says: its generations, and when its run was last heard of."""
    operation = entry.operation
    if operation:
        operation = replace(operation, heartbeat=blob.updated, lock=blob.metadata.get("lock", ""))
    return replace(entry, operation=operation, generation=blob.generation, metageneration=blob.metageneration)


def _locked(entry: Entry, other: Operation) -> LockedError:
    return LockedError(
        f"{entry.stack}: {other}.",
        advice="Wait for it (`--wait 10m`), or ask them.",
        stack=entry.stack,
    )

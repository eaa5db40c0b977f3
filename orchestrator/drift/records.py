"""Reads the drift records of stacks before a run of checks, and saves the results of the run."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.drift.episodes import name_event, update_record
from orchestrator.drift.report import StackDrift
from orchestrator.engine.origin import origin_of
from orchestrator.engine.pending import entries_among, entries_of
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, StateError
from orchestrator.repository.model import Project, Stack
from orchestrator.state.drift_store import DriftLog, DriftRecord, DriftRun, heartbeat_of
from orchestrator.state.records import LedgerEntry
from orchestrator.state.storage import PreconditionFailed


@dataclass
class DriftRecords:
    """The ledger entries and drift records of the stacks of a run, and what the run adds to them."""

    session: Session
    moment: datetime
    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    unreadable: dict[str, InfraError] = field(default_factory=dict)
    records: dict[str, DriftRecord] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    complete: dict[str, str] = field(default_factory=dict)
    _events: dict[str, str] = field(default_factory=dict)
    _known: dict[str, dict[str, LedgerEntry]] = field(default_factory=lambda: defaultdict(dict))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, ids: Iterable[str]) -> None:
        """Read each ledger and each drift log with one listing."""
        requested = list(ids)
        for ledger, members in self.session.memory.ledgers.among(requested).items():
            try:
                entries = ledger.entries()
                self.entries.update(entries_among(self.session.memory, entries, members))
                self._known[ledger.environment].update(entries)
                self.unreadable.update(
                    {
                        id_: StateError(entry.problem, advice=entry.remedy, stack=id_)
                        for id_ in members
                        if (entry := self.entries.get(id_)) and entry.problem
                    }
                )
            except InfraError as error:
                # Another environment's account may be at hand: its stacks alone cannot be checked.
                self.unreadable.update(dict.fromkeys(members, error))
        for log, members in self.group_by_log(requested).items():
            try:
                records = log.records(whole=True)
            except InfraError as error:
                self.add_problem(f"What earlier checks found could not be read: {error.message}")
                continue
            self.records.update({id_: records[id_] for id_ in members if id_ in records})

    def reload_entry(self, stack: Stack) -> LedgerEntry | None:
        """Read a stack's ledger entry again: it may have been applied since the run began.

        Raises the error of the first reading, if that failed.
        """
        if stack.id in self.unreadable:
            raise self.unreadable[stack.id]
        entry = self.session.memory.ledgers.entry(stack)
        with self._lock:
            if entry:
                self.entries[stack.id] = entry
            else:
                self.entries.pop(stack.id, None)
        return entry

    def oldest_first(self, ids: Sequence[str]) -> list[str]:
        """The stacks, the longest unchecked first; those of one commit together: they share a checkout."""

        def key(id_: str) -> tuple[str, str, str]:
            record, entry = self.records.get(id_), self.entries.get(id_)
            return (record.checked_at if record else "", entry.commit if entry else "", id_)

        return sorted(ids, key=key)

    def save_result(self, stack: Stack, stack_drift: StackDrift, entry: LedgerEntry | None) -> StackDrift:
        """Save the result of one stack. Returns the result with its history."""
        context = self.session.context
        before = self.records.get(stack.id)
        try:
            generation = self.session.memory.states.generation(stack) or ""
        except InfraError as error:
            self.add_problem(f"What was found could not be remembered: {context.mask(error.message)}")
            return stack_drift
        after = update_record(
            before, stack_drift, entry, generation, run=context.info.id, at=self.timestamp()
        )
        event = name_event(before, after)
        with self._lock:
            if event:
                self._events[stack.id] = event
        try:
            saved = self.session.memory.ledgers.drift_log(stack).save(after)
            with self._lock:
                self.records[stack.id] = saved
        except PreconditionFailed:
            self.add_problem(f"{stack.id}: another check came first; what this one found is not remembered.")
        except InfraError as error:
            self.add_problem(f"What was found could not be remembered: {context.mask(error.message)}")
        return add_saved_history(stack_drift, after, event)

    def finish(self, stacks: Sequence[StackDrift]) -> None:
        """Save the run and the heartbeat of each environment."""
        by_id = {stack.id: stack for stack in stacks}
        for log, ids in self.group_by_log(by_id).items():
            try:
                log.save_run(self._run([by_id[id_] for id_ in ids]))
                everything = [member.id for member in self._members(log)]
                beat = heartbeat_of(self.session.context.info.id, self.timestamp(), everything, log.records())
                log.beat(beat)
                self.complete[log.environment] = beat.complete
            except InfraError as error:
                self.add_problem(
                    f"This run could not be remembered: {self.session.context.mask(error.message)}"
                )

    def list_stale(self, stacks: Iterable[StackDrift]) -> tuple[str, ...]:
        """Applied stacks that could not be checked for longer than `stale_after`."""
        limit = timedelta(seconds=self.session.context.project.config.drift.stale_after)
        oldest = f"{self.moment - limit:%Y-%m-%dT%H:%M:%SZ}"
        overdue = []
        for stack in stacks:
            record, entry = self.records.get(stack.id), self.entries.get(stack.id)
            checked = record.checked_at if record else ""
            applied = entry.applied_at if entry and entry.result != "destroyed" else ""
            if (
                stack.result in ("blocked", "unchecked", "skipped")
                and applied
                and max(checked, applied) < oldest
            ):
                overdue.append(stack.id)
        return tuple(overdue)

    def list_removed_stacks(self, requested: Collection[str], trunk: Project) -> list[str]:
        """A sentence for each stack that trunk no longer has and that was not destroyed: it is not checked.

        Only for environments whose stacks were all requested.
        """
        project = self.session.context.project
        elsewhere = {*project.stacks, *trunk.stacks, *project.config.earlier_ids}
        lines = []
        for environment, entries in sorted(self._known.items()):
            if not all(stack.id in requested for stack in project.of(environment)):
                continue
            lines += [
                f"{id_}: trunk no longer has it, and nobody destroyed what it made; it is not checked."
                for id_, entry in sorted(entries.items())
                if id_ not in elsewhere and entry.is_known and entry.result != "destroyed"
            ]
        return lines

    def group_by_log(self, ids: Iterable[str]) -> dict[DriftLog, list[str]]:
        """The drift logs of stacks, each with the stacks that it holds."""
        by_log: dict[DriftLog, list[str]] = {}
        for id_ in ids:
            log = self.session.memory.ledgers.drift_log(self.session.context.project.stacks[id_])
            by_log.setdefault(log, []).append(id_)
        return by_log

    def add_problem(self, text: str) -> None:
        """Add a note about something that could not be saved, once."""
        with self._lock:
            if text not in self.problems:
                self.problems.append(text)

    def timestamp(self) -> str:
        """The time of the run, which all of its results share."""
        return f"{self.moment:%Y-%m-%dT%H:%M:%SZ}"

    def _members(self, log: DriftLog) -> list[Stack]:
        """Every stack in the log that is applied."""
        stacks = [
            stack
            for stack in self.session.context.project.stacks.values()
            if self.session.memory.ledgers.drift_log(stack) is log
        ]
        entries = entries_of(self.session.memory, [stack.id for stack in stacks])
        return [
            stack
            for stack in stacks
            if stack.id in entries and entries[stack.id].is_known and entries[stack.id].result != "destroyed"
        ]

    def _run(self, stacks: Sequence[StackDrift]) -> DriftRun:
        info = self.session.context.report("drift", ()).run
        origin = origin_of(self.session.context.environ)
        return DriftRun(
            id=info.id,
            started=info.started,
            seconds=round(info.seconds, 3),
            trigger=origin.trigger,
            commit=info.commit,
            results={stack.id: stack.result for stack in stacks},
            digests={stack.id: stack.digest for stack in stacks if stack.digest},
            counts={
                stack.id: {k: n for k, n in stack.counts.items() if n} for stack in stacks if stack.resources
            },
            events={stack.id: self._events[stack.id] for stack in stacks if stack.id in self._events},
            link=origin.link,
        )


def add_saved_history(stack: StackDrift, after: DriftRecord, event: str) -> StackDrift:
    """The result with the history of the saved record."""
    if stack.result == "drifted" and after.now:
        return replace(stack, first_seen=after.now.began, came_back=after.now.came_back)
    if stack.result not in ("clean", "destroyed"):
        return stack
    return replace(stack, ended=event, ended_by=after.past[-1].by if event else "")

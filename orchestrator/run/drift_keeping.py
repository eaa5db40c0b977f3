"""The memory of a run of checks: what earlier ones knew of its stacks, and what this one adds to it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, StateError
from orchestrator.project.model import Project, Stack
from orchestrator.report.drift import StackDrift
from orchestrator.run.drift_memory import after_check, event_of
from orchestrator.run.pending import among, entries_of
from orchestrator.state.drift import DriftLog, DriftRecord, DriftRun, heartbeat_of
from orchestrator.state.records import Entry
from orchestrator.state.storage import PreconditionFailed


@dataclass
class Memory:
    """What the ledgers and earlier checks know of the stacks of a run, and what this run adds to it."""

    session: Session
    moment: datetime
    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: dict[str, InfraError] = field(default_factory=dict)
    records: dict[str, DriftRecord] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    complete: dict[str, str] = field(default_factory=dict)
    _events: dict[str, str] = field(default_factory=dict)
    _known: dict[str, dict[str, Entry]] = field(default_factory=lambda: defaultdict(dict))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, ids: Iterable[str]) -> None:
        """One listing of each ledger and of each memory of drift."""
        wanted = list(ids)
        for ledger, members in self.session.memory.ledgers.among(wanted).items():
            try:
                known = ledger.entries()
                self.entries.update(among(self.session.memory, known, members))
                self._known[ledger.environment].update(known)
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
        for log, members in self.logs(wanted).items():
            try:
                records = log.records(whole=True)
            except InfraError as error:
                self.problem(f"What earlier checks found could not be read: {error.message}")
                continue
            self.records.update({id_: records[id_] for id_ in members if id_ in records})

    def entry_now(self, stack: Stack) -> Entry | None:
        """What the ledger has of a stack now: since the run began, it may have been applied.

        Raises the error that kept it from being read.
        """
        if stack.id in self.unreadable:
            raise self.unreadable[stack.id]
        found = self.session.memory.ledgers.entry(stack)
        with self._lock:
            if found:
                self.entries[stack.id] = found
            else:
                self.entries.pop(stack.id, None)
        return found

    def oldest_first(self, ids: Sequence[str]) -> list[str]:
        """The stacks, the longest unchecked first; those of one commit together: they share a checkout."""

        def key(id_: str) -> tuple[str, str, str]:
            record, entry = self.records.get(id_), self.entries.get(id_)
            return (record.checked_at if record else "", entry.commit if entry else "", id_)

        return sorted(ids, key=key)

    def keep(self, stack: Stack, found: StackDrift, entry: Entry | None) -> StackDrift:
        """Remember what was found of one stack; gives it with what that added."""
        context = self.session.context
        before = self.records.get(stack.id)
        try:
            generation = self.session.memory.states.generation(stack) or ""
        except InfraError as error:
            self.problem(f"What was found could not be remembered: {context.mask(error.message)}")
            return found
        after = after_check(before, found, entry, generation, run=context.info.id, at=self.now())
        event = event_of(before, after)
        with self._lock:
            if event:
                self._events[stack.id] = event
        try:
            saved = self.session.memory.ledgers.drift_log(stack).save(after)
            with self._lock:
                self.records[stack.id] = saved
        except PreconditionFailed:
            self.problem(f"{stack.id}: another check came first; what this one found is not remembered.")
        except InfraError as error:
            self.problem(f"What was found could not be remembered: {context.mask(error.message)}")
        return with_memory(found, after, event)

    def finish(self, stacks: Sequence[StackDrift]) -> None:
        """Write the run and the heartbeat of each environment."""
        by_id = {one.id: one for one in stacks}
        for log, ids in self.logs(by_id).items():
            try:
                log.save_run(self._run([by_id[id_] for id_ in ids]))
                everything = [one.id for one in self._members(log)]
                beat = heartbeat_of(self.session.context.info.id, self.now(), everything, log.records())
                log.beat(beat)
                self.complete[log.environment] = beat.complete
            except InfraError as error:
                self.problem(f"This run could not be remembered: {self.session.context.mask(error.message)}")

    def stale(self, stacks: Iterable[StackDrift]) -> tuple[str, ...]:
        """Stacks that were applied, and that nobody could check for longer than `stale_after`."""
        limit = timedelta(seconds=self.session.context.project.config.drift.stale_after)
        oldest = f"{self.moment - limit:%Y-%m-%dT%H:%M:%SZ}"
        found = []
        for one in stacks:
            record, entry = self.records.get(one.id), self.entries.get(one.id)
            checked = record.checked_at if record else ""
            applied = entry.applied_at if entry and entry.result != "destroyed" else ""
            if (
                one.result in ("blocked", "unchecked", "skipped")
                and applied
                and max(checked, applied) < oldest
            ):
                found.append(one.id)
        return tuple(found)

    def left_behind(self, asked: Collection[str], trunk: Project) -> list[str]:
        """What is to be said of stacks that trunk no longer has and nobody destroyed: nothing looks at them.

        Only of environments all of whose stacks were asked for.
        """
        project = self.session.context.project
        elsewhere = {*project.stacks, *trunk.stacks, *project.config.earlier_ids}
        found = []
        for environment, entries in sorted(self._known.items()):
            if not all(one.id in asked for one in project.of(environment)):
                continue
            found += [
                f"{id_}: trunk no longer has it, and nobody destroyed what it made; it is not checked."
                for id_, entry in sorted(entries.items())
                if id_ not in elsewhere and entry.is_known and entry.result != "destroyed"
            ]
        return found

    def logs(self, ids: Iterable[str]) -> dict[DriftLog, list[str]]:
        """The memories that some stacks are in, each with those that are in it."""
        found: dict[DriftLog, list[str]] = {}
        for id_ in ids:
            log = self.session.memory.ledgers.drift_log(self.session.context.project.stacks[id_])
            found.setdefault(log, []).append(id_)
        return found

    def problem(self, text: str) -> None:
        """Note what could not be remembered, once."""
        with self._lock:
            if text not in self.problems:
                self.problems.append(text)

    def now(self) -> str:
        """The run's own moment: one for all that it finds."""
        return f"{self.moment:%Y-%m-%dT%H:%M:%SZ}"

    def _members(self, log: DriftLog) -> list[Stack]:
        """Every stack that is remembered there and that was ever applied."""
        stacks = [
            one
            for one in self.session.context.project.stacks.values()
            if self.session.memory.ledgers.drift_log(one) is log
        ]
        known = entries_of(self.session.memory, [one.id for one in stacks])
        return [
            one
            for one in stacks
            if one.id in known and known[one.id].is_known and known[one.id].result != "destroyed"
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
            results={one.id: one.result for one in stacks},
            digests={one.id: one.digest for one in stacks if one.digest},
            counts={one.id: {k: n for k, n in one.counts.items() if n} for one in stacks if one.resources},
            events={one.id: self._events[one.id] for one in stacks if one.id in self._events},
            link=origin.link,
        )


def with_memory(found: StackDrift, after: DriftRecord, event: str) -> StackDrift:
    """The result with what remembering it has told."""
    if found.result == "drifted" and after.now:
        return replace(found, first_seen=after.now.began, came_back=after.now.came_back)
    if found.result not in ("clean", "destroyed"):
        return found
    return replace(found, ended=event, ended_by=after.past[-1].by if event else "")

"""Orders a large apply across several machines: by the graph, with progress read from the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.engine import shards
from orchestrator.engine.commit_order import superseded_reason
from orchestrator.engine.executor import STOPS
from orchestrator.engine.origin import origin_of
from orchestrator.engine.pending import entries_of, pending_stacks
from orchestrator.engine.session import Session
from orchestrator.errors import InterruptedRunError, LockedError
from orchestrator.repository import graph
from orchestrator.repository.model import Project
from orchestrator.state.records import base_commit

# Seconds between two looks into the ledger, and how much longer than an apply may take we wait for others.
LOOK_AGAIN = 2.0
SPARE = 600.0
# Seconds after which a part that has not begun is given up.
START_LIMIT = 900.0


def select_shard_stacks(project: Project, environment: str, index: int, count: int) -> tuple[str, ...]:
    """The stacks of an environment that shard `index` of `count` applies.

    Computed from the code alone: the ledger changes while shards run, and all must split alike.
    """
    stacks = [(stack.id,) for stack in project.of(environment)]
    return shards.pack_units(stacks, count)[index - 1]


def record_shard_start(session: Session, part_: shards.Shard) -> None:
    """Records in the ledger that a shard has started: the others stop waiting for one that never does."""
    attempt = origin_of(session.context.environ).attempt
    if attempt:
        for ledger in session.memory.ledgers.of_environment(part_.environment):
            ledger.begin_part(attempt, part_.name)


@dataclass(frozen=True)
class OtherShards:
    """The progress of the other shards, as far as this one depends on it.

    `mine` is this shard; if None, no shard is given up early.
    """

    session: Session
    mine: shards.Shard | None = None
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def layers(self, shard_ids: Collection[str], pending: Collection[str]) -> Iterator[list[str]]:
        """The stacks of this shard in apply order, in groups that wait for the same others."""
        for wave in self.session.context.project.waves(pending):
            layer = [id_ for id_ in wave if id_ in shard_ids]
            if layer:
                yield layer

    def prerequisites(
        self, stacks: Sequence[str], shard_ids: Collection[str], pending: Collection[str]
    ) -> set[str]:
        """The pending stacks of other shards that these directly depend on."""
        needs = graph.restrict(self.session.context.project.prerequisites(), set(pending))
        return {need for id_ in stacks for need in needs[id_] if need not in shard_ids}

    def wait(self, stacks: Collection[str]) -> dict[str, str]:
        """Waits until other shards have finished these stacks; returns those that failed, with the reason.

        Raises LockedError after the time that an apply may take.
        """
        remaining = set(stacks)
        failed: dict[str, str] = {}
        started = self.clock()
        until = started + self._longest(stacks)
        while remaining:
            self.session.context.progress.doing(min(remaining), "another part is at work on it")
            pending = pending_stacks(self.session.memory, remaining)
            failed |= self._failed(pending) | self._superseded(pending)
            if self.clock() - started >= START_LIMIT:
                failed |= self._never_begun(pending)
            remaining = {id_ for id_ in pending if id_ not in failed}
            if remaining and self.clock() >= until:
                raise LockedError(
                    f"Another part of this run has not ended {', '.join(sorted(remaining))}.",
                    advice="Look at the jobs of the other parts; then run the workflow again.",
                )
            if remaining:
                self._pause()
        return failed

    def _never_begun(self, pending: Collection[str]) -> dict[str, str]:
        """The stacks of shards that have not started: their jobs were cancelled, or found no machine."""
        attempt = origin_of(self.session.context.environ).attempt
        if self.mine is None or not attempt:
            return {}
        started: set[str] = set()
        for ledger in self.session.memory.ledgers.of_environment(self.mine.environment):
            started |= ledger.begun_parts(attempt)
        missing: dict[str, str] = {}
        for index in range(1, self.mine.count + 1):
            name = f"{index}/{self.mine.count}"
            if name not in started:
                stacks = select_shard_stacks(
                    self.session.context.project, self.mine.environment, index, self.mine.count
                )
                missing |= {id_: f"part {name} of this run never began" for id_ in stacks if id_ in pending}
        return missing

    def _failed(self, pending: Mapping[str, str]) -> dict[str, str]:
        """The stacks that another shard of this job tried and did not apply, with the result."""
        failed: dict[str, str] = {}
        link = origin_of(self.session.context.environ).link
        for ledger, ids in self.session.memory.ledgers.among(pending).items():
            for run in ledger.runs(months=1):
                if run.link == link and base_commit(run.commit) == self.session.context.info.commit:
                    results = {id_: run.stacks[id_].result for id_ in ids if id_ in run.stacks}
                    failed |= {
                        id_: result for id_, result in results.items() if result in (*STOPS, "skipped")
                    }
        return failed

    def _superseded(self, pending: Collection[str]) -> dict[str, str]:
        """The stacks to which a newer run applied a newer commit: no shard of this run applies them."""
        entries = entries_of(self.session.memory, pending)
        return {
            id_: "superseded"
            for id_, entry in entries.items()
            if superseded_reason(self.session.context.project, entry)
        }

    def _longest(self, stacks: Collection[str]) -> float:
        settings = self.session.context.project.config.environment
        times = [
            settings(self.session.context.project.stacks[id_].environment).timeouts.apply for id_ in stacks
        ]
        return max(times, default=0.0) + SPARE

    def _pause(self) -> None:
        if self.session.context.supervisor.interrupted:
            raise InterruptedRunError("Interrupted while waiting for another part.")
        self.sleep(LOOK_AGAIN)

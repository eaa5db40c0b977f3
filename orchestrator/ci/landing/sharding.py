"""A large apply in parts, on several machines: the graph orders them, the ledger tells how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.ci import shards
from orchestrator.engine.executor import STOPS
from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.errors import InterruptedRunError, LockedError
from orchestrator.project import graph
from orchestrator.project.model import Project
from orchestrator.run.forward import superseded
from orchestrator.run.pending import entries_of, pending_stacks
from orchestrator.state.records import base_commit

# Seconds between two looks into the ledger, and how much longer than an apply may take we wait for others.
LOOK_AGAIN = 2.0
SPARE = 600.0
# Seconds after which a part that has not begun is given up.
START_LIMIT = 900.0


def part(project: Project, environment: str, index: int, count: int) -> tuple[str, ...]:
    """The stacks of an environment that part `index` of `count` applies.

    Made from the code alone: the ledger moves while the parts are at work, and all must cut alike.
    """
    stacks = [(stack.id,) for stack in project.of(environment)]
    return shards.pack(stacks, count)[index - 1]


def announce(session: Session, part_: shards.Shard) -> None:
    """Note in the ledger that a part has begun, so that the others need not wait for one that never does."""
    attempt = origin_of(session.context.environ).attempt
    if attempt:
        for ledger in session.memory.ledgers.of_environment(part_.environment):
            ledger.begin_part(attempt, part_.name)


@dataclass(frozen=True)
class Others:
    """What the other parts are doing, as far as it concerns ours.

    `mine` is our own part; None where it is not known, and then nobody is given up early.
    """

    session: Session
    mine: shards.Shard | None = None
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def layers(self, mine: Collection[str], owed: Collection[str]) -> Iterator[list[str]]:
        """Our stacks in the order in which they can be applied, in groups that wait for the same others."""
        for wave in self.session.context.project.waves(owed):
            ours = [id_ for id_ in wave if id_ in mine]
            if ours:
                yield ours

    def prerequisites(self, stacks: Sequence[str], mine: Collection[str], owed: Collection[str]) -> set[str]:
        """The owed stacks of other parts that ours directly stand on."""
        needs = graph.restrict(self.session.context.project.prerequisites(), set(owed))
        return {need for id_ in stacks for need in needs[id_] if need not in mine}

    def wait(self, others: Collection[str]) -> dict[str, str]:
        """Wait until other parts have ended these stacks; gives those that went wrong, with how.

        Raises LockedError when the time that an apply may take is over.
        """
        left = set(others)
        wrong: dict[str, str] = {}
        began = self.clock()
        until = began + self._longest(others)
        while left:
            self.session.context.progress.doing(min(left), "another part is at work on it")
            owed = pending_stacks(self.session.memory, left)
            wrong |= self._failed(owed) | self._superseded(owed)
            if self.clock() - began >= START_LIMIT:
                wrong |= self._never_begun(owed)
            left = {id_ for id_ in owed if id_ not in wrong}
            if left and self.clock() >= until:
                raise LockedError(
                    f"Another part of this run has not ended {', '.join(sorted(left))}.",
                    advice="Look at the jobs of the other parts; then run the workflow again.",
                )
            if left:
                self._pause()
        return wrong

    def _never_begun(self, owed: Collection[str]) -> dict[str, str]:
        """The stacks of parts that have not begun by now: their jobs were cancelled, or found no machine."""
        attempt = origin_of(self.session.context.environ).attempt
        if self.mine is None or not attempt:
            return {}
        begun: set[str] = set()
        for ledger in self.session.memory.ledgers.of_environment(self.mine.environment):
            begun |= ledger.begun_parts(attempt)
        lost: dict[str, str] = {}
        for index in range(1, self.mine.count + 1):
            name = f"{index}/{self.mine.count}"
            if name not in begun:
                stacks = part(self.session.context.project, self.mine.environment, index, self.mine.count)
                lost |= {id_: f"part {name} of this run never began" for id_ in stacks if id_ in owed}
        return lost

    def _failed(self, owed: Mapping[str, str]) -> dict[str, str]:
        """Those that another part of this very job tried, and did not bring to an end; with how."""
        wrong: dict[str, str] = {}
        link = origin_of(self.session.context.environ).link
        for ledger, ids in self.session.memory.ledgers.among(owed).items():
            for run in ledger.runs(months=1):
                if run.link == link and base_commit(run.commit) == self.session.context.info.commit:
                    ended = {id_: run.stacks[id_].result for id_ in ids if id_ in run.stacks}
                    wrong |= {id_: result for id_, result in ended.items() if result in (*STOPS, "skipped")}
        return wrong

    def _superseded(self, owed: Collection[str]) -> dict[str, str]:
        """Those to which a newer run has applied something newer: no part of this one applies them."""
        entries = entries_of(self.session.memory, owed)
        return {
            id_: "superseded" for id_, one in entries.items() if superseded(self.session.context.project, one)
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

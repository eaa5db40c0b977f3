"""Records runs in the ledgers: claims, outcomes, and the record of the run."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from orchestrator.engine.claims import Claim
from orchestrator.engine.commit_order import is_on_trunk, superseded_reason
from orchestrator.engine.ledgers import this_machine
from orchestrator.engine.origin import Origin, origin_of
from orchestrator.engine.pending import entries_of, upstream_hashes
from orchestrator.engine.session import Session
from orchestrator.engine.working_tree import WorkingTree
from orchestrator.errors import (
    GitError,
    InfraError,
    InterruptedRunError,
    LockedError,
    PartialError,
    SupersededError,
)
from orchestrator.process import started_at
from orchestrator.report.model import StackReport
from orchestrator.repository.git import Commit
from orchestrator.repository.model import Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.locks import belongs_to
from orchestrator.state.plan_objects import digest_key
from orchestrator.state.records import (
    UNCOMMITTED,
    Kind,
    LedgerEntry,
    Operation,
    Outcome,
    RunRecord,
    StackRecord,
)
from orchestrator.terraform.client import PlanOptions

# Seconds between two looks at a stack that another run holds.
LOOK_AGAIN = 2.0


@dataclass(frozen=True)
class RecorderOptions:
    """How a run waits for other runs and locks, and which rules it may bypass.

    `wait` is how many seconds it waits for another run, `lock_timeout` how many Terraform waits for a state's
    lock. `break_glass` is the reason by which a local run may apply where only CI does; `over` are commits
    that it may go over although they are not in this one's history.
    """

    wait: float = 0.0
    lock_timeout: float = 0.0
    break_glass: str | None = None
    over: tuple[str, ...] = ()


class LedgerRecorder:
    """Writes into the ledgers for one run of `apply`, `destroy`, `resume` or `adopt`; safe from many threads.

    `kind` is also what the run's record calls it.
    """

    def __init__(
        self, session: Session, kind: Kind, recorder_options: RecorderOptions, options: PlanOptions
    ) -> None:
        self.session = session
        self.kind = kind
        self.recorder_options = recorder_options
        self.options = options
        self.origin: Origin = origin_of(session.context.environ)
        self.tree = WorkingTree(session.context.project)
        self._records: dict[str, StackRecord] = {}
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, stack: Stack) -> Iterator[Claim]:
        """Take a stack for the length of the block.

        Raises LockedError when another run has it and goes on having it, PartialError if one was interrupted
        there, SupersededError when what was applied is newer. What was claimed and did not end is given back
        as it was, unless Terraform's process had started.
        """
        claim = self._take(stack)
        try:
            yield claim
        finally:
            claim.close()

    def _take(self, stack: Stack) -> Claim:
        end = time.monotonic() + self.recorder_options.wait
        waited = False
        while True:
            ledgers = self.session.memory.ledgers
            ledger = ledgers.of(stack)
            ledgers.mark_of(stack)
            before = ledgers.move_entry(stack)
            self._refuse_older(stack, before)
            serial = self._serial(stack)
            try:
                entry = ledger.begin(stack.id, self.operation(stack), before)
            except LockedError as error:
                if self.session.context.supervisor.interrupted:
                    raise InterruptedRunError("Interrupted while waiting for another run.") from None
                if time.monotonic() >= end:
                    raise
                waited = True
                self.session.context.progress.doing(stack.id, f"waiting: {error.message}")
                time.sleep(min(LOOK_AGAIN, 0.3 + secrets.randbelow(1000) / 1000))
            except PartialError:
                if before is None or ledger.check_liveness(before)[0].generation == before.generation:
                    raise
                waited = True
            else:
                return self._claim(ledger, stack, before, entry, waited=waited, serial=serial)

    def take_over(self, stack: Stack, before: LedgerEntry) -> Claim:
        """Take a stack whose operation was interrupted, to finish it under that operation's own run."""
        ledger = self.session.memory.ledgers.of(stack)
        run = before.operation.run if before.operation else before.run
        serial = self._serial(stack)
        cut_off = before.operation
        # Whoever resumes after us must still know since when, and which lock is the dead run's.
        operation = replace(
            self.operation(stack),
            run=run,
            kind=cut_off.kind if cut_off else self.kind,
            phase="applying",
            started=cut_off.started if cut_off else "",
            lock=cut_off.lock if cut_off else "",
        )
        entry = ledger.begin(stack.id, operation, before, resuming=True)
        if cut_off and cut_off.phase == "applying":
            with suppress(InfraError):  # what was interrupted can be resumed without its place in the history
                _record_interrupted_run(ledger, stack, before, cut_off, serial)
        return self._claim(ledger, stack, before, entry, waited=False, serial=serial)

    def _claim(
        self,
        ledger: Ledger,
        stack: Stack,
        before: LedgerEntry | None,
        entry: LedgerEntry,
        *,
        waited: bool,
        serial: int | None,
    ) -> Claim:
        forgotten = self.session.memory.ledgers.forgotten(stack)
        return Claim(ledger, stack, before, entry, waited=waited, serial=serial, forgotten=forgotten)

    def _serial(self, stack: Stack) -> int | None:
        head = self.session.memory.states.head(stack)
        return head.serial if head else None

    def _refuse_older(self, stack: Stack, before: LedgerEntry | None) -> None:
        reason = (
            superseded_reason(self.session.context.project, before, over=self.recorder_options.over)
            if self.kind != "destroy"
            else None
        )
        if reason:
            raise SupersededError(reason[0], advice=reason[1], stack=stack.id)

    def operation(self, stack: Stack) -> Operation:
        """What this run does to a stack, as the ledger has it."""
        return Operation(
            run=self.session.context.info.id,
            kind=self.kind,
            phase="planned",
            who=self.origin.person,
            where=self.origin.where,
            commit=self.tree.commit_of(stack.id),
            host=this_machine(),
            pid=os.getpid(),
            pid_started=started_at(os.getpid()) or "",
        )

    # How it ended

    def applied(
        self,
        claim: Claim,
        result: Outcome,
        *,
        plan_seconds: float | None = None,
        apply_seconds: float | None = None,
    ) -> None:
        """The stack is what this commit says: applied, destroyed, unchanged or adopted.

        How long its plan and its apply took is remembered, to begin with the longest the next time.
        """
        ended = self._applied(claim.entry, claim.stack, result)
        if self.options.refresh_only:
            # Nothing of this commit was applied, not even a part.
            ended = replace(ended, attempted=claim.before.attempted if claim.before else "")
        if not self.options.is_partial:
            ended = replace(
                ended,
                plan_seconds=_rounded(plan_seconds) or ended.plan_seconds,
                apply_seconds=_rounded(apply_seconds) or ended.apply_seconds,
            )
        claim.finish(ended)

    def failed(self, claim: Claim, result: Outcome, rescued: str = "") -> Outcome:
        """The stack is not what this commit says, or nobody knows; gives what was recorded.

        Where our Terraform left its lock behind that is "interrupted": else nothing would explain the lock,
        and `infra resume` would not release it.
        """
        left_lock = self.own_lock(claim)
        recorded: Outcome = "interrupted" if left_lock else result
        state = self.with_state(claim.entry, claim.stack)
        reason = self.recorder_options.break_glass or claim.entry.break_glass
        claim.finish(
            replace(state, result=recorded, rescued=rescued, left_lock=left_lock, break_glass=reason)
        )
        return recorded

    def own_lock(self, claim: Claim) -> str:
        """The generation of the state's lock, if our Terraform took it; empty when nobody or another did.

        A lock from before our Terraform could run is another's, of this machine or not.
        """
        lock, operation = self.session.memory.states.lock(claim.stack), claim.entry.operation
        if lock is None or operation is None:
            return ""
        own_operation = replace(operation, started=claim.announced_at or operation.started)
        return lock.generation if belongs_to(lock, own_operation) else ""

    def commit(self, stacks: Iterable[str]) -> str:
        """The commit of the run's record: `COMMIT+uncommitted` where a stack is not at the commit."""
        commit = self.session.context.info.commit
        return f"{commit}{UNCOMMITTED}" if self.tree.uncommitted(stacks) else commit

    def note(self, claim: Claim, report: StackReport, forgotten: tuple[str, ...] = ()) -> None:
        """Remember a stack's part for the record of the run; `forgotten` is what a resume left alone."""
        with self._lock:
            self._records[claim.stack.id] = replace(claim.record(report), forgotten=forgotten)

    def note_unchanged(
        self, stacks: Mapping[str, StackReport], upstreams: Mapping[str, Mapping[str, str]]
    ) -> list[str]:
        """Move the ledger on for stacks with an empty plan that it does not know to be up to date.

        `upstreams` are, by stack, the generations of the states that its plan read: an upstream that was
        applied since, even by half, may have moved what the plan would be. Returns what kept it from that,
        for people; it is no failure of the run.
        """
        empty = [id_ for id_, report in stacks.items() if report.result == "unchanged"]
        if not empty or self.options.is_partial or self.options.destroy:
            return []
        problems = []
        try:
            entries = entries_of(self.session.memory, empty)
            for id_ in empty:
                if not self._is_behind(id_, entries.get(id_)):
                    continue
                if not self.session.memory.states.moved(upstreams.get(id_, {})):
                    self._unchanged(self.session.context.project.stacks[id_], stacks[id_])
        except SupersededError as error:
            problems.append(f"{error.stack}: {error.message}; the ledger stays as it is.")
        except InfraError as error:
            problems.append(f"The ledger was not told of what is unchanged: {error.message}")
        return problems

    def _is_behind(self, id_: str, entry: LedgerEntry | None) -> bool:
        context = self.session.context
        stack = context.project.stacks[id_]
        return entry is None or bool(
            entry.result in ("failed", "destroyed", "restored", "modified")
            or entry.break_glass
            or entry.state != (stack.state or "")
            or entry.commit.endswith(UNCOMMITTED)
            or entry.fingerprint != context.project.fingerprint(id_)
            or dict(entry.upstreams) != upstream_hashes(context.project, self.session.memory.states, stack)
        )

    def _unchanged(self, stack: Stack, report: StackReport) -> None:
        with self.claim(stack) as claim:
            self.applied(claim, "unchanged" if claim.before else "adopted")
            self.note(claim, report)

    def save(self) -> list[str]:
        """Write the record of the run into each ledger that it wrote to; returns what went wrong."""
        problems = []
        for ledger, ids in self.session.memory.ledgers.among(self._records).items():
            try:
                self._save(ledger, {id_: self._records[id_] for id_ in ids})
            except InfraError as error:
                problems.append(f"The record of this run could not be written: {error.message}")
            else:
                # Whoever only plans may read the key that approvals are hashed with, and cannot make it.
                with suppress(InfraError):
                    digest_key(ledger.storage, ledger.folder)
        return problems

    def _save(self, ledger: Ledger, stacks: Mapping[str, StackRecord]) -> None:
        info = self.session.context.info
        # One run may go to a ledger in several parts, such as what is applied and what is destroyed.
        run = ledger.run(info.id)
        ledger.save_run(
            RunRecord(
                id=info.id,
                command=self.kind,
                trigger=self.origin.trigger,
                commit=self.commit(stacks),
                person=self.origin.person,
                started=info.started,
                seconds=round(time.monotonic() - self.session.context.began, 3),
                stacks={**run.stacks, **stacks} if run else stacks,
                subject=self._commit.subject if self._commit else "",
                pull_request=self.origin.pull_request,
                link=self.origin.link,
                break_glass=self.recorder_options.break_glass,
                traceparent=info.traceparent,
            )
        )

    def _applied(self, entry: LedgerEntry, stack: Stack, result: Outcome) -> LedgerEntry:
        session, project = self.session, self.session.context.project
        state = self.with_state(entry, stack)
        ended = replace(
            state, result=result, rescued="", left_lock="", break_glass=self._broken(entry, stack)
        )
        if self.options.is_partial and result != "destroyed":
            return ended
        generations = {
            edge.source: session.memory.states.generation(project.stacks[edge.source]) or ""
            for edge in project.upstreams(stack.id)
        }
        commit = self._commit
        return replace(
            ended,
            commit=self.tree.commit_of(stack.id),
            fingerprint=project.fingerprint(stack.id),
            upstreams=upstream_hashes(project, session.memory.states, stack) if result != "destroyed" else {},
            upstream_generations=generations,
            author=commit.author if commit else "",
            subject=commit.subject if commit else "",
            from_trunk=self._is_from_trunk(stack),
        )

    def _broken(self, entry: LedgerEntry, stack: Stack) -> str | None:
        """The reason of a break of glass: this run's, else one that trunk has not been applied over yet."""
        if self.recorder_options.break_glass:
            return self.recorder_options.break_glass
        return None if self._is_from_trunk(stack) and not self.options.is_partial else entry.break_glass

    def with_state(self, entry: LedgerEntry, stack: Stack) -> LedgerEntry:
        """The entry with the stack's state as it is now."""
        head = self.session.memory.states.head(stack)
        stat = self.session.memory.states.stat(stack)
        return replace(
            entry,
            state=stack.state or "",
            serial=head.serial if head else None,
            lineage=head.lineage if head else "",
            state_generation=stat.generation if stat else "",
            state_size=stat.size if stat else None,
            forgotten="" if stat else entry.forgotten,
        )

    @cached_property
    def _commit(self) -> Commit | None:
        try:
            return self.session.context.project.repository.commit(self.session.context.info.commit)
        except GitError:
            return None

    def _is_from_trunk(self, stack: Stack) -> bool:
        return self._commit_is_on_trunk and not self.tree.uncommitted([stack.id])

    @cached_property
    def _commit_is_on_trunk(self) -> bool:
        return is_on_trunk(self.session.context.project, self.session.context.info.commit)


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 1) if seconds else None


def _record_interrupted_run(
    ledger: Ledger, stack: Stack, before: LedgerEntry, cut_off: Operation, serial: int | None
) -> None:
    """Write the record of a run that died before it could; a record that is there only gains the stack.

    `serial` is the state's now, which is what that run left.
    """
    run = ledger.run(cut_off.run)
    if run and stack.id in run.stacks:
        return
    lasted = datetime.fromisoformat(cut_off.heartbeat or cut_off.started) - datetime.fromisoformat(
        cut_off.started
    )
    # A job's own address; a machine has a plain name. GitHub's servers of companies need not have https.
    from_job = "://" in cut_off.where
    record = run or RunRecord(
        id=cut_off.run,
        command=cut_off.kind,
        trigger="ci" if from_job else "local",
        commit=cut_off.commit,
        person=cut_off.who,
        started=cut_off.started,
        seconds=max(0.0, lasted.total_seconds()),
        stacks={},
        link=cut_off.where if from_job else "",
    )
    part = StackRecord(
        "interrupted",
        reason="interrupted while applying",
        serial_before=before.serial,
        serial_after=serial,
    )
    ledger.save_run(replace(record, stacks={**record.stacks, stack.id: part}))

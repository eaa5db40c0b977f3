"""The record of a run that died before it could write one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orchestrator.project.model import Stack
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import Entry, Operation, RunRecord, StackRecord


def remember(ledger: Ledger, stack: Stack, before: Entry, cut_off: Operation, serial: int | None) -> None:
    """Write the record of a run that died before it could; a record that is there only gains the stack.

    `serial` is the state's now, which is what that run left.
    """
    known = ledger.run(cut_off.run)
    if known and stack.id in known.stacks:
        return
    lasted = datetime.fromisoformat(cut_off.heartbeat or cut_off.started) - datetime.fromisoformat(
        cut_off.started
    )
    # A job's own address; a machine has a plain name. GitHub's servers of companies need not have https.
    from_job = "://" in cut_off.where
    record = known or RunRecord(
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
        reason="cut off while applying",
        serial_before=before.serial,
        serial_after=serial,
    )
    ledger.save_run(replace(record, stacks={**record.stacks, stack.id: part}))

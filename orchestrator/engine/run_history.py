"""`infra history`: lists the runs recorded in the ledgers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from orchestrator.engine.ledgers import Ledgers
from orchestrator.errors import UsageError
from orchestrator.report.history import HistoryRun
from orchestrator.repository.model import Project
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import RunRecord

WORKERS = 16


def list_runs(
    project: Project, ledgers: Ledgers, stacks: Collection[str] | None, *, months: int
) -> list[HistoryRun]:
    """The runs of some months, newest first; with `stacks` those that touched one of them."""
    selected = project.stacks if stacks is None else stacks
    with ThreadPoolExecutor(WORKERS) as pool:
        records = list(pool.map(lambda ledger: ledger.runs(months=months), _ledgers(ledgers, selected)))
    merged = merge(record for run_records in records for record in run_records)
    if stacks is not None:
        names = set(stacks)
        merged = [run for run in merged if run.problem or names & run.stacks.keys()]
    return merged


def find_run(project: Project, ledgers: Ledgers, run: str) -> HistoryRun:
    """One run; UsageError when no ledger knows it."""
    with ThreadPoolExecutor(WORKERS) as pool:
        records = list(pool.map(lambda ledger: ledger.run(run), _ledgers(ledgers, project.stacks)))
    merged = merge(record for record in records if record)
    if not merged:
        raise UsageError(f"The ledger knows of no run {run}.", advice="`infra history` lists them.")
    return merged[0]


def merge(records: Iterable[RunRecord]) -> list[HistoryRun]:
    """The records of one run in several environments as one, newest first."""
    by_id: dict[str, HistoryRun] = {}
    for record in records:
        run = by_id.get(record.id)
        stacks = {**(run.stacks if run else {}), **record.stacks}
        base = run or HistoryRun(**vars(record))
        by_id[record.id] = replace(
            base,
            stacks=stacks,
            seconds=max(base.seconds, record.seconds),
            break_glass=base.break_glass or record.break_glass,
        )
    return sorted(by_id.values(), key=lambda run: run.order, reverse=True)


def _ledgers(ledgers: Ledgers, stacks: Iterable[str]) -> list[Ledger]:
    return list(ledgers.among(stacks))

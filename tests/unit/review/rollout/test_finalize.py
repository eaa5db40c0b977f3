"""What the history has of an apply that was cancelled before it could write its record."""

from __future__ import annotations

import json

from orchestrator.engine.session import Session
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.repository.loading import load
from orchestrator.review.rollout.finalize import (
    counts_in_journal,
    parse_start_time,
    read_outcomes,
    record_cancelled,
)
from orchestrator.state.records import LedgerEntry, Operation
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

RUN = "20261130T101112345Z-abcdef"
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    **{f"infra/envs/dev/{name}/main.tf": 'terraform {\n  backend "gcs" {}\n}\n' for name in "ab"},
}
JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/infra",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SERVER_URL": "http://github.local",
    "GITHUB_ACTOR": "ada",
    "HOME": "/nowhere",
}


def line(address: str, action: str, kind: str = "apply_complete") -> bytes:
    return json.dumps({"type": kind, "hook": {"resource": {"addr": address}, "action": action}}).encode()


def test_a_journal_counts_a_replacement_once_and_nothing_that_was_only_begun() -> None:
    lines = [
        line("x.a", "create"),
        line("x.b", "delete"),
        line("x.b", "create"),
        line("x.c", "update"),
        line("x.d", "create", "apply_start"),
        b"torn",
    ]
    assert counts_in_journal(lines) == {**NO_COUNTS, "create": 1, "replace": 1, "update": 1}
    assert counts_in_journal([]) == NO_COUNTS


def finished(session: Session, stack: str, run: str) -> None:
    """A run applied a stack at the session's commit."""
    commit = session.context.info.commit
    ledger = session.memory.ledgers.of(session.context.project.stacks[stack])
    entry = ledger.begin(stack, Operation(run, "apply", "planned", "ada", "here", commit), None)
    ledger.finish(
        LedgerEntry(
            stack,
            commit=commit,
            result="applied",
            serial=3,
            operation=entry.operation,
            generation=entry.generation,
        )
    )


def test_a_cancelled_apply_is_in_the_history_with_what_it_finished(make_repo: MakeRepo) -> None:
    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage(), JOB)
    finished(session, "dev/a", RUN)
    ledger = session.memory.ledgers.of(session.context.project.stacks["dev/a"])
    ledger.append_journal(RUN, "dev/a", 1, [line("x.a", "create")])
    reports = read_outcomes(session, RUN, ["dev/a", "dev/b"])
    assert [(report.id, report.result, report.counts["create"]) for report in reports] == [
        ("dev/a", "applied", 1),
        ("dev/b", "aborted", 0),
    ]
    assert record_cancelled(session, RUN, reports) == []
    record = ledger.run(RUN)
    assert record
    assert (record.trigger, record.person, record.started) == ("ci", "ada", "2026-11-30T10:11:12Z")
    assert record.link == "http://github.local/acme/infra/actions/runs/7"
    assert {id_: (stack.result, stack.counts.get("create")) for id_, stack in record.stacks.items()} == {
        "dev/a": ("applied", 1)
    }


def test_what_another_run_applied_is_not_credited_to_the_cancelled_one(make_repo: MakeRepo) -> None:
    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage(), JOB)
    finished(session, "dev/a", "20261130T090000000Z-000000")
    (report,) = read_outcomes(session, RUN, ["dev/a"])
    assert (report.result, dict(report.counts)) == ("unchanged", dict(NO_COUNTS))


def test_a_record_that_is_there_is_only_completed(make_repo: MakeRepo) -> None:
    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage(), JOB)
    finished(session, "dev/a", RUN)
    record_cancelled(
        session, RUN, [StackReport("dev/a", "dev", "applied", counts={**NO_COUNTS, "create": 1})]
    )
    record_cancelled(session, RUN, [StackReport("dev/a", "dev", "applied")])
    ledger = session.memory.ledgers.of(session.context.project.stacks["dev/a"])
    record = ledger.run(RUN)
    assert record
    assert record.stacks["dev/a"].counts["create"] == 1


def test_an_id_of_another_form_has_no_time() -> None:
    assert parse_start_time(RUN) == "2026-11-30T10:11:12Z"
    assert parse_start_time("R-1") == ""

"""With which commit a stack is compared, and what an apply that was not whole means for that."""

from __future__ import annotations

from orchestrator.run.drift_check import commit_of, why_partial
from orchestrator.state.records import Entry

COMMIT = "c" * 40


def test_uncommitted_code_is_compared_with_its_commit_and_no_drift() -> None:
    entry = Entry("dev/app", commit=f"{COMMIT}+uncommitted", result="applied")
    assert commit_of(entry) == COMMIT
    assert "in no commit" in why_partial(entry)
    failed = Entry("dev/app", commit="b" * 40, result="failed", attempted=f"{COMMIT}+uncommitted")
    assert commit_of(failed) == COMMIT


def test_a_stack_that_was_applied_whole_is_not_partial() -> None:
    assert why_partial(Entry("dev/app", commit=COMMIT, attempted=COMMIT, result="applied")) == ""

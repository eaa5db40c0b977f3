"""What a run may claim and record, with the ledger and the states in memory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.errors import SupersededError
from orchestrator.report.model import StackReport
from orchestrator.repository.loading import load
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import PlanOptions
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo
from tests.support.sessions import session_in_memory

CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": CODE,
    "infra/envs/dev/app/main.tf": CODE,
}
UPSTREAM = "dev/state/net/default.tfstate"
NO_OPTIONS = PlanOptions()


def _session(repo: Repo, bucket: MemoryStorage) -> Session:
    return session_in_memory(load(repo.root), bucket)


def _apply(session: Session, options: PlanOptions = NO_OPTIONS) -> LedgerEntry:
    """A run applies dev/app at the commit that is checked out; the entry then."""
    stack = session.context.project.stacks["dev/app"]
    recorder = LedgerRecorder(session, "apply", RecorderOptions(), options)
    with recorder.claim(stack) as claim:
        recorder.applied(claim, "applied")
    entry = session.memory.ledgers.entry(stack)
    assert entry
    return entry


def test_an_older_commit_claims_nothing(make_repo: MakeRepo) -> None:
    repo, bucket = make_repo(FILES), MemoryStorage()
    older = repo.head
    repo.commit({"infra/envs/dev/app/main.tf": f"{CODE}# newer\n"})
    entry = _apply(_session(repo, bucket))
    repo.git("checkout", "-q", older)
    session = _session(repo, bucket)
    with pytest.raises(SupersededError, match="superseded by"):
        _apply(session)
    assert session.memory.ledgers.entry(session.context.project.stacks["dev/app"]) == entry
    # What destroys asks nothing of the commit: there is nothing newer to be lost.
    recorder = LedgerRecorder(session, "destroy", RecorderOptions(), PlanOptions(destroy=True))
    with recorder.claim(session.context.project.stacks["dev/app"]) as claim:
        assert claim.stage == "planned"


def test_a_part_of_a_stack_leaves_the_commit_that_is_applied_as_it_was(make_repo: MakeRepo) -> None:
    repo, bucket = make_repo(FILES), MemoryStorage()
    before = _apply(_session(repo, bucket))
    repo.commit({"infra/envs/dev/app/main.tf": f"{CODE}# newer\n"})
    partial = _apply(_session(repo, bucket), replace(NO_OPTIONS, targets=("terraform_data.x",)))
    assert (partial.commit, partial.fingerprint) == (before.commit, before.fingerprint)
    whole = _apply(_session(repo, bucket))
    assert whole.commit == repo.head != before.commit


@pytest.mark.parametrize("is_moved", [False, True])
def test_an_empty_plan_counts_only_while_what_it_read_is_as_it_was(
    make_repo: MakeRepo, is_moved: bool
) -> None:
    bucket = MemoryStorage()
    blob = bucket.write(UPSTREAM, json.dumps({"version": 4, "serial": 1, "lineage": "L"}).encode())
    if is_moved:
        bucket.write(UPSTREAM, json.dumps({"version": 4, "serial": 2, "lineage": "L"}).encode())
    session = _session(make_repo(FILES), bucket)
    recorder = LedgerRecorder(session, "apply", RecorderOptions(), NO_OPTIONS)
    reports = {"dev/app": StackReport("dev/app", "dev", "unchanged")}
    assert recorder.note_unchanged(reports, {"dev/app": {"dev/net": blob.generation}}) == []
    entry = session.memory.ledgers.entry(session.context.project.stacks["dev/app"])
    assert (entry is None) is is_moved

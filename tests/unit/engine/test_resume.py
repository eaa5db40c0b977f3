"""What `infra resume` leaves alone before it looks at anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from orchestrator.engine.inspection import inspect_nothing
from orchestrator.engine.ports import Consent
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.resume import resume, unfinished
from orchestrator.engine.rollout_options import ResumeChoices
from orchestrator.engine.session import Session
from orchestrator.errors import UsageError
from orchestrator.repository.loading import load
from orchestrator.state.records import Operation
from orchestrator.terraform.client import PlanOptions
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": CODE,
    "infra/envs/dev/app/main.tf": CODE,
}
# Nobody is asked before it is known that the run is dead.
NOBODY = cast(Consent, None)


def _session(make_repo: MakeRepo, *stacks: str, commit: str = "", host: str = "elsewhere/1") -> Session:
    """A session in which another run is applying some stacks; nothing but the ledger can be used."""
    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage())
    for id_ in stacks:
        ledger = session.memory.ledgers.of(session.context.project.stacks[id_])
        operation = Operation("R0", "apply", "planned", "bo", "elsewhere", commit or "c" * 40, host=host)
        begun = ledger.begin(id_, operation, None)
        assert begun.operation
        ledger.mark(begun, replace(begun.operation, phase="applying"))
    return session


def _recorder(session: Session) -> LedgerRecorder:
    return LedgerRecorder(session, "resume", RecorderOptions(), PlanOptions())


def test_a_run_that_is_heard_of_is_left_alone(make_repo: MakeRepo) -> None:
    session = _session(make_repo, "dev/net")
    report = resume(session, _recorder(session), unfinished(session, ()), NOBODY, inspect_nothing)
    (stack,) = report.stacks
    assert (stack.result, "is not interrupted" in stack.reason) == ("locked", True)


def test_what_somebody_chose_is_about_one_stack(make_repo: MakeRepo) -> None:
    session = _session(make_repo, "dev/net", "dev/app")
    stacks = unfinished(session, ())
    choices = ResumeChoices(forget=("google_pubsub_topic.a",))
    with pytest.raises(UsageError, match="are about one unfinished stack"):
        resume(session, _recorder(session), stacks, NOBODY, inspect_nothing, choices)

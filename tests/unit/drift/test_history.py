"""When an environment was last checked for drift, by the stacks of now."""

from __future__ import annotations

from typing import Any, cast

from orchestrator.drift.heartbeat import load_heartbeats
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.repository.loading import load
from orchestrator.state.drift_store import DriftRecord, Heartbeat
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage

ROOT = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": ROOT,
    "infra/envs/dev/new/main.tf": ROOT,
}
AT = "2026-03-10T03:00:00Z"


def test_a_stack_that_was_never_checked_makes_the_last_check_incomplete(make_repo: MakeRepo) -> None:
    """`doctor` must not call every stack checked where `drift --last` names one that never was."""
    project = load(make_repo(FILES).root)
    bucket = MemoryStorage()
    environ = {"HOME": str(project.root)}
    ledgers = Ledgers(project, States(project, environ, lambda name, _: cast(Any, bucket)), environ)
    log = ledgers.drift_log(project.stacks["dev/net"])
    log.beat(Heartbeat(at=AT, run="R", complete=AT, oldest="dev/net", stacks=1))
    log.save(DriftRecord("dev/net", result="clean", checked_at=AT))
    beat = load_heartbeats(project, ledgers, ["dev"])["dev"]
    assert beat
    assert (beat.complete, beat.stacks, beat.unchecked) == ("", 2, 1)
    log.save(DriftRecord("dev/new", result="clean", checked_at=AT))
    beat = load_heartbeats(project, ledgers, ["dev"])["dev"]
    assert beat
    assert (beat.complete, beat.stacks, beat.unchecked) == (AT, 2, 0)

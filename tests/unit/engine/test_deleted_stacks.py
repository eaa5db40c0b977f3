"""Which stacks of the ledger count as deleted from the code, and are to be destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.engine.deleted_stacks import pending_deletions
from orchestrator.repository.loading import load
from orchestrator.state.ledger import Ledger
from orchestrator.state.records import Operation
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CONFIG = "version: 1\nbackend:\n  gcs: {bucket: b}\n"
CODE = 'terraform {\n  backend "gcs" {}\n}\n'
SAME_STATE = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n    prefix = "dev/state/net"\n  }\n}\n'
APP, NET, LAN = (f"infra/envs/dev/{name}/main.tf" for name in ("app", "net", "lan"))
# What the ledger says of dev/net, what trunk has instead of it, and whether it is to be destroyed.
CASES: dict[str, tuple[Mapping[str, str], Mapping[str, str], bool]] = {
    "applied, then deleted": ({"result": "applied"}, {}, True),
    "applied in part only": ({"commit": ""}, {}, False),
    "destroyed already": ({"result": "destroyed"}, {}, False),
    "its last apply failed": ({"result": "failed"}, {}, True),
    "still in the code": ({"result": "applied"}, {NET: CODE}, False),
    "renamed": (
        {"result": "applied"},
        {LAN: CODE, "infra.yaml": CONFIG + "stacks:\n  dev/lan: {moved: dev/net}\n"},
        False,
    ),
    "its state belongs to another stack": ({"result": "applied"}, {LAN: SAME_STATE}, False),
    "its commit is not in this clone": ({"result": "applied", "commit": "e" * 40}, {}, False),
    "its commit never had it": ({"result": "applied", "commit": "without"}, {}, False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_stack_counts_as_deleted_only_if_its_resources_belong_to_nobody_else(
    make_repo: MakeRepo, name: str
) -> None:
    fields, files, is_deleted = CASES[name]
    repo = make_repo({"infra.yaml": CONFIG, APP: CODE, NET: CODE})
    applied = repo.head
    repo.remove(NET)
    repo.commit({}, "Without it")
    without = repo.head
    repo.commit(files, "What trunk has")
    session = session_in_memory(load(repo.root), bucket := MemoryStorage())
    ledger = session.memory.ledgers.of(session.context.project.stacks["dev/app"])
    begun = ledger.begin("dev/net", Operation("R0", "apply", "planned", "bo", "desk", applied), None)
    commit = fields.get("commit", applied)
    known = {**fields, "commit": without if commit == "without" else commit}
    ledger.finish(replace(begun, operation=None, **known))  # type: ignore[arg-type]
    assert Ledger(bucket, "dev").entry("dev/net")
    deletions = pending_deletions(session.memory, "dev")
    assert [(deleted.stack.id, deleted.commit) for deleted in deletions] == (
        [("dev/net", applied)] if is_deleted else []
    )

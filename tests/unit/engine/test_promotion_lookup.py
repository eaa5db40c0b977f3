"""Which earlier environment stops the promotion to one, with records in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.engine.promotion_lookup import PromotionLookup
from orchestrator.repository.loading import load
from orchestrator.state.promotion_store import CheckResult
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CONFIG = """version: 1
backend:
  gcs: {bucket: b}
environments:
  dev: {checks: [{name: smoke, command: ['true']}]}
  staging: {}
  prod: {}
"""
CODE = 'terraform {\n  backend "gcs" {}\n}\n'


@pytest.mark.parametrize("stacks", [("dev", "staging", "prod"), ("dev", "staging"), ("dev",)])
def test_an_environment_whose_stacks_were_all_deleted_waits_as_before(
    make_repo: MakeRepo, stacks: tuple[str, ...]
) -> None:
    """What is still to be destroyed there is not destroyed past checks that failed."""
    files = {f"infra/envs/{name}/net/main.tf": CODE for name in stacks}
    project = load(make_repo({"infra.yaml": CONFIG, **files}).root)
    ledgers = session_in_memory(project, MemoryStorage()).memory.ledgers
    store = ledgers.promotions("dev")
    assert store
    checks = {"smoke": CheckResult("failed", "", "R0")}
    store.update(project.commit or "", lambda record: replace(record, checks=checks))
    lookup = PromotionLookup(project, ledgers.promotions)
    for hold in (lookup.hold("prod"), lookup.known_failure("prod")):
        assert hold
        assert hold.environment == "dev"
    assert lookup.hold("dev") is None

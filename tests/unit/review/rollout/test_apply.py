"""What is said of an environment that could not be dealt with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from orchestrator.errors import PartialError
from orchestrator.repository.loading import load
from orchestrator.review.rollout.apply import _apply_environment
from orchestrator.review.rollout.environment_run import EnvironmentRun
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments: {prod: {apply: ci}}\n",
    "infra/envs/prod/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}


def test_the_advice_of_an_error_is_what_works_where_only_ci_applies(make_repo: MakeRepo) -> None:
    def apply() -> EnvironmentRun:
        raise PartialError("prod/net was interrupted.", advice="`infra resume prod/net`.")

    session = session_in_memory(load(make_repo(FILES).root), MemoryStorage())
    result = _apply_environment(
        cast(Any, SimpleNamespace(apply=apply, session=session, run=EnvironmentRun("prod")))
    )
    assert result.error == "prod/net was interrupted."
    assert result.notes[0].startswith("`/infra resume prod/net`")

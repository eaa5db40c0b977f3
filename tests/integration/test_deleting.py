"""Stacks that the code no longer has: which they are, and what their destruction would do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.ports import Silent
from orchestrator.engine.session import Session, open_session
from orchestrator.project import load
from orchestrator.project.affected import affected
from orchestrator.run.deleting import Deleted, owed_deletions, plan_deleted
from tests.conftest import MakeRepo
from tests.support.remembered import CONFIG, FILES, FOLLOWER, UPSTREAM, Remembered, serving

pytestmark = pytest.mark.usefixtures("terraform_argv")

APP, NET = "infra/envs/dev/app/main.tf", "infra/envs/dev/net/main.tf"


@pytest.fixture
def place(make_repo: MakeRepo, tmp_path: Path) -> Iterator[Remembered]:
    with serving(tmp_path / "gcs") as server:
        yield Remembered(make_repo(FILES), server)


def session_of(place: Remembered, child_env: dict[str, str]) -> Session:
    env = {**child_env, "STORAGE_EMULATOR_HOST": place.server.url, "INFRA_SANDBOX": "test"}
    return open_session(load(place.repo.root), env, Silent())


def test_what_is_owed_is_destroyed_with_the_code_that_made_it(
    place: Remembered, child_env: dict[str, str]
) -> None:
    place.apply()
    applied = place.repo.head
    place.repo.remove(APP, NET)
    place.repo.commit({}, "Without them")
    # infra.yaml alone leads to the ledger of an environment without stacks.
    emptied = owed_deletions(session_of(place, child_env).memory, "dev")
    place.repo.commit({"infra/envs/dev/other/main.tf": UPSTREAM}, "Another")
    session = session_of(place, child_env)
    owed = owed_deletions(session.memory, "dev")
    for deletions in (emptied, owed):
        assert [(each.stack.id, each.commit) for each in deletions] == [
            ("dev/app", applied),
            ("dev/net", applied),
        ]

    planned = plan_deleted(session, owed)
    assert {id_: one.report.counts["delete"] for id_, one in planned.items()} == {"dev/app": 1, "dev/net": 1}
    assert owed_deletions(session.memory, "prod") == ()


def test_another_id_is_no_deletion(place: Remembered) -> None:
    place.repo.branch("work")
    place.repo.remove(APP)
    place.repo.commit({"infra/envs/dev/web/main.tf": FOLLOWER}, "Renamed")
    project = load(place.repo.root)
    assert [one.id for one in affected(project).deleted] == ["dev/app"]
    place.repo.commit({"infra.yaml": CONFIG + "stacks:\n  dev/web: {moved: dev/app}\n"}, "And said so")
    found = affected(load(place.repo.root))
    assert found.deleted == ()
    assert {one.id: one.renamed_from for one in found.stacks}["dev/web"] == "dev/app"


def test_a_state_that_another_stack_has_now_is_not_destroyed(place: Remembered) -> None:
    place.repo.branch("work")
    place.repo.remove(APP)
    same = FOLLOWER.replace(
        'backend "gcs" {}', 'backend "gcs" {\n    bucket = "states"\n    prefix = "dev/state/app"\n  }'
    )
    place.repo.commit({"infra/envs/dev/web/main.tf": same}, "The same state under another id")
    project = load(place.repo.root)
    assert project.stacks["dev/web"].state == "gs://states/dev/state/app/default.tfstate"
    assert affected(project).deleted == ()


def test_a_stack_without_a_state_has_nothing_to_destroy(place: Remembered, child_env: dict[str, str]) -> None:
    before = load(place.repo.root)
    commit = place.repo.head
    place.repo.remove(APP)
    place.repo.commit({}, "Never applied")
    planned = plan_deleted(session_of(place, child_env), [Deleted(before.stacks["dev/app"], commit)])
    assert planned["dev/app"].report.result == "unchanged"

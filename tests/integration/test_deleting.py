"""Stacks that the code no longer has: which they are, and what their destruction would do."""

from __future__ import annotations

import pytest

from orchestrator.engine.deleted_stacks import DeletedStack, pending_deletions, plan_deleted
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.repository.affected import find_affected
from orchestrator.repository.loading import load
from tests.support.recorded_stack import CONFIG, FOLLOWER, UPSTREAM, Remembered

pytestmark = pytest.mark.usefixtures("terraform_argv")

APP, NET = "infra/envs/dev/app/main.tf", "infra/envs/dev/net/main.tf"


def session_of(place: Remembered, child_env: dict[str, str]) -> Session:
    env = {**child_env, "STORAGE_EMULATOR_HOST": place.server.url, "INFRA_SANDBOX": "test"}
    return open_session(load(place.repo.root), env, SilentProgress())


@pytest.mark.applied
def test_what_is_owed_is_destroyed_with_the_code_that_made_it(
    place: Remembered, child_env: dict[str, str]
) -> None:
    applied = place.repo.head
    place.repo.remove(APP, NET)
    place.repo.commit({}, "Without them")
    # infra.yaml alone leads to the ledger of an environment without stacks.
    emptied = pending_deletions(session_of(place, child_env).memory, "dev")
    place.repo.commit({"infra/envs/dev/other/main.tf": UPSTREAM}, "Another")
    session = session_of(place, child_env)
    owed = pending_deletions(session.memory, "dev")
    for deletions in (emptied, owed):
        assert [(each.stack.id, each.commit) for each in deletions] == [
            ("dev/app", applied),
            ("dev/net", applied),
        ]

    planned = plan_deleted(session, owed)
    assert {id_: plan.report.counts["delete"] for id_, plan in planned.items()} == {
        "dev/app": 1,
        "dev/net": 1,
    }
    assert pending_deletions(session.memory, "prod") == ()


def test_another_id_is_no_deletion(place: Remembered) -> None:
    place.repo.branch("work")
    place.repo.remove(APP)
    place.repo.commit({"infra/envs/dev/web/main.tf": FOLLOWER}, "Renamed")
    project = load(place.repo.root)
    assert [stack.id for stack in find_affected(project).deleted] == ["dev/app"]
    place.repo.commit({"infra.yaml": CONFIG + "stacks:\n  dev/web: {moved: dev/app}\n"}, "And said so")
    found = find_affected(load(place.repo.root))
    assert found.deleted == ()
    assert {stack.id: stack.renamed_from for stack in found.stacks}["dev/web"] == "dev/app"


def test_a_state_that_another_stack_has_now_is_not_destroyed(place: Remembered) -> None:
    place.repo.branch("work")
    place.repo.remove(APP)
    same = FOLLOWER.replace(
        'backend "gcs" {}', 'backend "gcs" {\n    bucket = "states"\n    prefix = "dev/state/app"\n  }'
    )
    place.repo.commit({"infra/envs/dev/web/main.tf": same}, "The same state under another id")
    project = load(place.repo.root)
    assert project.stacks["dev/web"].state == "gs://states/dev/state/app/default.tfstate"
    assert find_affected(project).deleted == ()


def test_a_stack_without_a_state_has_nothing_to_destroy(place: Remembered, child_env: dict[str, str]) -> None:
    before = load(place.repo.root)
    commit = place.repo.head
    place.repo.remove(APP)
    place.repo.commit({}, "Never applied")
    planned = plan_deleted(session_of(place, child_env), [DeletedStack(before.stacks["dev/app"], commit)])
    assert planned["dev/app"].report.result == "unchanged"

"""Stacks that the code no longer has: which they are, and what their destruction would do."""

from __future__ import annotations

import pytest

from orchestrator.engine.deleted_stacks import DeletedStack, pending_deletions, plan_deleted
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.repository.affected import find_affected
from orchestrator.repository.loading import load
from tests.support.recorded_stack import CONFIG, DEPENDENT, UPSTREAM, RecordedProject

pytestmark = pytest.mark.usefixtures("terraform_argv")

APP, NET = "infra/envs/dev/app/main.tf", "infra/envs/dev/net/main.tf"


def session_of(recorded: RecordedProject, child_env: dict[str, str]) -> Session:
    env = {**child_env, "STORAGE_EMULATOR_HOST": recorded.server.url, "INFRA_SANDBOX": "test"}
    return open_session(load(recorded.repo.root), env, SilentProgress())


@pytest.mark.applied
def test_what_is_pending_is_destroyed_with_the_code_that_made_it(
    recorded: RecordedProject, child_env: dict[str, str]
) -> None:
    applied = recorded.repo.head
    recorded.repo.remove(APP, NET)
    recorded.repo.commit({}, "Without them")
    # infra.yaml alone leads to the ledger of an environment without stacks.
    emptied = pending_deletions(session_of(recorded, child_env).memory, "dev")
    recorded.repo.commit({"infra/envs/dev/other/main.tf": UPSTREAM}, "Another")
    session = session_of(recorded, child_env)
    pending = pending_deletions(session.memory, "dev")
    for deletions in (emptied, pending):
        assert [(each.stack.id, each.commit) for each in deletions] == [
            ("dev/app", applied),
            ("dev/net", applied),
        ]

    planned = plan_deleted(session, pending)
    assert {id_: plan.report.counts["delete"] for id_, plan in planned.items()} == {
        "dev/app": 1,
        "dev/net": 1,
    }
    assert pending_deletions(session.memory, "prod") == ()


def test_another_id_is_no_deletion(recorded: RecordedProject) -> None:
    recorded.repo.branch("work")
    recorded.repo.remove(APP)
    recorded.repo.commit({"infra/envs/dev/web/main.tf": DEPENDENT}, "Renamed")
    project = load(recorded.repo.root)
    assert [stack.id for stack in find_affected(project).deleted] == ["dev/app"]
    recorded.repo.commit({"infra.yaml": CONFIG + "stacks:\n  dev/web: {moved: dev/app}\n"}, "And said so")
    affected = find_affected(load(recorded.repo.root))
    assert affected.deleted == ()
    assert {stack.id: stack.renamed_from for stack in affected.stacks}["dev/web"] == "dev/app"


def test_a_state_that_another_stack_has_now_is_not_destroyed(recorded: RecordedProject) -> None:
    recorded.repo.branch("work")
    recorded.repo.remove(APP)
    same = DEPENDENT.replace(
        'backend "gcs" {}', 'backend "gcs" {\n    bucket = "states"\n    prefix = "dev/state/app"\n  }'
    )
    recorded.repo.commit({"infra/envs/dev/web/main.tf": same}, "The same state under another id")
    project = load(recorded.repo.root)
    assert project.stacks["dev/web"].state == "gs://states/dev/state/app/default.tfstate"
    assert find_affected(project).deleted == ()


def test_a_stack_without_a_state_has_nothing_to_destroy(
    recorded: RecordedProject, child_env: dict[str, str]
) -> None:
    before = load(recorded.repo.root)
    commit = recorded.repo.head
    recorded.repo.remove(APP)
    recorded.repo.commit({}, "Never applied")
    planned = plan_deleted(session_of(recorded, child_env), [DeletedStack(before.stacks["dev/app"], commit)])
    assert planned["dev/app"].report.result == "unchanged"

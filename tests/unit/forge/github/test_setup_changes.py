"""Which settings of a repository are changed, and which are left as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.forge.github.setup_changes import (
    ADMINISTRATION,
    VARIABLES,
    EnvironmentRecord,
    Reviewer,
    SetupState,
    SetupTarget,
    plan_setup,
)
from orchestrator.forge.settings import Protection, WorkflowRights
from orchestrator.forge.setup import SettingsRequest

OLGA = Reviewer("User", 7, "olga")
TARGET = SetupTarget("main", ("dev", "prod"), ("prod",), (OLGA,), "projects/1/provider")
PROTECTED = Protection(
    is_protected=True,
    checks=frozenset({"infra/dev", "infra/prod", "lint"}),
    reviews=2,
    dismisses_stale=True,
    wants_code_owners=True,
    forbids_force_pushes=True,
    forbids_deletion=True,
)
DONE = SetupState(
    {
        "dev": EnvironmentRecord("dev", has_policies=True, policies=((1, "main"),)),
        "prod": EnvironmentRecord("prod", has_policies=True, policies=((2, "main"),)),
        "prod-approval": EnvironmentRecord("prod-approval", reviewers=(OLGA,)),
    },
    PROTECTED,
    WorkflowRights("read", False),
    "projects/1/provider",
)
EMPTY = SetupState({}, Protection(), WorkflowRights("write", True))


def texts(state: SetupState, target: SetupTarget = TARGET) -> list[str]:
    return [change.text for change in plan_setup(target, state).changes]


def with_environment(name: str, **fields: Any) -> SetupState:
    return replace(DONE, environments={**DONE.environments, name: EnvironmentRecord(name, **fields)})


def requests(state: SetupState, target: SetupTarget = TARGET) -> list[SettingsRequest]:
    return [request for change in plan_setup(target, state).changes for request in change.requests]


def test_nothing_is_changed_where_all_is_set() -> None:
    assert texts(DONE) == []
    assert plan_setup(TARGET, DONE).notes == ()


def test_an_empty_repository_gets_everything_in_order() -> None:
    assert texts(EMPTY) == [
        "environment prod-approval: olga may approve",
        "ruleset infra: a merge into main takes a review (of code owners, stale ones dismissed) and the "
        "checks infra/dev, infra/prod; no force push, no deletion",
        "environment dev: only main may deploy to it",
        "environment prod: only main may deploy to it",
        "Actions: a workflow may only read when its file says nothing",
        "variable INFRA_WORKLOAD_IDENTITY_PROVIDER: projects/1/provider",
    ]
    changes = plan_setup(TARGET, EMPTY).changes
    assert [change.needs for change in changes] == [*[ADMINISTRATION] * 5, VARIABLES]


def test_what_an_environment_has_besides_stays() -> None:
    state = with_environment("dev", reviewers=(OLGA,), wait_minutes=5, prevents_self_review=True)
    put, post = requests(state)
    assert put.body == {
        "wait_timer": 5,
        "prevent_self_review": True,
        "reviewers": [{"type": "User", "id": 7}],
        "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
    }
    assert (post.method, post.body) == ("POST", {"name": "main", "type": "branch"})
    gate = with_environment("prod-approval", protected_branches=True)
    (put,) = requests(gate)
    assert put.body is not None
    assert put.body["deployment_branch_policy"] == {
        "protected_branches": True,
        "custom_branch_policies": False,
    }


def test_trunk_is_admitted_before_others_are_excluded() -> None:
    state = with_environment("dev", has_policies=True, policies=((1, "*"), (2, "release")))
    assert [(request.method, request.path) for request in requests(state)] == [
        ("POST", "/environments/dev/deployment-branch-policies"),
        ("DELETE", "/environments/dev/deployment-branch-policies/1"),
        ("DELETE", "/environments/dev/deployment-branch-policies/2"),
    ]
    assert texts(state) == ["environment dev: only main may deploy to it, and no longer *, release"]


@pytest.mark.parametrize(
    "weaker",
    [
        {"reviews": 0},
        {"dismisses_stale": False},
        {"wants_code_owners": False},
        {"forbids_force_pushes": False},
        {"forbids_deletion": False},
        {"checks": frozenset({"infra/dev"})},
    ],
)
def test_each_part_of_the_protection_counts(weaker: dict[str, Any]) -> None:
    state = replace(DONE, protection=replace(PROTECTED, **weaker))
    (request,) = requests(state)
    assert (request.method, request.path) == ("POST", "/rulesets")
    (request,) = requests(replace(state, ruleset=9))
    assert (request.method, request.path) == ("PUT", "/rulesets/9")
    assert request.body is not None
    assert request.body["bypass_actors"] == []


def test_trunk_is_protected_once_its_workflows_are_there() -> None:
    plan = plan_setup(TARGET, replace(EMPTY, has_workflows=False))
    assert not any("ruleset" in change.text for change in plan.changes)
    assert "push them, then run `infra doctor --github --fix`" in plan.notes[0]


def test_what_only_people_know_is_named() -> None:
    plan = plan_setup(replace(TARGET, reviewers=(), provider=""), replace(DONE, environments={}, provider=""))
    assert any("prod-approval has no reviewers" in note for note in plan.notes)
    assert any("`infra bootstrap --github` sets it" in note for note in plan.notes)
    assert not any("variable" in change.text for change in plan.changes)
    known = plan_setup(replace(TARGET, provider=""), DONE)
    assert (known.changes, known.notes) == ((), ())


def test_a_variable_with_another_value_is_changed() -> None:
    (request,) = requests(replace(DONE, provider="projects/9/other"))
    assert (request.method, request.path) == ("PATCH", "/actions/variables/INFRA_WORKLOAD_IDENTITY_PROVIDER")

"""Rollouts of two merges side by side: a gate that waits holds nobody back, and a late yes does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.ci import CiProject, running
from tests.support.merging import merged, state_of, status_text, value
from tests.support.recorded_stack import CONFIG, UPSTREAM
from tests.support.rollouts import Rollout

pytestmark = pytest.mark.usefixtures("terraform_argv")

ENVIRONMENTS = ("dev", "prod")
NET = {name: f"infra/envs/{name}/net/main.tf" for name in ENVIRONMENTS}
APP = "infra/envs/prod/app/main.tf"


@pytest.fixture
def ci(steady_path: Path, request: pytest.FixtureRequest) -> Iterator[CiProject]:
    names: tuple[str, ...] = getattr(request, "param", ENVIRONMENTS)
    files = {"infra.yaml": CONFIG, APP: UPSTREAM, **{NET[name]: UPSTREAM for name in names}}
    with running(steady_path, files=files) as project:
        project.recorded.apply()
        yield project


def rollout(ci: CiProject, *environments: str) -> Rollout:
    """A run of infra-apply for trunk as it is now, played until it waits or is done."""
    source = WorkflowTarget(ci.github.repository, "main", environments)
    new_rollout = Rollout(ci, source)
    new_rollout.advance()
    return new_rollout


def test_a_gate_that_nobody_answers_holds_nobody_else_back(ci: CiProject) -> None:
    """The second merge reaches dev while prod's gate of the first waits, then prod; then the late yes to the
    first finds everything done."""
    first = merged(ci, {**dict.fromkeys(NET.values(), value("two")), APP: value("two")}, "one", review=False)
    older = rollout(ci, *ENVIRONMENTS)
    assert older.waiting() == ["gate-prod"]
    assert "prod waits for an approval of 2 stacks" in status_text(ci, first, "prod")

    second = merged(ci, dict.fromkeys(NET.values(), value("three")), "two", review=False)
    newer = rollout(ci, *ENVIRONMENTS)
    assert newer.outcomes["apply-dev"] == "success"
    assert [state_of(ci, f"{name}/net") for name in ENVIRONMENTS] == ["three", "one"]
    assert (older.waiting(), newer.waiting()) == (["gate-prod"], ["gate-prod"])

    newer.approve("prod", "bert")
    newer.advance()
    assert newer.outcomes["apply-prod"] == "success"
    assert (state_of(ci, "prod/net"), state_of(ci, "prod/app")) == ("three", "two")
    assert "✓ prod is done" in status_text(ci, first, "prod")
    assert "✓ prod is done" in status_text(ci, second, "prod")

    older.approve("prod", "olga")
    older.advance()
    late = older.ran["apply-prod"]
    assert late.code == 0, late.out + late.err
    for stack in ("prod/net", "prod/app"):
        assert re.search(rf"^{stack} +skipped\b.*superseded|^{stack}.*\n.*superseded", late.out, re.MULTILINE)
    assert "2 stacks: 2 skipped" in late.out
    assert (state_of(ci, "prod/net"), state_of(ci, "prod/app")) == ("three", "two")
    assert "✓ prod is done" in status_text(ci, first, "prod"), "what is true stays"


@pytest.mark.parametrize("ci", [("prod",)], indirect=True)
def test_a_late_yes_applies_what_still_holds_and_names_the_rest(ci: CiProject) -> None:
    """The newer merge changes one of two stacks: the older run applies the other one alone."""
    first = merged(ci, {NET["prod"]: value("two"), APP: value("two")}, "one", review=False)
    older = rollout(ci, "prod")
    merged(ci, {NET["prod"]: value("three")}, "two", review=False)
    newer = rollout(ci, "prod")
    assert (older.waiting(), newer.waiting()) == (["gate-prod"], ["gate-prod"])
    trunk = ci.github.trunk[:10]

    older.approve("prod", "bert")
    older.advance()
    assert older.ran["apply-prod"].code == 1
    assert (state_of(ci, "prod/net"), state_of(ci, "prod/app")) == ("one", "two")
    body = status_text(ci, first, "prod")
    assert "1 stack superseded by a newer change; 1 stack applied" in body
    assert re.search(f"superseded by `?{trunk}", body)

    newer.approve("prod", "olga")
    newer.advance()
    ended = newer.ran["apply-prod"]
    assert ended.code == 0, ended.out + ended.err
    assert (state_of(ci, "prod/net"), state_of(ci, "prod/app")) == ("three", "two")
    assert "✓ prod is done" in status_text(ci, first, "prod")


@pytest.mark.parametrize("ci", [("prod",)], indirect=True)
def test_nobody_approves_a_gate_for_an_own_change(ci: CiProject) -> None:
    """Ada's change, approved in the gate by ada; then bert approves it."""
    ci.github.environment("prod-approval", reviewers=["ada", "bert"])
    merged(ci, {NET["prod"]: value("two")}, review=False)
    run = rollout(ci, "prod")
    run.approve("prod", "ada")
    run.advance()
    assert run.ran["apply-prod"].code == 4
    assert "No approval of prod-approval counts: ada is an author of #1" in run.ran["apply-prod"].err
    assert state_of(ci, "prod/net") == "one"

    run = rollout(ci, "prod")
    run.approve("prod", "bert")
    run.advance()
    assert run.ran["apply-prod"].code == 0
    assert state_of(ci, "prod/net") == "two"


@pytest.mark.parametrize("ci", [("prod",)], indirect=True)
def test_without_reviewers_there_is_no_gate(ci: CiProject) -> None:
    """The environment has none: refused, and said how to go on."""
    number = merged(ci, {NET["prod"]: value("two")}, review=False)
    ci.github.environment("prod-approval")
    run = rollout(ci, "prod")
    assert run.outputs["plan-prod"]["gate"] == "false"
    assert run.outcomes["gate-prod"] == "skipped"
    assert run.ran["apply-prod"].code == 4
    body = status_text(ci, number, "prod")
    assert "the environment prod-approval has no required reviewers" in body
    assert "Give the environment `prod-approval` required reviewers" in body
    assert "`unapproved: apply`" in body
    assert "`infra ci approve prod`" in body
    assert state_of(ci, "prod/net") == "one"

"""What approves a plan where no forge can be asked: the manifest, or the merge into a protected trunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.plan.digest import Digest
from orchestrator.review.approvals import Verdict
from orchestrator.review.trunk_approvals import TrunkApprovals
from tests.support.approving import APP, FILES, ApprovingInMemory
from tests.unit.plan.test_digest_comparison import plan, update

PATH = "infra/envs/prod/app/main.tf"


def config(approved_by: str, *, protected: bool = True, promise: bool = True) -> str:
    return (
        f"version: 1\nci: {{system: gitlab, trunk_protected: {str(promise).lower()}}}\n"
        f"environments: {{prod: {{protected: {str(protected).lower()}"
        + (f", approved_by: {approved_by}" if approved_by else "")
        + "}}\n"
    )


def to(value: str) -> Digest:
    return plan(update("terraform_data.plain", input=("one", value)), stack="prod/app")


MakeTrunk = Callable[..., ApprovingInMemory]


@pytest.fixture
def make_trunk(tmp_path: Path) -> MakeTrunk:
    """A project in GitLab; prod/app was applied at its first commit."""
    return lambda text: ApprovingInMemory(tmp_path, {**FILES, "infra.yaml": text})


def push(trunk: ApprovingInMemory, value: str, settings: str = "") -> None:
    """A commit on trunk that gives prod/app another value, with other settings."""
    trunk.update()
    files = {PATH: APP.replace('"one"', f'"{value}"', 1)}
    trunk.job.commit({**files, **({"infra.yaml": settings} if settings else {})}, f"Make it {value}")


def compare_plan(
    trunk: ApprovingInMemory, now: Digest, approved: Digest | None = None, *, has_manifest: bool = False
) -> Verdict:
    trunk.update()
    approvals = TrunkApprovals(trunk.session)
    stack = trunk.session.context.project.stacks["prod/app"]
    manifest = has_manifest or approved is not None
    return approvals.compare(stack, now, trunk.entry(), approved, has_manifest=manifest)


def test_a_merge_into_a_protected_trunk_approves(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("merge"))
    push(trunk, "two")
    assert compare_plan(trunk, to("two")).kind == "apply"


def test_a_merge_approves_nothing_without_the_promise(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("merge", promise=False))
    push(trunk, "two")
    verdict = compare_plan(trunk, to("two"))
    assert (verdict.kind, verdict.may_apply) == ("refuse", False)
    assert "ci.trunk_protected" in verdict.reason


def test_a_manifest_approves_exactly_its_plan(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("manifest"))
    push(trunk, "two")
    assert compare_plan(trunk, to("two")).kind == "refuse"
    assert compare_plan(trunk, to("two"), to("two")).kind == "approved"
    verdict = compare_plan(trunk, to("three"), to("two"))
    assert verdict.kind == "mismatch"
    assert [difference.path for difference in verdict.differences] == ["input"]


def test_a_stack_that_the_manifest_does_not_name_is_refused(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("manifest"))
    push(trunk, "two")
    verdict = compare_plan(trunk, to("two"), has_manifest=True)
    assert verdict.kind == "mismatch"
    assert "has no plan of prod/app" in verdict.reason


def test_the_plan_of_another_stack_approves_nothing(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("manifest"))
    push(trunk, "two")
    other = plan(update("terraform_data.plain", input=("one", "two")), stack="prod/net")
    assert compare_plan(trunk, to("two"), other).kind == "mismatch"


@pytest.mark.parametrize("before", ["manifest", "review", "codeowners", ""])
def test_a_change_does_not_approve_itself_by_other_rules(make_trunk: MakeTrunk, before: str) -> None:
    """Rules are those of trunk just before the change; what it sets holds from the next change on."""
    trunk = make_trunk(config(before))
    push(trunk, "two", config("merge"))
    assert compare_plan(trunk, to("two")).kind == "refuse"
    assert compare_plan(trunk, to("two"), to("two")).kind == "approved"
    trunk.applied = trunk.job.head
    push(trunk, "three")
    assert compare_plan(trunk, to("three")).kind == "apply"


def test_the_promise_counts_from_the_next_change_on(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("merge", promise=False))
    push(trunk, "two", config("merge"))
    assert compare_plan(trunk, to("two")).kind == "refuse"


def test_rules_that_are_stricter_now_do_not_bind_what_was_merged_before(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("merge"))
    push(trunk, "two", config("manifest"))
    assert compare_plan(trunk, to("two")).kind == "apply"
    push(trunk, "three")
    assert compare_plan(trunk, to("three")).kind == "refuse"


def test_an_environment_without_protection_needs_no_approval(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("", protected=False))
    push(trunk, "two")
    assert compare_plan(trunk, to("two")).kind == "apply"
    assert compare_plan(trunk, to("three"), to("two")).kind == "mismatch", (
        "a manifest that is there is compared with"
    )


def test_each_pending_change_has_its_rules(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(config("merge"))
    push(trunk, "two", config("manifest"))
    push(trunk, "three", config("merge"))
    trunk.update()
    approvals = TrunkApprovals(trunk.session)
    stack = trunk.session.context.project.stacks["prod/app"]
    rules = [
        project.config.environment("prod").approved_by for project in approvals.projects(stack, trunk.entry())
    ]
    assert rules == ["merge", "manifest"]
    assert approvals.pull_requests(stack, trunk.entry()) == ()


@pytest.mark.parametrize(("by", "kind"), [("merge", "apply"), ("manifest", "refuse")])
def test_trunks_first_commit_has_its_own_rules(make_trunk: MakeTrunk, by: str, kind: str) -> None:
    trunk = make_trunk(config(by))
    approvals = TrunkApprovals(trunk.session)
    stack = trunk.session.context.project.stacks["prod/app"]
    assert approvals.compare(stack, to("one"), None).kind == kind


def test_in_a_shallow_clone_no_commit_is_the_first(make_trunk: MakeTrunk) -> None:
    """Its oldest commit looks like one, and would approve itself."""
    trunk = make_trunk(config("manifest"))
    push(trunk, "two", config("merge"))
    (trunk.job.root / ".git/shallow").write_text(f"{trunk.job.head}\n")
    trunk.update()
    stack = trunk.session.context.project.stacks["prod/app"]
    verdict = TrunkApprovals(trunk.session).compare(stack, to("two"), None)
    assert verdict.kind == "refuse"
    assert "trunk before it cannot be read" in verdict.reason

"""What doctor says about a repository's settings: fine, wrong, or not to be seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.forge.github.doctor.settings import check_settings
from orchestrator.forge.settings import (
    ForgeEnvironment,
    ForgeSettings,
    Forks,
    Protection,
    Unreadable,
    WorkflowRights,
)
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from tests.conftest import MakeRepo
from tests.support.repo import Repo

EMPTY = 'output "x" {\n  value = 1\n}\n'
HIDDEN = "GitHub does not allow it"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    files = {
        "infra.yaml": "version: 1\n",
        "infra/envs/dev/a/main.tf": EMPTY,
        "infra/envs/prod/a/main.tf": EMPTY,
    }
    root: Path = tmp_path_factory.mktemp("project") / "repo"
    return load(Repo(root, files).root)


PROTECTED = Protection(
    is_protected=True,
    checks=frozenset({"infra/dev", "infra/prod", "test"}),
    reviews=1,
    dismisses_stale=True,
    wants_code_owners=True,
    wants_last_push_approved=True,
    forbids_force_pushes=True,
    forbids_deletion=True,
)
ENVIRONMENTS = {
    "dev": ForgeEnvironment("dev", branches=("main",)),
    "prod": ForgeEnvironment("prod", branches=("main",)),
    "prod-approval": ForgeEnvironment("prod-approval", reviewers=2),
}
GOOD = ForgeSettings(
    repository="acme/infra",
    default_branch="main",
    is_private=True,
    protection=PROTECTED,
    hidden_protection="",
    environments=ENVIRONMENTS,
    workflow_rights=WorkflowRights("read", may_approve=False),
    forks=Forks(),
    codeowners_mistakes=(),
)


def problems_of(project: Project, settings: ForgeSettings) -> list[tuple[str, str]]:
    """Severity and name of what is not fine; each has a reason and a way out."""
    checks = [setting for setting in check_settings(project, settings, "main") if setting.status != "ok"]
    assert all(check.advice and (check.why or check.status == "unseen") for check in checks)
    return [(check.status, check.name) for check in checks]


def test_all_is_well(project: Project) -> None:
    assert problems_of(project, GOOD) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"default_branch": "master"}, [("error", "default branch")]),
        ({"protection": Protection()}, [("error", "protection")]),
        ({"protection": replace(PROTECTED, reviews=0)}, [("error", "reviews")]),
        ({"protection": replace(PROTECTED, dismisses_stale=False)}, [("warning", "stale reviews")]),
        ({"protection": replace(PROTECTED, wants_code_owners=False)}, [("warning", "code owners")]),
        ({"protection": replace(PROTECTED, forbids_force_pushes=False)}, [("warning", "history")]),
        ({"protection": replace(PROTECTED, forbids_deletion=False)}, [("warning", "history")]),
        (
            {"protection": replace(PROTECTED, checks=frozenset({"infra/dev"}))},
            [("error", "required checks")],
        ),
        ({"workflow_rights": WorkflowRights("write", may_approve=False)}, [("error", "workflow rights")]),
        ({"workflow_rights": WorkflowRights("read", may_approve=True)}, [("warning", "workflow rights")]),
        ({"forks": Forks(gets_secrets=True)}, [("error", "forks")]),
        ({"forks": Forks(gets_write_tokens=True)}, [("error", "forks")]),
        ({"forks": Forks(approval="first_time_contributors_new_to_github")}, [("warning", "forks")]),
        ({"forks": Forks(approval="all_external_contributors")}, []),
        ({"codeowners_mistakes": ("CODEOWNERS:1: Unknown owner",)}, [("error", "CODEOWNERS")]),
    ],
)
def test_each_setting(project: Project, changed: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert problems_of(project, replace(GOOD, **changed)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("prod", None, [("error", "environment prod")]),
        ("prod", ForgeEnvironment("prod"), [("error", "environment prod")]),
        ("prod", ForgeEnvironment("prod", protected_branches=True), [("warning", "environment prod")]),
        ("prod", ForgeEnvironment("prod", branches=()), [("error", "environment prod")]),
        ("prod", ForgeEnvironment("prod", branches=("main", "x")), [("error", "environment prod")]),
        ("prod", ForgeEnvironment("prod", branches=("release/*",)), [("error", "environment prod")]),
        ("prod", ForgeEnvironment("prod", branches=Unreadable(HIDDEN)), [("unseen", "environment prod")]),
        (
            "prod",
            ForgeEnvironment("prod", branches=("main",), reviewers=1),
            [("warning", "environment prod")],
        ),
        ("prod-approval", None, [("error", "environment prod-approval")]),
        ("prod-approval", ForgeEnvironment("x"), [("error", "environment prod-approval")]),
        # dev is not protected: nothing waits at a gate of its own.
        ("dev-approval", None, []),
    ],
)
def test_each_environment(
    project: Project, name: str, environment: ForgeEnvironment | None, expected: list[tuple[str, str]]
) -> None:
    environments = {key: value for key, value in ENVIRONMENTS.items() if key != name}
    result = environments | ({name: environment} if environment else {})
    assert problems_of(project, replace(GOOD, environments=result)) == expected


def test_reviewers_of_private_repositories_take_enterprise(project: Project) -> None:
    environments = {key: value for key, value in ENVIRONMENTS.items() if key != "prod-approval"}
    for private in (True, False):
        result = replace(GOOD, environments=environments, is_private=private)
        (check,) = [
            setting for setting in check_settings(project, result, "main") if setting.status == "error"
        ]
        assert ("Enterprise" in check.advice) is private


def test_what_cannot_be_seen_is_never_fine(project: Project) -> None:
    hidden = Unreadable(HIDDEN)
    result = replace(
        GOOD, environments=hidden, workflow_rights=hidden, forks=hidden, codeowners_mistakes=hidden
    )
    names = ("environments", "workflow rights", "forks", "CODEOWNERS")
    assert problems_of(project, result) == [("unseen", name) for name in names]
    assert all(
        HIDDEN in setting.message
        for setting in check_settings(project, result, "main")
        if setting.status == "unseen"
    )


def test_what_may_be_there_but_hidden_is_not_called_missing(project: Project) -> None:
    nothing = replace(GOOD, protection=Protection(), hidden_protection=HIDDEN)
    assert problems_of(project, nothing) == [("unseen", "protection")]
    part = replace(
        GOOD, protection=Protection(is_protected=True, checks=PROTECTED.checks), hidden_protection=HIDDEN
    )
    names = ("reviews", "stale reviews", "code owners", "history")
    assert problems_of(project, part) == [("unseen", name) for name in names]
    checks = replace(GOOD, protection=replace(PROTECTED, checks=frozenset()), hidden_protection=HIDDEN)
    assert problems_of(project, checks) == [("unseen", "required checks")]
    # What is seen to be right is right, whatever else is hidden.
    assert problems_of(project, replace(GOOD, hidden_protection=HIDDEN)) == []


def test_an_environment_that_needs_an_approval_needs_a_gate_too(make_repo: MakeRepo) -> None:
    files = {
        "infra.yaml": "environments: {dev: {approved_by: review}, prod: {}}\n",
        "infra/envs/dev/a/main.tf": EMPTY,
        "infra/envs/prod/a/main.tf": EMPTY,
    }
    project = load(make_repo(files).root)

    assert problems_of(project, GOOD) == [("error", "environment dev-approval")]

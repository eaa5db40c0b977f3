"""`infra doctor --github` against the sandbox's GitHub server, for an administrator and for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.forge.github import open_github
from orchestrator.forge.github.workflows import render
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.forge.settings import Unreadable
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.cli import Infra
from tests.support.github import ServedGitHub
from tests.support.repo import Repo
from tests.support.workflows import SOURCE

EMPTY = 'output "x" {\n  value = 1\n}\n'
PROTECTION = {
    "required_status_checks": {"strict": True, "contexts": ["infra/dev", "infra/prod"]},
    "required_pull_request_reviews": {
        "required_approving_review_count": 1,
        "dismiss_stale_reviews": True,
        "require_code_owner_reviews": True,
    },
}


@pytest.fixture
def github(tmp_path: Path) -> Iterator[ServedGitHub]:
    files = {
        "infra.yaml": "version: 1\ntrunk: main\n",
        "infra/envs/dev/a/main.tf": EMPTY,
        "infra/envs/prod/a/main.tf": EMPTY,
        ".github/CODEOWNERS": "* @acme/platform\n",
    }
    repo = Repo(tmp_path / "repo")
    repo.commit(files)
    # Not by `write`, which dedents: the files are to be as `infra init` writes them.
    for name, text in render(WorkflowTarget("acme/infra", "main", ("dev", "prod")), SOURCE).items():
        path = repo.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    repo.commit()
    with ServedGitHub(tmp_path, repo=repo, private=False) as server:
        yield server


def protect(github: ServedGitHub) -> None:
    """Set everything as doctor wants it."""
    github.protect("main", **PROTECTION)
    for name in ("dev", "prod"):
        github.environment(name, branches=["main"])
    github.environment("prod-approval", reviewers=["olga"])


def doctor(github: ServedGitHub, token: str) -> dict[str, list[dict[str, Any]]]:
    """The checks of doctor by name; those of this machine are not looked at here."""
    ran = Infra(github.work.root, github.environ(token, "schedule"))("doctor", "--github", "--json")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for check in ran.document["checks"]:
        if "why" in check:
            by_name.setdefault(check["name"], []).append(check)
    return by_name


def bad(by_name: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What is not fine."""
    return {
        name: check["status"] for name, each in by_name.items() for check in each if check["status"] != "ok"
    }


def test_a_repository_that_is_set_up(github: ServedGitHub) -> None:
    protect(github)
    by_name = doctor(github, github.token("olga"))
    assert {name for name, each in by_name.items() if each[0]["status"] == "ok"} >= {
        "default branch",
        "protection",
        "required checks",
        "environment dev",
        "environment prod",
        "environment prod-approval",
        "workflow rights",
        "forks",
        "workflows",
    }
    assert set(bad(by_name).values()) <= {"unseen"}


def test_a_repository_that_is_not(github: ServedGitHub) -> None:
    github.environment("dev")
    statuses = bad(doctor(github, github.token("olga")))
    assert statuses["protection"] == "error"
    assert statuses["environment dev"] == "error"
    assert statuses["environment prod"] == "error"
    assert statuses["environment prod-approval"] == "error"


def test_a_token_of_a_workflow_sees_less_and_doctor_reports_it(github: ServedGitHub) -> None:
    protect(github)
    token = github.token(contents="read", actions="read")
    by_name = doctor(github, token)
    # Everybody sees which checks are required; who must approve is for administrators.
    assert by_name["required checks"][0]["status"] == "ok"
    names = ("reviews", "stale reviews", "code owners", "history", "workflow rights", "forks")
    assert {name: by_name[name][0]["status"] for name in names} == dict.fromkeys(names, "unseen")
    assert "could not be seen, because: Cannot look at" in by_name["forks"][0]["message"]
    assert by_name["environment prod"][0]["status"] == "ok"
    blind = doctor(github, github.token(contents="read"))
    assert blind["environments"][0]["status"] == "unseen"


def test_rulesets_count_as_protection_and_everybody_sees_them(github: ServedGitHub) -> None:
    rules = [
        {
            "type": "pull_request",
            "parameters": {
                "required_approving_review_count": 2,
                "dismiss_stale_reviews_on_push": True,
                "require_code_owner_review": True,
                "require_last_push_approval": False,
                "required_review_thread_resolution": False,
            },
        },
        {
            "type": "required_status_checks",
            "parameters": {
                "required_status_checks": [{"context": "infra/dev"}, {"context": "infra/prod"}],
                "strict_required_status_checks_policy": False,
            },
        },
        {"type": "non_fast_forward"},
        {"type": "deletion"},
    ]
    with github.locked_repository as repository_data:
        repository_data.repository.rulesets.append({"id": 1, "name": "trunk", "rules": rules})
    environ = {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_REPOSITORY": github.repository,
        "GITHUB_TOKEN": github.token(contents="read"),
    }
    with open_github(environ, RetryPolicy(total=0)) as host:
        settings = host.settings("main")
    protection = settings.protection
    assert protection.is_protected
    assert protection.reviews == 2
    assert protection.checks == {"infra/dev", "infra/prod"}
    assert (protection.dismisses_stale, protection.wants_code_owners) == (True, True)
    assert (protection.forbids_force_pushes, protection.forbids_deletion) == (True, True)
    assert isinstance(settings.workflow_rights, Unreadable)


def test_no_token_is_reported_and_the_files_are_checked_all_the_same(github: ServedGitHub) -> None:
    github.work.commit({".github/workflows/extra.yml": "on: push\njobs: {a: {steps: [{uses: x/y@v1}]}}\n"})
    environ = {"GITHUB_REPOSITORY": "acme/infra"}
    ran = Infra(github.work.root, environ)("doctor", "--github")
    assert "? settings: the repository's settings could not be seen, because: There is no token" in ran.out
    assert "✗ pins: .github/workflows/extra.yml:2: x/y@v1 is not pinned" in ran.out
    assert "A tag or branch can be moved to other code" in ran.out
    assert ran.code == 1
    plain = Infra(github.work.root, environ)("doctor")
    assert "extra.yml" not in plain.out

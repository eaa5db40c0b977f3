"""`infra doctor --github --fix` against the sandbox's GitHub: for an administrator, and for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ForgeError
from orchestrator.forge.github import open_github
from orchestrator.forge.github.workflows import render
from orchestrator.forge.setup import SetupRequest
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.cli import Infra, InfraResult
from tests.support.github import ServedGitHub
from tests.support.repo import Repo
from tests.support.workflows import SOURCE

EMPTY = 'output "x" {\n  value = 1\n}\n'
FILES = {
    "infra.yaml": "version: 1\ntrunk: main\n",
    "infra/envs/dev/a/main.tf": EMPTY,
    "infra/envs/prod/a/main.tf": EMPTY,
    ".github/CODEOWNERS": "* @acme/platform @olga mail@example.com\n",
}
ADMIN = {"administration": "write", "variables": "write", "actions": "read", "contents": "read"}


@pytest.fixture
def github(tmp_path: Path) -> Iterator[ServedGitHub]:
    repo = Repo(tmp_path / "repo")
    repo.commit(FILES)
    for name, text in render(WorkflowTarget("acme/infra", "main", ("dev", "prod")), SOURCE).items():
        path = repo.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    repo.commit()
    with ServedGitHub(tmp_path, repo=repo, private=False) as server:
        server.user("olga", "admin")
        server.server.set_team("acme/platform", ["bert"])
        yield server
        server.check()


def fix(github: ServedGitHub, token: str, *argv: str) -> InfraResult:
    env = github.environ(token, "schedule")
    return Infra(github.work.root, env)("doctor", "--github", "--fix", *argv)


def settings(github: ServedGitHub) -> dict[str, Any]:
    """What can be changed."""
    with github.locked_repository as repository_data:
        repository = repository_data.repository
        return {
            "environments": {
                name: (environment.reviewers, environment.branches)
                for name, environment in repository.environments.items()
            },
            "rulesets": [(ruleset["name"], len(ruleset["rules"])) for ruleset in repository.rulesets],
            "variables": {name: value for name, (value, _) in repository.variables.items()},
            "actions": dict(repository.actions),
        }


def writes(github: ServedGitHub) -> list[tuple[str, int]]:
    return [(method, status) for method, _, status in github.server.requests if method != "GET"]


def test_what_is_missing_is_shown_set_and_not_set_again(github: ServedGitHub) -> None:
    olga = github.token("olga")
    ran = fix(github, olga, "--auto-approve")
    assert settings(github)["environments"] == {
        "dev": ([], ["main"]),
        "prod": ([], ["main"]),
        "prod-approval": (["acme/platform", "olga"], None),
    }
    assert settings(github)["rulesets"] == [("infra", 4)]
    listed, set_ = (
        ran.err.index("- environment dev: only main"),
        ran.err.index("set environment dev: only main"),
    )
    assert listed < set_
    assert "prod-approval: acme/platform, olga may approve" in ran.err
    assert "✓ required checks" in ran.out
    assert "✓ environment prod: only main may deploy to it" in ran.out

    before = settings(github)
    github.server.requests.clear()
    again = fix(github, olga)
    assert "Nothing has to be set on GitHub." in again.err
    assert (settings(github), writes(github)) == (before, [])


def test_nothing_is_set_without_an_answer(github: ServedGitHub) -> None:
    ran = fix(github, github.token("olga"))
    assert ran.code == 4
    assert "no terminal to ask: Set 4 settings on GitHub?" in ran.err
    assert settings(github) == {"environments": {}, "rulesets": [], "variables": {}, "actions": {}}


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ({**ADMIN, "administration": "read", "members": "read"}, "administration: write"),
        ({**ADMIN, "members": "none"}, "members: read"),
    ],
)
def test_a_token_without_a_right_changes_nothing_and_the_error_names_the_right(
    github: ServedGitHub, rights: dict[str, str], missing: str
) -> None:
    ran = fix(github, github.token(**rights), "--auto-approve")
    assert ran.code == 1
    assert missing in ran.err
    assert writes(github) in ([], [("DELETE", 403)]), "no more than a try that changes nothing"
    assert settings(github) == {"environments": {}, "rulesets": [], "variables": {}, "actions": {}}


def test_who_is_no_administrator_changes_nothing(github: ServedGitHub) -> None:
    ran = fix(github, github.token("ada"), "--auto-approve")
    assert ran.code == 1
    assert "administration: write" in ran.err
    assert (settings(github)["environments"], writes(github)) == ({}, [])


def test_all_rights_are_required_before_the_first_change(github: ServedGitHub) -> None:
    """The variable comes last: without a right for it nothing is changed before."""
    request = SetupRequest("main", ("dev", "prod"), ("prod",), ("olga",), "projects/1/provider")
    for area in ("administration", "variables"):
        token = github.token(**{**ADMIN, "members": "read", area: "read"})
        with open_github(github.environ(token, "schedule")) as host:
            changes = host.plan_setup(request).changes
            with pytest.raises(ForgeError, match=r"does not allow it") as refused:
                host.require_rights(changes)
        assert f"{area}: write" in refused.value.advice
    assert settings(github) == {"environments": {}, "rulesets": [], "variables": {}, "actions": {}}
    with open_github(github.environ(github.token("olga"), "schedule")) as host:
        host.require_rights(changes)
        for change in changes:
            host.change_setting(change)
        assert host.plan_setup(request).changes == ()
    assert settings(github)["variables"] == {"INFRA_WORKLOAD_IDENTITY_PROVIDER": "projects/1/provider"}


def test_a_run_that_was_cut_off_is_completed_by_the_next(github: ServedGitHub) -> None:
    """The second request of an environment is refused: nobody may deploy there until the next run."""
    olga = github.token("olga")
    github.fault("*/environments/dev/deployment-branch-policies", method="POST", status=422)
    ran = fix(github, olga, "--auto-approve")
    assert ran.code == 1
    assert "2 of 4 settings were made" in ran.err
    assert settings(github)["environments"]["dev"] == ([], [])
    github.server.faults.clear()
    fix(github, olga, "--auto-approve")
    assert settings(github)["environments"]["dev"] == ([], ["main"])
    assert settings(github)["rulesets"] == [("infra", 4)]


def test_reviewers_are_named_and_unknown_ones_refused(github: ServedGitHub) -> None:
    olga = github.token("olga")
    ran = fix(github, olga, "--auto-approve", "--reviewer", "nobody-here")
    assert (ran.code, "Cannot find nobody-here" in ran.err) == (1, True)
    assert settings(github)["environments"] == {}
    fix(github, olga, "--auto-approve", "--reviewer", "@bert")
    assert settings(github)["environments"]["prod-approval"][0] == ["bert"]


def test_fix_is_for_github(github: ServedGitHub) -> None:
    ran = Infra(github.work.root, github.environ(github.token("olga"), "schedule"))("doctor", "--fix")
    assert (ran.code, "Add --github" in ran.err) == (3, True)

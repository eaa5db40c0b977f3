"""Which commit of trunk a checkout contains: never for the checkout alone to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.cli_configuration import settings_of_trunk
from orchestrator.errors import GitError
from orchestrator.repository.loading import load
from orchestrator.repository.trunk import require_trunk_commit, trunk_commit
from orchestrator.review.pull_request.scope import read_scope
from tests.support.repo import Repo

STACK = {"infra/envs/dev/a/main.tf": ""}
MIRROR = "terraform: {provider_installation: {filesystem_mirror: [/opt/evil]}}\n"


@pytest.fixture
def evil(tmp_path: Path) -> Repo:
    """A branch that names itself trunk, with rules of its own."""
    repo = Repo(tmp_path / "repo", {"infra.yaml": "guard: {providers: [hashicorp/random]}\n", **STACK})
    repo.branch("evil")
    repo.commit({"infra.yaml": f"trunk: evil\nguard: {{providers: [evil/evil]}}\n{MIRROR}"})
    return repo


def test_a_branch_does_not_choose_which_branch_is_trunk(evil: Repo) -> None:
    main = evil.git("rev-parse", "main").strip()
    assert trunk_commit(load(evil.root)) == main
    scope = read_scope(load(evil.root), None)
    assert scope.planned.base == main
    assert scope.project.config.guard.providers == ("hashicorp/random",)


def test_a_base_that_is_given_counts(evil: Repo) -> None:
    assert read_scope(load(evil.root), None, "evil").planned.base == evil.head


def test_providers_come_from_where_trunk_states(evil: Repo) -> None:
    assert not settings_of_trunk(load(evil.root)).provider_installation.filesystem_mirror
    evil.git("branch", "--force", "main", "evil")
    assert settings_of_trunk(load(evil.root)).provider_installation.filesystem_mirror == ("/opt/evil",)


def test_trunk_may_name_another_branch(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo", {"infra.yaml": "trunk: next\n", **STACK})
    repo.branch("next")
    on_next = repo.commit({"infra/envs/dev/a/main.tf": "# next\n"})
    repo.branch("work")
    repo.commit({"infra.yaml": ""})
    assert trunk_commit(load(repo.root)) == on_next


def test_where_only_the_checkout_names_trunk_its_rules_are_not_read(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo", {"infra.yaml": "trunk: develop\n", **STACK}, trunk="develop")
    project = load(repo.root)
    assert trunk_commit(project) is None
    with pytest.raises(GitError) as caught:
        read_scope(project, None)
    assert "--base origin/develop" in caught.value.advice
    assert settings_of_trunk(project).provider_installation.filesystem_mirror == ()

    repo.git("update-ref", "refs/remotes/origin/develop", "HEAD")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/develop")
    assert require_trunk_commit(load(repo.root)) == repo.head


def test_where_nothing_names_trunk_that_is_reported(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo", {"infra.yaml": "", **STACK}, trunk="develop")
    with pytest.raises(GitError, match="The trunk cannot be determined"):
        require_trunk_commit(load(repo.root))

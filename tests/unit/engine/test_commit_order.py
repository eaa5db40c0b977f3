"""Time runs forward, on real repositories."""

from __future__ import annotations

from orchestrator.engine.commit_order import superseded_reason
from orchestrator.repository.loading import load
from orchestrator.state.records import LedgerEntry
from tests.conftest import MakeRepo
from tests.support.repo import Repo

FILES = {"infra/envs/dev/a/main.tf": ""}


def look(repo: Repo, applied: str, *over: str, from_trunk: bool = True) -> tuple[str, str] | None:
    entry = LedgerEntry("dev/a", commit=applied, from_trunk=from_trunk)
    return superseded_reason(load(repo.root), entry, over=over)


def test_the_same_commit_and_a_newer_one_may(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    first = repo.head
    assert look(repo, first) is None
    repo.commit({"x": "1"})
    assert look(repo, first) is None
    assert superseded_reason(load(repo.root), None) is None
    assert look(repo, "") is None
    assert look(repo, f"{first}+uncommitted") is None


def test_last_weeks_job_may_not(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    old = repo.head
    new = repo.commit({"x": "1"})
    repo.git("switch", "-q", "--detach", old)
    view = look(repo, new)
    assert view
    assert view[0] == f"superseded by {new[:10]}"
    assert look(repo, f"{new}+uncommitted") == view
    assert "revert on trunk" in view[1]


def test_a_trunk_that_was_pushed_by_force_needs_a_word(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    commit = repo.commit({"x": "1"})
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit({"x": "2"})
    view = look(repo, commit)
    assert view
    assert f"--supersede {commit[:10]}" in view[1]
    assert look(repo, commit, commit[:10]) is None
    assert look(repo, commit, commit[:3]) is not None


def test_a_commit_that_is_not_here_may_be_newer(make_repo: MakeRepo) -> None:
    view = look(make_repo(FILES), "d" * 40)
    assert view
    assert "git fetch" in view[1]


def test_a_branch_that_was_squashed_gives_way_to_trunk(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    repo.branch("feature")
    tried = repo.commit({"x": "1"})
    repo.switch("main")
    repo.commit({"x": "1"}, "Squashed")
    assert look(repo, tried, from_trunk=False) is None


def test_one_branch_does_not_go_over_another(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    repo.branch("one")
    commit = repo.commit({"x": "1"})
    repo.switch("main")
    repo.branch("two")
    repo.commit({"y": "1"})
    view = look(repo, commit, from_trunk=False)
    assert view
    assert "rebase" in view[1]

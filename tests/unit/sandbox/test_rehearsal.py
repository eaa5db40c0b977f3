"""The throw-away clone of a rehearsal: what it proposes, and that the source stays as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.process import Supervisor
from orchestrator.sandbox.demo.repository import environment
from orchestrator.sandbox.github.push import fetch_trunk
from orchestrator.sandbox.rehearsal import BRANCH, RehearsalClone, RehearsalCommits
from tests.conftest import MakeRepo
from tests.support.repo import Repo

TRUNK = ("main", "refs/heads/main")
FILES = {"a.tf": "one\n", "sub/b.tf": "one\n", ".gitignore": "*.log\n"}


def clone(repo: Repo, target: Path, branch: str | None = None) -> tuple[RehearsalClone, RehearsalCommits]:
    copy = RehearsalClone(repo.root, target, environment(os.environ), Supervisor())
    return copy, copy.make(TRUNK, branch)


def test_what_is_in_the_working_tree_is_proposed(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    repo.write({"a.tf": "two\n", "new.tf": "new\n", "x.log": "ignored\n"})
    (repo.root / "sub/b.tf").unlink()
    before, refs = repo.git("status", "--porcelain"), repo.git("for-each-ref")
    _, commits = clone(repo, tmp_path / "clone")
    there = Repo(tmp_path / "clone")
    assert there.git("diff", "--name-status", commits.base, BRANCH).split() == [
        *("M", "a.tf", "A", "new.tf", "D", "sub/b.tf")
    ]
    assert there.git("rev-parse", "HEAD").strip() == commits.base
    assert there.git("status", "--porcelain") == ""
    assert (repo.git("status", "--porcelain"), repo.git("for-each-ref")) == (before, refs)


def test_a_branch_is_proposed(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    repo.git("switch", "-q", "-c", "change")
    head = repo.commit({"a.tf": "two\n"})
    repo.git("switch", "-q", "main")
    repo.write({"a.tf": "three\n"})
    _, commits = clone(repo, tmp_path / "clone", "change")
    assert commits.head == head


def test_without_a_change_there_is_nothing_to_rehearse(make_repo: MakeRepo, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing differs from main"):
        clone(make_repo(FILES), tmp_path / "clone")


def test_an_unknown_branch_is_an_error(make_repo: MakeRepo, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no branch 'x'"):
        clone(make_repo(FILES), tmp_path / "clone", "x")


def test_origin_is_replaced_with_all_that_is_known_of_it(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    repo.write({"a.tf": "two\n"})
    copy, _ = clone(repo, tmp_path / "clone")
    copy.set_origin("/srv/sandbox.git")
    there = Repo(tmp_path / "clone")
    assert there.git("remote", "get-url", "origin").strip() == "/srv/sandbox.git"
    assert there.git("for-each-ref", "refs/remotes") == ""


def test_a_job_knows_the_trunk_of_its_host(make_repo: MakeRepo) -> None:
    """Whatever the clone's own origin is; where the host has no such branch, nothing changes."""
    host, clone_of_another = make_repo(FILES, "host"), make_repo({"x": "1\n"}, "clone")
    fetch_trunk(clone_of_another.root, host.root, "main", os.environ)
    assert clone_of_another.git("rev-parse", "origin/main") == host.git("rev-parse", "main")
    before = clone_of_another.git("for-each-ref")
    fetch_trunk(clone_of_another.root, host.root, "missing", os.environ)
    assert clone_of_another.git("for-each-ref") == before

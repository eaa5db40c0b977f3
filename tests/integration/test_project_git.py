"""What Git knows, on real repositories."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import GitError
from orchestrator.repository.git import Repository
from tests.conftest import MakeRepo
from tests.support.repo import Repo


def clone(repo: Repo, folder: Path, *options: str) -> Repository:
    subprocess.run(["git", "clone", "-q", *options, f"file://{repo.root}", folder], check=True)
    return Repository.open(folder)


def test_a_file_has_one_id_in_the_working_tree_and_in_its_commit(make_repo: MakeRepo) -> None:
    repo = make_repo({"a": "1\n", "b/c d": "2\n", "ü": "3\n"})
    repository = Repository.open(repo.root)
    now, then = repository.working_tree(), repository.commit_tree("HEAD")
    assert dict(now.ids) == dict(then.ids)
    assert set(now.ids) == {"a", "b/c d", "ü"}
    assert now.read("b/c d") == then.read("b/c d") == b"2\n"
    assert (now.commit, then.commit) == (None, repo.head)


def test_the_working_tree_with_what_is_not_committed(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {"same": "1\n", "changed": "2\n", "gone": "3\n", "staged away": "4\n", ".gitignore": "ignored\n"}
    )
    repo.write({"changed": "2b\n", "new": "5\n", "ignored": "6\n", "staged": "7\n", "back": "1\n"})
    repo.git("add", "staged")
    repo.git("rm", "-q", "--cached", "staged away")
    repo.remove("gone", "staged away")
    repo.write({".terraform/x": "", "a/terraform.tfstate": "{}", "a/terraform.tfstate.backup": ""})
    repository = Repository.open(repo.root)
    tree = repository.working_tree()
    assert set(tree.ids) == {"same", "changed", "new", "staged", "back", ".gitignore"}
    assert tree.ids["back"] == tree.ids["same"] == repo.git("hash-object", "same")
    assert tree.ids["changed"] == repo.git("hash-object", "changed")
    assert repository.changed_paths("HEAD") == ("back", "changed", "gone", "new", "staged", "staged away")
    assert repo.git("status", "--porcelain", "--", "same") == ""


def test_ids_are_of_what_git_would_store(make_repo: MakeRepo) -> None:
    repo = make_repo({".gitattributes": "*.tf text eol=crlf\n", "a.tf": "x\ny\n"})
    repo.remove("a.tf")
    repo.git("checkout", "-q", "--", "a.tf")
    assert (repo.root / "a.tf").read_bytes() == b"x\r\ny\r\n"
    (repo.root / "b.tf").write_bytes(b"x\r\ny\r\n")
    tree = Repository.open(repo.root).working_tree()
    assert tree.ids["a.tf"] == tree.ids["b.tf"]


def test_files_seen_from_a_root_below_the_top(make_repo: MakeRepo) -> None:
    repo = make_repo({"x/a": "1\n", "x/b/c": "2\n", "y": "3\n"})
    repo.write({"x/b/c": "2b\n", "x/new": "", "z": ""})
    repository = Repository.open(repo.root).at(repo.root / "x")
    assert set(repository.working_tree().ids) == {"a", "b/c", "new"}
    assert set(repository.commit_tree("HEAD").ids) == {"a", "b/c"}
    assert repository.commit_tree("HEAD").read("b/c") == b"2\n"
    assert repository.working_tree().ids["b/c"] == repo.git("hash-object", "x/b/c")
    assert repository.changed_paths("HEAD") == ("b/c", "new")


def test_links_and_submodules(make_repo: MakeRepo) -> None:
    inner = make_repo({"f": "1\n"}, name="inner")
    repo = make_repo({"a": "1\n"})
    (repo.root / "l").symlink_to("a")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    repo.commit()
    (repo.root / "new link").symlink_to("sub")
    now, then = Repository.open(repo.root).working_tree(), Repository.open(repo.root).commit_tree("HEAD")
    assert now.links == {"l": "a", "new link": "sub"}
    assert then.links == {"l": "a"}
    assert now.submodules == then.submodules == {"sub": inner.head}
    assert now.submodule_of("sub/f") == "sub"


def test_a_file_that_a_sparse_checkout_leaves_out_is_read_from_git(make_repo: MakeRepo) -> None:
    repo = make_repo({"in/a": "1\n", "out/b": "2\n"})
    repo.git("sparse-checkout", "set", "in")
    tree = Repository.open(repo.root).working_tree()
    assert not (repo.root / "out/b").exists()
    assert tree.read("out/b") == b"2\n"


def test_the_code_that_a_sparse_checkout_leaves_out_is_read_at_once(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"out/{number}/main.tf" for number in range(5)]
    repo = make_repo({"in/a": "", **{name: f"# {name}\n" for name in names}})
    repo.git("sparse-checkout", "set", "in")
    tree = Repository.open(repo.root).working_tree()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
    assert [tree.read(name) for name in names] == [f"# {name}\n".encode() for name in names]
    assert (tmp_path / "trace").read_text().count('"event":"start"') == 1


def test_a_commit_in_words(make_repo: MakeRepo) -> None:
    repo = make_repo()
    first = repo.head
    repo.commit({"x": ""}, "Second: ünï\n\nbody")
    commit = Repository.open(repo.root).commit("HEAD")
    assert (commit.id, commit.subject, commit.author, commit.parents) == (
        *(repo.head, "Second: ünï"),
        *("Ada Author", (first,)),
    )
    assert commit.when == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_revisions(make_repo: MakeRepo) -> None:
    repo = make_repo()
    first = repo.head
    repo.branch("feature")
    second = repo.commit({"x": ""})
    repository = Repository.open(repo.root)
    assert repository.head() == second
    assert repository.resolve("main") == repository.merge_base("main", "feature") == first
    assert repository.is_ancestor(first, second)
    assert not repository.is_ancestor(second, first)
    for wrong in ("nowhere", "-x", "HEAD~9", "main^{tree}"):
        with pytest.raises(GitError):
            repository.resolve(wrong)


def test_git_is_not_queried_again_for_commits_that_are_present(make_repo: MakeRepo) -> None:
    repo = make_repo()
    first, second = repo.head, repo.commit({"x": ""})
    repository = Repository.open(repo.root)
    answers = (repository.is_ancestor(first, second), repository.resolve(second), repository.commit(first))
    moved = (repo.root / ".git").rename(repo.root / "moved")
    seen = repository.at(repo.root)
    assert (seen.is_ancestor(first, second), seen.resolve(second), seen.commit(first)) == answers
    with pytest.raises(GitError):
        seen.head()
    moved.rename(repo.root / ".git")
    assert seen.head() == second


def test_each_commit_is_read_as_it_is_whichever_was_read_last(make_repo: MakeRepo) -> None:
    repo = make_repo({"a.tf": "# one\n"})
    first = repo.head
    second = repo.commit({"a.tf": "# two\n"})
    repository = Repository.open(repo.root)
    texts = [repository.commit_tree(commit).read("a.tf") for commit in (first, second, second, first)]
    assert texts == [b"# one\n", b"# two\n", b"# two\n", b"# one\n"]
    # A name is looked up again: it may have moved.
    assert repository.commit_tree("HEAD").commit == second
    repo.commit({"a.tf": "# three\n"})
    assert repository.commit_tree("HEAD").read("a.tf") == b"# three\n"


def test_a_commit_that_was_listed_is_not_queried(
    make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo({"a.tf": "# one\n"})
    first = repo.head
    second = repo.commit({"a.tf": "# two\n"})
    repository = Repository.open(repo.root)
    assert [commit for commit, _ in repository.history("HEAD", first, 9)] == [second]
    monkeypatch.setenv("PATH", "")
    assert repository.resolve(second) == second


def test_a_commit_that_was_missing_is_looked_up_again(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo()
    first = repo.head
    repository = clone(repo, tmp_path / "clone")
    second = repo.commit({"x": ""})
    assert not repository.has_commit(second)
    assert not repository.is_ancestor(first, second)
    repository.fetch("main")
    assert repository.has_commit(second)
    assert repository.is_ancestor(first, second)


@pytest.mark.parametrize(
    ("branches", "configured", "expected"),
    [
        (("main", "master"), None, "refs/heads/main"),
        (("master", "feature"), None, "refs/heads/master"),
        (("main", "develop"), "develop", "refs/heads/develop"),
        (("other",), None, None),
        (("main",), "develop", None),
    ],
)
def test_trunk(
    make_repo: MakeRepo, branches: tuple[str, ...], configured: str | None, expected: str | None
) -> None:
    repo = make_repo()
    repo.git("branch", "-m", "start")
    for name in branches:
        repo.git("branch", name)
    repository = Repository.open(repo.root)
    if expected is not None:
        assert repository.trunk(configured) == expected
        return
    with pytest.raises(GitError, match="trunk cannot be determined") as caught:
        repository.trunk(configured)
    assert "infra.yaml" in caught.value.advice
    assert caught.value.exit_code == 3


def test_the_trunk_of_a_clone_is_the_default_branch_of_its_origin(
    make_repo: MakeRepo, tmp_path: Path
) -> None:
    repo = make_repo()
    repo.git("branch", "-m", "trunk")
    assert clone(repo, tmp_path / "clone").trunk() == "refs/remotes/origin/trunk"


def test_a_shallow_clone_reports_what_it_lacks(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo()
    repo.branch("feature")
    for number in range(3):
        repo.commit({"x": str(number)})
    repo.switch("main")
    repo.commit({"y": ""})
    shallow = clone(repo, tmp_path / "clone", "--depth", "1", "--no-single-branch")
    assert shallow.is_shallow
    with pytest.raises(GitError) as caught:
        shallow.merge_base("refs/remotes/origin/main", "refs/remotes/origin/feature")
    assert caught.value.message.startswith("The clone is shallow.")
    assert "fetch-depth: 0" in caught.value.advice
    with pytest.raises(GitError) as caught:
        shallow.resolve(repo.git("rev-parse", "feature~2"))
    assert caught.value.message.startswith("The clone is shallow.")
    assert "fetch-depth: 0" in caught.value.advice
    with pytest.raises(GitError) as caught:
        shallow.trunk("production")
    assert caught.value.message.startswith("The clone is shallow.")
    with pytest.raises(GitError) as caught:
        Repository.open(repo.root).trunk("production")
    assert "shallow" not in caught.value.message


@pytest.mark.parametrize("options", [(), ("--depth=3",), ("--sparse",)])
def test_a_partial_clone_fetches_the_code_of_a_commit_at_once(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Git alone would fetch each content by a process and a connection of its own."""
    names = [f"{number}/main.tf" for number in range(5)]
    repo = make_repo({name: f"# {name}\n" for name in names})
    repo.commit({name: f"# new {name}\n" for name in names})
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    partial = clone(repo, tmp_path / "clone", "--filter=blob:none", *options)
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    monkeypatch.setenv("GIT_TRACE2_EVENT_NESTING", "1")
    tree = partial.commit_tree("HEAD~1")
    assert [tree.read(name) for name in names] == [f"# {name}\n".encode() for name in names]
    assert trace.read_text().count('"name":"fetch"') == 1
    working = partial.working_tree()
    assert [working.read(name) for name in names] == [f"# new {name}\n".encode() for name in names]
    assert trace.read_text().count('"name":"fetch"') == 1 + ("--sparse" in options)
    again = Repository.open(tmp_path / "clone").commit_tree("HEAD~1")
    assert again.read(names[0]) == f"# {names[0]}\n".encode()
    assert trace.read_text().count('"name":"fetch"') == 1 + ("--sparse" in options)


def test_an_unreachable_origin_of_a_partial_clone_is_an_error(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"a.tf": "# a\n", "b.tf": "# b\n"})
    repo.commit({"a.tf": "", "b.tf": "# new\n"})
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = clone(repo, tmp_path / "clone", "--filter=blob:none")
    repo.root.rename(tmp_path / "moved")
    with pytest.raises(GitError):
        partial.commit_tree("HEAD~1").read("a.tf")


@pytest.mark.parametrize("how", ["same", "converted", "saved"])
def test_a_file_that_a_commit_shares_with_the_checkout_is_read_there_if_its_bytes_are_the_same(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    names = [f"{number}.tf" for number in range(5)]
    repo = make_repo({name: f"# {name}\n" for name in names})
    repo.commit({"0.tf": "# new\n"})
    if how == "converted":
        repo.git("config", "core.autocrlf", "true")
        for name in names:
            (repo.root / name).unlink()
        repo.git("checkout", "--", ".")
        assert (repo.root / "1.tf").read_bytes() == b"# 1.tf\r\n"
    repository = Repository.open(repo.root)
    tree = repository.commit_tree("HEAD~1", (), repository.working_tree())
    if how == "saved":
        repo.write({"1.tf": "# saved meanwhile\n"})
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
    assert [tree.read(name) for name in reversed(names)] == [f"# {n}\n".encode() for n in reversed(names)]
    assert (tmp_path / "trace").read_text().count('"event":"start"') == 1


def test_worktrees(make_repo: MakeRepo) -> None:
    repo = make_repo({"x": "old\n", ".gitignore": ".infra/\n"})
    first = repo.head
    repo.commit({"x": "new\n"})
    repository = Repository.open(repo.root)
    folder = repository.add_worktree("HEAD~1")
    assert folder == repo.root / ".infra/worktrees" / first
    assert (folder / "x").read_text() == "old\n"
    assert repository.add_worktree(first) == folder
    assert repo.status == ""
    assert set(repository.working_tree().ids) == {"x", ".gitignore"}
    repository.remove_worktree(first)
    repository.remove_worktree(first)
    assert not folder.exists()
    assert len(repo.git("worktree", "list").splitlines()) == 1


def test_a_linked_worktree_is_a_repository_too(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"x": "1\n"})
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    repository = Repository.open(tmp_path / "linked")
    assert repository.top == tmp_path / "linked"
    assert set(repository.working_tree().ids) == {"x"}


def test_a_bare_repository_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    with pytest.raises(GitError, match="bare"):
        Repository.open(tmp_path / "bare.git")


def test_no_hook_of_the_repository_runs(make_repo: MakeRepo) -> None:
    repo = make_repo({".gitignore": ".infra/\n"})
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = repo.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{repo.root}/hooked'\n")
        hook.chmod(0o755)
    repo.git("config", "core.fsmonitor", f"touch '{repo.root}/hooked'; false")
    repository = Repository.open(repo.root)
    repository.working_tree()
    repository.commit_tree("HEAD")
    repository.add_worktree("HEAD")
    repository.remove_worktree(repo.head)
    assert not (repo.root / "hooked").exists()


def test_a_broken_head_is_not_a_repository_without_commits(make_repo: MakeRepo, tmp_path: Path) -> None:
    """Everything would count as new, and the ledger would get no commit."""
    repo = make_repo()
    git = repo.root / ".git/objects" / repo.head[:2] / repo.head[2:]
    assert Repository.open(repo.root).head() == repo.head
    git.unlink()
    with pytest.raises(GitError, match="HEAD"):
        Repository.open(repo.root).head()
    assert Repository.open(Repo(tmp_path / "empty").root).head() is None


def test_a_missing_object_is_reported(make_repo: MakeRepo) -> None:
    repo = make_repo({"x": "only here\n"})
    object_id = repo.git("rev-parse", "HEAD:x")
    tree = Repository.open(repo.root).commit_tree("HEAD")
    (repo.root / ".git/objects" / object_id[:2] / object_id[2:]).unlink()
    with pytest.raises(GitError, match="lacks object") as caught:
        tree.read("x")
    assert "fsck" in caught.value.advice


def test_a_commit_that_cannot_be_listed_is_not_empty(make_repo: MakeRepo) -> None:
    repo = make_repo({"a/x": "1\n", "b/c/y": "2\n"})
    below = Repository.open(repo.root).at(repo.root / "b")
    id_ = repo.git("rev-parse", "HEAD:b/c")
    (repo.root / ".git/objects" / id_[:2] / id_[2:]).unlink()
    for repository in (Repository.open(repo.root), below):
        with pytest.raises(GitError, match="cannot be listed"):
            repository.commit_tree("HEAD")


def test_a_file_that_became_a_pipe_is_not_waited_for(make_repo: MakeRepo) -> None:
    repo = make_repo({"a.tf": "1\n"})
    tree = Repository.open(repo.root).working_tree()
    repo.remove("a.tf")
    os.mkfifo(repo.root / "a.tf")
    assert tree.read("a.tf") == b""

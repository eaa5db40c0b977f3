"""Working at another commit beside the checkout, with real git and real Terraform."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestrator.engine.planner import plan_stack
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.engine.worktrees import KEPT, at_commit
from orchestrator.errors import GitError
from orchestrator.repository.loading import load
from orchestrator.terraform.client import PlanOptions
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo

STACK = """
resource "terraform_data" "x" {{
  input = "{value}"
}}
"""


def open_here(repo: Repo, env: dict[str, str]) -> Session:
    return open_session(load(repo.root), env, SilentProgress(), workers=2)


def make_old_repo(make_repo: MakeRepo) -> Repo:
    return make_repo(
        {
            "infra/envs/dev/app/main.tf": STACK.format(value="one"),
            "infra/envs/dev/old/main.tf": STACK.format(value="old"),
            ".gitignore": "*.tfstate\n",
        }
    )


@pytest.fixture
def env(child_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**child_env, "XDG_STATE_HOME": str(tmp_path / "state")}


def test_a_stack_is_planned_with_its_old_code_against_the_state_of_the_checkout(
    make_repo: MakeRepo, env: dict[str, str]
) -> None:
    repo = make_old_repo(make_repo)
    first = repo.head
    infra = Infra(repo.root, env)
    infra("apply", "dev", "--auto-approve", "--confirm", "dev", code=0)
    repo.remove("infra/envs/dev/old/main.tf")
    repo.commit({"infra/envs/dev/app/main.tf": STACK.format(value="two")})
    session = open_here(repo, env)
    assert "dev/old" not in session.context.project.stacks
    with at_commit(session, first) as at:
        assert at.context.info.commit == first
        assert at.context.info.id == session.context.info.id
        stacks = at.context.project.stacks
        assert plan_stack(at, stacks["dev/app"], PlanOptions()).report.result == "unchanged"
        plan = plan_stack(at, stacks["dev/old"], PlanOptions(destroy=True))
        assert plan.report.counts["delete"] == 1
        assert plan.plan_file
        assert plan.plan_file.exists()
        assert at.memory.ledgers.of(stacks["dev/app"]).entry("dev/app") is not None
    assert not plan.plan_file.exists()
    stack = session.context.project.stacks["dev/app"]
    assert plan_stack(session, stack, PlanOptions()).report.result == "changed"
    assert repo.status == "", "nothing of it is seen in the checkout"
    session.close()


def test_threads_share_a_checkout_and_the_last_one_tidies_up(
    make_repo: MakeRepo, env: dict[str, str]
) -> None:
    repo = make_old_repo(make_repo)
    first = repo.head
    second = repo.commit({"infra/envs/dev/app/main.tf": STACK.format(value="two")})
    session = open_here(repo, env)
    inside, results = threading.Barrier(4), []

    def work(commit: str) -> None:
        with at_commit(session, commit) as at:
            inside.wait(30)
            text = (at.context.project.root / "infra/envs/dev/app/main.tf").read_text()
            results.append((commit, "two" in text, id(at)))

    threads = [threading.Thread(target=work, args=(commit,)) for commit in (first, second) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(commit, new) for commit, new, _ in results} == {(first, False), (second, True)}
    assert len({session for _, _, session in results}) == 2
    session.close()


def test_a_checkout_that_was_cut_off_is_made_anew(make_repo: MakeRepo, env: dict[str, str]) -> None:
    repo = make_old_repo(make_repo)
    session = open_here(repo, env)
    folder = session.context.project.repository.add_worktree(repo.head)
    (folder / "infra/envs/dev/app/main.tf").unlink()
    with at_commit(session, "HEAD") as at:
        assert (at.context.project.root / "infra/envs/dev/app/main.tf").exists()
    session.close()


def test_checkouts_that_nobody_needs_go_and_one_in_use_stays(
    make_repo: MakeRepo, env: dict[str, str]
) -> None:
    repo = make_old_repo(make_repo)
    commits = [repo.commit({"README.md": str(number)}) for number in range(KEPT + 2)]
    session, other = open_here(repo, env), open_here(repo, env)
    folder = repo.root / ".infra" / "worktrees"
    with at_commit(other, commits[0]):
        os.utime(folder / f"{commits[0]}.used", (1, 1))
        for commit in commits[1:]:
            with at_commit(session, commit):
                pass
        names = {path.name for path in folder.iterdir() if path.is_dir()}
        assert names == {commits[0], *commits[-KEPT:]}
    names = {path.name for path in folder.iterdir() if path.is_dir()}
    assert names == set(commits[-KEPT:])
    for opened in (session, other):
        opened.close()


def test_a_project_below_the_top_of_its_repository(make_repo: MakeRepo, env: dict[str, str]) -> None:
    repo = make_repo({"cloud/infra.yaml": "version: 1\n", "cloud/infra/envs/dev/main.tf": ""})
    session = open_session(load(repo.root / "cloud"), env, SilentProgress())
    with at_commit(session, "HEAD") as at:
        assert at.context.project.root == repo.root / "cloud/.infra/worktrees" / repo.head / "cloud"
        assert (at.context.project.root / "infra/envs/dev/main.tf").exists()
    session.close()


def test_a_commit_that_is_not_here(make_repo: MakeRepo, env: dict[str, str]) -> None:
    repo = make_old_repo(make_repo)
    session = open_here(repo, env)
    with pytest.raises(GitError, match="no revision"), at_commit(session, "f" * 40):
        raise AssertionError("there is nothing to be in")
    session.close()


def test_submodules_of_another_commit_have_its_files(
    make_repo: MakeRepo, env: dict[str, str], tmp_path: Path
) -> None:
    inner = Repo(tmp_path / "inner", {"deep.tf": STACK.format(value="deep")})
    outer = Repo(tmp_path / "outer", {"vpc/main.tf": STACK.format(value="one")})
    added = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    outer.git(*added, str(inner.root), "inner")
    outer.commit(message="With a submodule of its own")
    call = 'module "vpc" {\n  source = "../../../modules/ext/vpc"\n}\n'
    repo = make_repo({"infra/envs/dev/app/main.tf": call, ".gitignore": "*.tfstate\n"})
    repo.git(*added, str(outer.root), "infra/modules/ext")
    repo.git("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
    first = repo.commit(message="With a submodule")
    Repo(repo.root / "infra/modules/ext").commit({"vpc/main.tf": STACK.format(value="two")})
    repo.commit(message="Bump")
    session = open_here(repo, env)
    with at_commit(session, first) as at:
        modules = at.context.project.root / "infra/modules/ext"
        assert 'input = "one"' in (modules / "vpc/main.tf").read_text()
        assert (modules / "inner/deep.tf").exists()
    assert 'input = "two"' in (repo.root / "infra/modules/ext/vpc/main.tf").read_text()

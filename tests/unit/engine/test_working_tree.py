"""Whether the code of a stack is what its commit says, on real repositories."""

from __future__ import annotations

from orchestrator.engine.working_tree import WorkingTree, uncommitted_note
from orchestrator.repository.loading import load, load_commit
from tests.conftest import MakeRepo

FILES = {
    "infra/envs/dev/a/main.tf": 'terraform {\n  backend "local" {}\n}\n',
    "infra/envs/dev/b/main.tf": 'terraform {\n  backend "local" {}\n}\n',
}


def test_only_the_stack_whose_code_changed_is_uncommitted(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    assert WorkingTree(load(repo.root)).uncommitted(["dev/a", "dev/b"]) == ()
    repo.write({"infra/envs/dev/a/more.tf": "locals {}\n", "notes.txt": "no code"})
    tree = WorkingTree(load(repo.root))
    assert tree.uncommitted(["dev/a", "dev/b"]) == ("dev/a",)
    assert tree.commit_of("dev/a") == f"{repo.head}+uncommitted"
    assert tree.commit_of("dev/b") == repo.head


def test_a_stack_that_no_commit_has_is_uncommitted(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    repo.write({"infra/envs/dev/c/main.tf": FILES["infra/envs/dev/a/main.tf"]})
    assert WorkingTree(load(repo.root)).uncommitted(["dev/c"]) == ("dev/c",)


def test_a_commit_that_cannot_be_read_omits_its_stacks(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, "infra.yaml": "no: such key\n"})
    repo.write({"infra.yaml": "environments: {dev: {}}\n"})
    assert WorkingTree(load(repo.root)).uncommitted(["dev/a"]) == ("dev/a",)


def test_a_project_read_from_a_commit_is_committed(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    repo.write({"infra/envs/dev/a/more.tf": "locals {}\n"})
    at_head = load_commit(load(repo.root), "HEAD")
    assert WorkingTree(at_head).uncommitted(["dev/a"]) == ()


def test_the_note_names_the_stacks_and_what_is_recorded() -> None:
    assert uncommitted_note("c" * 40, []) == ""
    note = uncommitted_note("c" * 40, [f"dev/{number}" for number in range(7)])
    assert "dev/4 and 2 more is not what cccccccccc says" in note
    assert "records it as cccccccccc+uncommitted" in note

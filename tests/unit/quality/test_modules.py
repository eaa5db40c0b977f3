"""Which modules are tested, and when the content of their tests has changed."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.project import load
from orchestrator.project.model import Project
from orchestrator.quality.modules import (
    changed_modules,
    content_key,
    folders_of,
    hollow_files,
    runs_of,
    select_modules,
    types_of,
)
from orchestrator.quality.modules import test_files as files_of
from tests.conftest import MakeRepo
from tests.support.repo import Repo

TEST = """
run "first" {
  assert {
    condition     = true
    error_message = "m"
  }
}

run "second" {
  command = plan
  expect_failures = []
}

run "third" {
  expect_failures = [var.x]
  module {
    source = "../helper"
  }
}
"""
FILES = {
    "infra/modules/a/main.tf": 'module "b" {\n  source = "../b"\n}\nresource "google_x" "x" {}\n',
    "infra/modules/a/README.md": "Prose.\n",
    "infra/modules/a/tests/a.tftest.hcl": TEST,
    "infra/modules/a/tests/data.json": "{}\n",
    "infra/modules/a/examples/full/main.tf": 'resource "random_id" "x" {}\n',
    "infra/modules/b/main.tf": 'output "t" {\n  value = file("${path.module}/t.txt")\n}\n',
    "infra/modules/b/t.txt": "one\n",
    "infra/modules/b/tests/b.tftest.hcl": 'run "only" {}\n',
    "infra/modules/helper/main.tf": "\n",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


def test_run_blocks_tell_whether_they_assert(repo: Repo) -> None:
    project = load(repo.root)

    (file,) = files_of(project, "infra/modules/a")
    assert [(run.name, run.line, run.asserts) for run in runs_of(project, file)] == [
        ("first", 1, True),
        ("second", 8, False),
        ("third", 13, True),
    ]
    assert list(hollow_files(project, "infra/modules/a")) == []
    assert list(hollow_files(project, "infra/modules/b")) == [("infra/modules/b/tests/b.tftest.hcl", 1)]


def test_json_tests_are_read_too(repo: Repo) -> None:
    repo.write({"infra/modules/b/tests/b.tftest.json": '{"run": {"x": {"assert": [{"condition": "1"}]}}}'})
    project = load(repo.root)

    assert [run.asserts for run in runs_of(project, "infra/modules/b/tests/b.tftest.json")] == [True]


def test_tests_reach_examples_helpers_and_called_modules(repo: Repo) -> None:
    project = load(repo.root)

    assert folders_of(project, "infra/modules/a") == (
        "infra/modules/a",
        "infra/modules/a/examples/full",
        "infra/modules/b",
        "infra/modules/helper",
    )
    types = types_of(project, ["infra/modules/a"])
    assert types.resources == {"google_x", "random_id"}
    assert types.providers == {
        "registry.terraform.io/hashicorp/google",
        "registry.terraform.io/hashicorp/random",
    }


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("infra/modules/a/main.tf", True),
        ("infra/modules/a/tests/a.tftest.hcl", True),
        ("infra/modules/a/tests/data.json", True),
        ("infra/modules/a/examples/full/main.tf", True),
        ("infra/modules/b/main.tf", True),
        ("infra/modules/b/t.txt", True),
        ("infra/modules/helper/main.tf", True),
        ("infra/modules/a/README.md", False),
        ("infra/modules/b/tests/b.tftest.hcl", False),
    ],
)
def test_the_content_is_what_the_tests_read(repo: Repo, file: str, changes: bool) -> None:
    def key() -> str:
        return content_key(load(repo.root), "infra/modules/a")

    before = key()
    assert key() == before
    path = repo.root / file
    path.write_text(path.read_text() + "\n")
    assert (key() != before) is changes


def test_changed_modules_are_those_that_differ_from_trunk(repo: Repo) -> None:
    assert changed_modules(load(repo.root)) == ()
    repo.branch("work")
    repo.commit({"infra/modules/b/main.tf": "\n"})
    repo.write({"infra/modules/new/main.tf": "\n"})

    assert changed_modules(load(repo.root)) == ("infra/modules/a", "infra/modules/b", "infra/modules/new")


def test_modules_are_named_by_name_path_or_glob(repo: Repo) -> None:
    project: Project = load(repo.root)

    assert select_modules(project, ["b", "infra/modules/a/"]) == ("infra/modules/a", "infra/modules/b")
    assert select_modules(project, ["h*"]) == ("infra/modules/helper",)
    with pytest.raises(UsageError, match="There is no module 'helpr'") as raised:
        select_modules(project, ["helpr"])
    assert raised.value.advice == "Did you mean helper?"

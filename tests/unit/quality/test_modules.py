"""Which modules are tested, and when the content of their tests has changed."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.quality.modules import (
    changed_modules,
    collect_module_types,
    content_key,
    find_reachable_folders,
    hollow_files,
    mocks_of,
    resource_providers,
    runs_of,
    select_modules,
)
from orchestrator.quality.modules import test_files as files_of
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
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


def test_run_blocks_show_whether_they_assert(repo: Repo) -> None:
    project = load(repo.root)

    (file,) = files_of(project, "infra/modules/a")
    assert [(run.name, run.line, run.asserts) for run in runs_of(project, file)] == [
        ("first", 1, True),
        ("second", 8, False),
        ("third", 13, True),
    ]
    assert list(hollow_files(project, "infra/modules/a")) == []
    assert list(hollow_files(project, "infra/modules/b")) == [("infra/modules/b/tests/b.tftest.hcl", 1)]


MOCKS = """
mock_provider "google" {
  override_resource {
    target = module.data["a"].aws_x.x
  }
}
mock_provider "azurerm" {}
provider "azurerm" {
  alias = "real"
}
override_module {
  target = module.whole
}
run "first" {
  override_resource {
    target = aws_y.y[0]
  }
}
"""


@pytest.mark.parametrize(
    ("address", "is_mocked"),
    [
        ("google_x.x", True),
        ('module.b["k.w"].google_x.x[0]', True),
        # One of its type comes from a provider that the file does not mock.
        ("google_both.x", False),
        ("azurerm_x.x", False),
        ("aws_z.z", False),
        ('module.data["b"].aws_x.x["k"]', True),
        ("aws_y.y[1]", True),
        ("module.whole.module.inner.aws_z.z", True),
        ("module.wholesome.aws_z.z", False),
        ("unknown_x.x", False),
        ("no address", False),
    ],
)
def test_mocked_resources_are_known(make_repo: MakeRepo, address: str, is_mocked: bool) -> None:
    resources = ("google_x", "google_both", "aws_x", "aws_y", "aws_z", "azurerm_x")
    code = "".join(f'resource "{type_}" "x" {{}}\n' for type_ in resources)
    files = {
        "infra/modules/a/main.tf": code + 'resource "google_both" "y" {\n  provider = google-beta\n}\n',
        "infra/modules/a/a.tftest.hcl": MOCKS,
    }
    project = load(make_repo(files).root)

    mocks = mocks_of(project, "infra/modules/a/a.tftest.hcl")
    assert mocks.is_mocked(address, resource_providers(project, "infra/modules/a")) is is_mocked


def test_mocks_in_json_are_read_too(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/modules/a/a.tftest.json": '{"mock_provider": {"google": {}}, "run": {"x": {}}}'})

    assert mocks_of(load(repo.root), "infra/modules/a/a.tftest.json").providers == {"google"}


def test_json_tests_are_read_too(repo: Repo) -> None:
    repo.write({"infra/modules/b/tests/b.tftest.json": '{"run": {"x": {"assert": [{"condition": "1"}]}}}'})
    project = load(repo.root)

    assert [run.asserts for run in runs_of(project, "infra/modules/b/tests/b.tftest.json")] == [True]


def test_tests_reach_examples_helpers_and_called_modules(repo: Repo) -> None:
    project = load(repo.root)

    assert find_reachable_folders(project, "infra/modules/a") == (
        "infra/modules/a",
        "infra/modules/a/examples/full",
        "infra/modules/b",
        "infra/modules/helper",
    )
    types = collect_module_types(project, ["infra/modules/a"])
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

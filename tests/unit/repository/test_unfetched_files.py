"""Git submodules and files of Git LFS that are not checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, ProjectError
from orchestrator.repository.layout import require_stacks
from orchestrator.repository.layout_survey import Answers, survey
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

CALL = 'module "net" {\n  source = "../../../modules/net"\n}\n'
READ = 'resource "terraform_data" "x" {\n  input = file("../../../modules/net/main.tf")\n}\n'


def add_submodule(root: Path, path: str) -> None:
    """Put a submodule into the index; nothing of it is checked out."""
    entry = f"160000,{'1' * 40},{path}"
    subprocess.run(["git", "update-index", "--add", "--cacheinfo", entry], cwd=root, check=True)


@pytest.mark.parametrize("code", [CALL, READ])
def test_a_stack_that_reads_an_empty_submodule_is_an_error(make_repo: MakeRepo, code: str) -> None:
    root = make_repo({"envs/dev/a/main.tf": code, "infra.yaml": "roots: {envs: envs}\n"}).root
    add_submodule(root, "modules")
    (root / "modules").mkdir()
    project = load(root)
    with pytest.raises(ProjectError, match="dev/a reads modules, a Git submodule that is not checked out"):
        project.require(["dev/a"])

    (root / "modules/net").mkdir()
    (root / "modules/net/main.tf").write_text("")
    project = load(root)
    project.require(["dev/a"])
    assert not project.tree.empty_submodules


def test_an_empty_submodule_that_no_stack_reads_is_none(make_repo: MakeRepo) -> None:
    root = make_repo({"envs/dev/a/main.tf": "", "infra.yaml": "roots: {envs: envs}\n"}).root
    add_submodule(root, "theme")
    load(root).require(["dev/a"])


def test_root_modules_in_a_submodule_are_named(make_repo: MakeRepo) -> None:
    root = make_repo({"infra.yaml": "roots: {envs: live}\n"}).root
    add_submodule(root, "live")
    project = load(root)
    with pytest.raises(ConfigError, match="Root modules in Git submodules are no stacks: live"):
        require_stacks(project)
    assert "in Git submodules are no stacks: live" in survey(project.coverage.source, Answers()).question


@pytest.mark.parametrize("name", ["main.tf", "x.auto.tfvars", "data.bin"])
def test_a_pointer_of_git_lfs_is_an_error(make_repo: MakeRepo, name: str) -> None:
    """Also in place of code, which does not parse then."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
    files = {
        "infra/envs/dev/a/code.tf": 'resource "terraform_data" "x" {\n  input = filesha256("data.bin")\n}\n',
        "infra/envs/dev/a/data.bin": "x",
        ".gitattributes": "*.lfs filter=lfs\n",
    }
    project = load(make_repo({**files, f"infra/envs/dev/a/{name}": pointer}).root)
    with pytest.raises(ProjectError, match=f"{name} is kept in Git LFS and was not fetched"):
        project.require(["dev/a"])

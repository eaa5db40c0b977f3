"""`infra new project`: a repository from nothing. No Terraform runs; tests/integration plans one."""

from __future__ import annotations

import json
from pathlib import Path

import git
import pytest
import yaml

from tests.support.cli import Infra
from tests.support.schemas import check_schema

pytest.importorskip("copier")

SOURCE = f"acme/infra@{'0123456789' * 4}"


@pytest.fixture
def infra(tmp_path: Path) -> Infra:
    return Infra(tmp_path, {})


def test_a_repository_is_made_with_all_that_belongs_to_it(infra: Infra, tmp_path: Path) -> None:
    answers = ("environments=dev,live", "live/project_id=acme-x1", "owner=@acme/ops")
    words = ("--repository", "acme/infra", "--from", SOURCE, "--json")
    document = infra(
        "new", "project", "acme", *(f"--data={answer}" for answer in answers), *words, code=0
    ).document
    check_schema(document, "commands")
    root = tmp_path / "acme"
    assert git.Repo(root).active_branch.name == "main"
    expected = {
        *(".github/CODEOWNERS", ".github/workflows/infra-apply.yml", ".pre-commit-config.yaml", "README.md"),
        *("renovate.json", "infra/bootstrap/main.tf", "infra/modules/network/main.tf", "catalog-info.yaml"),
        *(".infra-template.yaml", "infra/envs/live/network/.infra-template.yaml", ".gitignore"),
    }
    assert expected <= set(document["files"])
    assert all((root / path).is_file() for path in document["files"])
    assert 'project_id  = "acme-x1"' in (root / "infra/envs/live/network/terraform.tfvars").read_text()
    ranges = {(root / f"infra/envs/{name}/network/terraform.tfvars").read_text() for name in ("dev", "live")}
    assert len({text.partition("ip_cidr_range")[2] for text in ranges}) == 2
    inside = Infra(root, {})
    owners = inside("owners", "--json", code=0).document["stacks"]
    assert {owner for entry in owners for owner in entry["owners"]} == {"@acme/ops"}
    findings = inside("validate", "--json", code=0).document["findings"]
    assert {finding["rule"] for finding in findings} <= {"lock-file", "module-unused"}
    json.loads((root / "renovate.json").read_text())
    yaml.safe_load((root / ".pre-commit-config.yaml").read_text())
    assert "0 to update" in inside("new", "update", "--dry-run", code=0).out


def test_an_empty_clone_keeps_its_files_and_its_origin(infra: Infra, tmp_path: Path) -> None:
    clone = git.Repo.init(tmp_path / "clone")
    clone.create_remote("origin", "https://github.com/acme/platform.git")
    (tmp_path / "clone/README.md").write_text("Ours.\n")
    document = infra(
        "new", "project", "acme", "--folder", "clone", "--from", SOURCE, "--json", code=0
    ).document
    assert document["existing"] == ["README.md"]
    assert (tmp_path / "clone/README.md").read_text() == "Ours.\n"
    assert clone.remotes.origin.url == "https://github.com/acme/platform.git"
    assert "acme/platform" in (tmp_path / "clone/infra/bootstrap/terraform.tfvars").read_text().replace(
        '"\n#   owner_id = "NUMBER"\n#   name     = "', "/"
    )
    assert (tmp_path / "clone/.github/workflows/infra-plan.yml").is_file()


def test_the_trunk_is_the_branch_of_an_empty_clone(infra: Infra, tmp_path: Path) -> None:
    clone = git.Repo.init(tmp_path / "clone", initial_branch="master")
    ran = infra("new", "project", "acme", "--folder", "clone", code=0)
    settings = tmp_path / "clone/infra.yaml"
    assert yaml.safe_load(settings.read_text())["trunk"] == clone.active_branch.name == "master"
    assert "Next: cd clone; git add" in ran.err


def test_the_trunk_is_what_the_origin_calls_it(infra: Infra, tmp_path: Path) -> None:
    clone = git.Repo.init(tmp_path / "clone", initial_branch="setup")
    clone.git.symbolic_ref("refs/remotes/origin/HEAD", "refs/remotes/origin/release/live")
    infra("new", "project", "acme", "--folder", "clone", code=0)
    assert yaml.safe_load((tmp_path / "clone/infra.yaml").read_text())["trunk"] == "release/live"


def test_nothing_is_written_beside_a_folder_that_exists(infra: Infra, tmp_path: Path) -> None:
    """The folder above a checkout can be read-only, as in containers."""
    parent = tmp_path / "workspaces"
    (parent / "my clone").mkdir(parents=True)
    before = parent.stat().st_mtime_ns
    ran = infra("new", "project", "acme", "--folder", "workspaces/my clone", code=0)
    assert parent.stat().st_mtime_ns == before
    assert git.Repo(parent / "my clone").active_branch.name == "main"
    assert "Next: cd 'workspaces/my clone'; git add" in ran.err
    (tmp_path / "here").mkdir()
    assert "Next: git add" in Infra(tmp_path / "here", {})("new", "project", "acme", "--folder=.", code=0).err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Acme",), "cannot be a project's name"),
        (("../x",), "cannot be a project's name"),
        (("acme", "--data", "environments=dev,dev"), "Give each environment once."),
        (("acme", "--data", "environments=dev;rm"), "Give names of lower-case letters"),
        (("acme", "--data", "owner=a b"), "Give a user or a team"),
        (("acme", "--data", "trunk=--x"), "Give the name of a branch"),
        (("acme", "--data", "test/project_id=acme-test"), "there is no environment 'test'"),
        (("acme", "--data", "colour=red"), "has no question 'colour'"),
        (("acme", "--folder", "taken"), "has an infra.yaml"),
        (("acme", "--folder", "repo/inner"), "is inside the Git repository"),
        (("acme", "--folder", "file"), "is not a folder"),
        (("acme", "--repository", "acme"), "is no repository"),
    ],
)
def test_what_is_wrong_is_reported_and_nothing_is_left(
    infra: Infra, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/infra.yaml").touch()
    (tmp_path / "file").touch()
    git.Repo.init(tmp_path / "repo")
    before = sorted(path for path in tmp_path.rglob("*") if ".git" not in path.parts)
    assert message in infra("new", "project", *words, code=3).err
    assert sorted(path for path in tmp_path.rglob("*") if ".git" not in path.parts) == before


def test_a_dry_run_writes_nothing(infra: Infra, tmp_path: Path) -> None:
    assert "infra.yaml" in infra("new", "project", "acme", "--dry-run", code=0).out
    assert not list(tmp_path.iterdir())

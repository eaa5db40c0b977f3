"""Shadows of a root module."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.errors import ProjectError
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.shadow import is_shadow, make_shadow, real_root

ROOT = Path("infra/envs/dev/net")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    files = {
        "infra/envs/dev/net/main.tf": "main",
        "infra/envs/dev/net/templates/a.tpl": "template",
        "infra/envs/dev/net/.terraform/x": "theirs",
        f"infra/envs/dev/net/{LOCK_FILE}": "lock",
        "infra/envs/dev/common.tfvars": "common",
        "infra/envs/dev/app/main.tf": "app",
        "infra/modules/vpc/main.tf": "vpc",
        ".git/config": "git",
        ".infra/data/x": "ours",
    }
    for name, text in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return repo


def test_relative_paths_lead_to_the_same_files(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {"backend_override.tf": "local"})
    assert root == tmp_path / "s" / ROOT
    for name in ("main.tf", "templates/a.tpl", "../common.tfvars", "../app/main.tf"):
        assert Path(os.path.normpath(root / name)).read_text() == (repo / ROOT / name).read_text()
    # Both by the path's text, as Terraform joins it, and by the file system.
    assert (root / "../../../modules/vpc/main.tf").read_text() == "vpc"
    assert (root / "backend_override.tf").read_text() == "local"
    assert not (repo / ROOT / "backend_override.tf").exists()


def test_work_of_others_is_left_out(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {})
    assert not (root / ".terraform").exists()
    assert not (tmp_path / "s" / ".git").exists()
    assert not (tmp_path / "s" / ".infra").exists()


def test_the_lock_file_is_copied_and_stays_until_the_original_changes(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {})
    lock = root / LOCK_FILE
    assert not lock.is_symlink()
    lock.write_text("lock, completed")
    make_shadow(repo, ROOT, tmp_path / "s", {})
    assert lock.read_text() == "lock, completed"
    (repo / ROOT / LOCK_FILE).write_text("another")
    make_shadow(repo, ROOT, tmp_path / "s", {})
    assert lock.read_text() == "another"
    lock.unlink()
    make_shadow(repo, ROOT, tmp_path / "s", {})
    assert lock.read_text() == "another"
    (repo / ROOT / LOCK_FILE).unlink()
    make_shadow(repo, ROOT, tmp_path / "s", {})
    assert not lock.exists()


def test_a_change_in_the_checkout_shows(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {"old_override.tf": "x"})
    (repo / ROOT / "main.tf").unlink()
    (repo / ROOT / "new.tf").write_text("new")
    (repo / "infra/other").mkdir()
    (root / "new.tfstate").write_text("a local state of the shadow's")
    make_shadow(repo, ROOT, tmp_path / "s", {"new_override.tf": "y"})
    names = {LOCK_FILE, "new.tf", "new.tfstate", "new_override.tf", "templates"}
    assert {path.name for path in root.iterdir()} == names
    assert (tmp_path / "s" / "infra" / "other").is_dir()


def test_a_file_instead_of_an_override_is_not_written_through(repo: Path, tmp_path: Path) -> None:
    (repo / ROOT / "override.tf").write_text("theirs")
    make_shadow(repo, ROOT, tmp_path / "s", {})
    root = make_shadow(repo, ROOT, tmp_path / "s", {"override.tf": "ours"})
    assert (root / "override.tf").read_text() == "ours"
    assert (repo / ROOT / "override.tf").read_text() == "theirs"
    make_shadow(repo, ROOT, tmp_path / "s", {})
    assert (root / "override.tf").read_text() == "theirs"


def test_what_is_right_is_not_touched(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {"o.tf": "x"})
    before = {path: path.lstat().st_ino for path in (tmp_path / "s").rglob("*")}
    make_shadow(repo, ROOT, tmp_path / "s", {"o.tf": "x"})
    assert {path: path.lstat().st_ino for path in (tmp_path / "s").rglob("*")} == before
    assert root.is_dir()


@pytest.mark.parametrize(
    ("link", "folder_of_state"),
    [("terraform.tfstate", ROOT / "terraform.tfstate"), ("../net.tfstate", ROOT.parent / "net.tfstate")],
)
def test_a_local_state_is_written_where_it_belongs(
    repo: Path, tmp_path: Path, link: str, folder_of_state: Path
) -> None:
    for _ in range(2):
        root = make_shadow(repo, ROOT, tmp_path / "s", {}, links=[link])
    assert not (repo / folder_of_state).exists()
    (root / link).write_text("state")
    assert (repo / folder_of_state).read_text() == "state"


def test_the_repository_itself_may_be_the_root(repo: Path, tmp_path: Path) -> None:
    (repo / "main.tf").write_text("top")
    root = make_shadow(repo, Path(), tmp_path / "s", {"o.tf": "x"})
    assert (root / "main.tf").read_text() == "top"
    assert sorted(path.name for path in root.iterdir()) == [".infra-shadow", "infra", "main.tf", "o.tf"]


@pytest.mark.parametrize("root", [Path("/etc"), Path("../other")])
def test_a_root_outside_is_refused(repo: Path, tmp_path: Path, root: Path) -> None:
    with pytest.raises(ProjectError):
        make_shadow(repo, root, tmp_path / "s", {})
    assert not (tmp_path / "s").exists()


def test_a_shadow_is_known(repo: Path, tmp_path: Path) -> None:
    root = make_shadow(repo, ROOT, tmp_path / "s", {})
    assert is_shadow(root)
    assert real_root(root) == repo / ROOT
    assert not is_shadow(repo / ROOT)
    assert real_root(repo / ROOT) == repo / ROOT


def test_links_that_loop_do_no_harm(repo: Path, tmp_path: Path) -> None:
    (repo / ROOT / "self").symlink_to(repo / ROOT)
    (repo / ROOT / "gone").symlink_to(repo / "nothing")
    began = time.process_time()
    root = make_shadow(repo, ROOT, tmp_path / "s", {})
    assert (root / "self" / "main.tf").read_text() == "main"
    assert time.process_time() - began < 5

"""Files that are written whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.atomic_files import path_below, write_private, write_text
from orchestrator.errors import ProjectError


def test_a_new_file_and_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "infra.yaml"
    write_text(path, "version: 1 # Grüße\n")
    assert path.read_text(encoding="utf-8") == "version: 1 # Grüße\n"
    path.chmod(0o640)
    write_text(path, "version: 2\n")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("version: 2\n", 0o640)
    write_text(path, "version: 3\n", mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["infra.yaml"]


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)
    write_text(link, "after")
    assert (target.read_text(), link.is_symlink()) == ("after", True)


def test_what_fails_leaves_what_was_there_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "infra.yaml"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "after \ud800")
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["infra.yaml"]


def test_many_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "net.tfrc"
    texts = [bytes([65 + number]) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            list(pool.map(lambda text: write_private(path, text), texts))
    assert path.read_bytes() in texts
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.tfrc"]


def test_where_nothing_can_be_written_no_draft_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "folder", b"text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_an_error_names_the_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "nosuch/infra.prom"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(path, "text", mode=0o644)
    assert caught.value.filename == str(path)


def test_a_path_leads_neither_out_of_the_folder_nor_into_git(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "file").symlink_to(tmp_path / "not there")
    (root / "hooks").symlink_to(".git/hooks")
    (root / "inside").symlink_to("real")
    (root / "loop").symlink_to("loop")
    assert path_below(root, "inside/a.tf") == root / "real/a.tf"
    for path in ("out/a.tf", "file", "../a.tf", "/etc/a.tf", "hooks/pre-commit", ".GIT/config", "loop"):
        with pytest.raises(ProjectError) as caught:
            path_below(root, path)
        assert caught.value.file == path

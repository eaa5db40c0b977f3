"""Which folders a portal may write to, what it writes again, and what a killed build leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.portal.folder import DRAFT, MARKER, PortalFolder


def build(path: Path, **pages: str) -> PortalFolder:
    folder = PortalFolder.open(path)
    for name, text in pages.items():
        page = f"stacks/{name}.html"
        if not folder.is_current(page, text):
            folder.write(page, text.encode(), text)
    folder.finish()
    return folder


def names(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "stacks").iterdir())


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    for name in ("other", "file", "link"):
        with pytest.raises(UsageError):
            PortalFolder.open(tmp_path / name)
    (tmp_path / "other" / MARKER).write_text("not ours")
    with pytest.raises(UsageError, match="is not a portal"):
        PortalFolder.open(tmp_path / "other")
    assert (tmp_path / "other" / "index.html").read_text() == "mine"


def test_a_link_inside_is_not_followed(tmp_path: Path) -> None:
    build(tmp_path / "site", a="1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "site" / "runs").rmdir()
    (tmp_path / "site" / "runs").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="is a link"):
        PortalFolder.open(tmp_path / "site")
    (tmp_path / "outside" / "file").write_text("mine")
    page = tmp_path / "site" / "stacks" / "a.html"
    (tmp_path / "site" / "runs").unlink()
    page.unlink()
    page.symlink_to(tmp_path / "outside" / "file")
    build(tmp_path / "site", a="2")
    assert (tmp_path / "outside" / "file").read_text() == "mine"
    assert page.read_text() == "2"


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    build(tmp_path, a="1", b="1")
    before = {name: (tmp_path / "stacks" / name).stat().st_mtime_ns for name in names(tmp_path)}
    folder = build(tmp_path, a="1", b="2")
    assert folder.count == 1
    assert (tmp_path / "stacks" / "a.html").stat().st_mtime_ns == before["a.html"]
    assert (tmp_path / "stacks" / "b.html").read_text() == "2"
    assert build(tmp_path, b="2").count == 0
    assert names(tmp_path) == ["b.html"]


def test_a_page_that_was_changed_by_hand_is_written_again(tmp_path: Path) -> None:
    build(tmp_path, a="1")
    (tmp_path / "stacks" / "a.html").write_text("other")
    assert build(tmp_path, a="1").count == 1
    assert (tmp_path / "stacks" / "a.html").read_text() == "1"


def test_a_killed_build_is_repaired_by_the_next_one(tmp_path: Path) -> None:
    folder = PortalFolder.open(tmp_path)
    folder.write("stacks/a.html", b"1", "1")
    folder.write("stacks/gone.html", b"1", "1")
    (tmp_path / "stacks" / f"b.html{DRAFT}").write_text("half")
    # Killed here: there is no list of what was written.
    assert json.loads((tmp_path / MARKER).read_text())["files"] == {}
    build(tmp_path, a="1", b="1")
    assert names(tmp_path) == ["a.html", "b.html"]


def test_a_changed_marker_leads_nowhere_else(tmp_path: Path) -> None:
    site, outside = tmp_path / "site", tmp_path / "outside"
    build(site, a="1")
    outside.write_text("mine")
    (site / "CNAME").write_text("mine")
    files = {"../outside": ["x", "x"], "stacks/../../outside": ["x", "x"], "/etc/passwd": ["x", "x"]}
    (site / MARKER).write_text(json.dumps({"infra_portal": 1, "files": files}))
    build(site, a="1")
    assert outside.read_text() == (site / "CNAME").read_text() == "mine"
    (site / MARKER).write_text(json.dumps({"infra_portal": 9, "files": {}}))
    assert build(site, a="1").files.keys() == {"stacks/a.html"}

"""Names, folders and links of a tree, without Git."""

from __future__ import annotations

import pytest

from orchestrator.repository.source import folders
from orchestrator.repository.tree import BrokenPath, Tree, inside


def tree(*files: str, **links: str) -> Tree:
    targets = {name.replace("__", "/"): target for name, target in links.items()}
    return Tree({name: f"id of {name}" for name in files}, lambda path: path.encode(), links=targets)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b", "a/b"),
        ("a/../b", "b"),
        ("./a/", "a"),
        ("a/..", ""),
        ("", ""),
        (".", ""),
        ("..", None),
        ("a/../../b", None),
        ("/a", None),
    ],
)
def test_inside(path: str, expected: str | None) -> None:
    assert inside(path) == expected


def test_below_and_files_are_in_order() -> None:
    files = tree("b/x", "a", "b/c/y", "bc/z", "b.d")
    assert list(files.below("b")) == ["b/c/y", "b/x"]
    assert files.files("b") == ["x"]
    assert files.files("") == ["a", "b.d"]
    assert [files.is_folder(path) for path in ("b", "b/c", "a", "", "c")] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("links", "path", "expected"),
    [
        ({"l": "a"}, "l/f", "a/f"),
        ({"a__l": "../b"}, "a/l/f", "b/f"),
        ({"l": "m", "m": "a"}, "l/f", "a/f"),
        ({"l": "."}, "l/l/a/f", "a/f"),
        ({"l": "a/../b"}, "l/f", "b/f"),
        ({"l": "l"}, "l", BrokenPath("loop", "l")),
        ({"l": "m", "m": "l"}, "l/f", BrokenPath("loop", "l")),
        ({"l": "../x"}, "l", BrokenPath("outside", "l")),
        ({"l": "/etc"}, "l/passwd", BrokenPath("outside", "l")),
        ({"a__l": "..", "m": "a/l/../x"}, "m", BrokenPath("outside", "a/l")),
        ({"l": "a/c/..", "a__c": "../b"}, "l/a/f", "a/f"),
        ({"l": "nowhere"}, "l/f", "nowhere/f"),
    ],
)
def test_links(links: dict[str, str], path: str, expected: str | BrokenPath) -> None:
    assert tree("a/f", "b/f", **links).resolve(path) == expected


def test_a_file_behind_links_is_found() -> None:
    files = tree("a/f", l="a", m="l/f")
    assert files.find("l/f") == "a/f"
    assert files.find("m") == "a/f"
    assert files.find("l") is None


def test_folders_of_code_skip_what_begins_with_a_dot() -> None:
    files = tree("e/a/x.tf", "e/a/b/y.tf.json", "e/c/README.md", "e/.terraform/z.tf", "e/a/.git/z.tf")
    assert sorted(map(str, folders(files, "e"))) == ["e/a", "e/a/b"]


def test_folders_of_code_follow_links_and_stop_in_a_ring() -> None:
    files = tree("e/a/x.tf", "other/y.tf", e__b="../other", e__a__up="..", e__gone="../../x")
    listed = list(folders(files, "e"))
    assert {listed_path for listed_path in listed if isinstance(listed_path, str)} == {"e/a", "e/b"}
    assert {listed_path.why for listed_path in listed if isinstance(listed_path, BrokenPath)} == {
        "loop",
        "outside",
    }

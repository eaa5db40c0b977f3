"""Paths in code → files of the tree."""

from __future__ import annotations

import pytest

from orchestrator.repository.facts import PathUse
from orchestrator.repository.file_reads import (
    ABSENT,
    LISTED,
    CodeLocation,
    FileReads,
    add_file_read,
    glob_pattern,
)
from orchestrator.repository.hcl.text import GAP, NameScope, Ref, Text
from orchestrator.repository.tree import Tree

FILES = ("m/a.json", "m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl", "s/f", "s/terraform.tfstate", "top")
MODULE, ROOT = Ref("path", "module"), Ref("path", "root")


def reads(path: Text, function: str = "file", pattern: Text | None = None) -> FileReads:
    file_reads = FileReads()
    tree = Tree(
        {name: name for name in FILES}, lambda name: name.encode(), links={"s/out": "../../x", "s/l": "f"}
    )
    code_location = CodeLocation("m", "s", NameScope(lambda ref: None))
    add_file_read(tree, PathUse(function, path, 1, pattern), "m/main.tf", code_location, file_reads)
    return file_reads


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((MODULE, "/a.json"), {"m/a.json": "m/a.json"}),
        ((MODULE, "/../top"), {"top": "top"}),
        ((ROOT, "/f"), {"s/f": "s/f"}),
        ((Ref("path", "cwd"), "/f"), {"s/f": "s/f"}),
        (("f",), {"s/f": "s/f"}),
        (("./f",), {"s/f": "s/f"}),
        (("../m/a.json",), {"m/a.json": "m/a.json"}),
        (("l",), {"s/l": "s/f"}),
        (("not there",), {"s/not there": ABSENT}),
        ((MODULE, "/t/deep"), {"m/t/deep/x.tpl": "m/t/deep/x.tpl"}),
        (
            (MODULE, "/t/", GAP, ".tpl"),
            {f"m/t/{n}": f"m/t/{n}" for n in ("one.tpl", "two.tpl", "deep/x.tpl")},
        ),
    ],
)
def test_what_is_read(path: Text, expected: dict[str, str]) -> None:
    file_reads = reads(path)
    assert file_reads.files == expected
    assert file_reads.open == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (("/etc/passwd",), "path-outside"),
        (("~/x",), "path-outside"),
        ((MODULE, "/../../x"), "path-outside"),
        (("out",), "path-outside"),
        ((GAP,), "path-unknown"),
        ((GAP, "/x"), "path-unknown"),
        ((MODULE, "/", GAP), "path-unknown"),
        (("t/", GAP), "path-unknown"),
        ((MODULE, "/t/", GAP), "path-open"),
    ],
)
def test_what_is_unknown_is_reported(path: Text, code: str) -> None:
    file_reads = reads(path)
    assert [finding.code for finding in file_reads.findings] == [code]
    assert file_reads.findings[0].file == "m/main.tf"
    assert bool(file_reads.open) == (code == "path-unknown")


def test_a_plain_string_with_a_gap_is_taken_broadly_and_not_complained_of() -> None:
    file_reads = reads((MODULE, "/t/", GAP), function="")
    assert set(file_reads.files) == {"m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl"}
    assert file_reads.findings == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (("t/*.tpl",), {"m/t/one.tpl", "m/t/two.tpl"}),
        (("t/**",), {"m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl"}),
        (("**/x.tpl",), {"m/t/deep/x.tpl"}),
        (("*",), {"m/a.json"}),
        ((GAP,), {"m/a.json", "m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl"}),
    ],
)
def test_fileset_reads_names(pattern: Text, expected: set[str]) -> None:
    file_reads = reads((MODULE,), "fileset", pattern)
    assert file_reads.files == dict.fromkeys(expected, LISTED)


def test_a_state_is_no_part_of_a_folder() -> None:
    assert set(reads((ROOT, "/."), "").files) == {"s/f", "s/l"}


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("*", ["dev"], ["dev/network"]),
        ("*/network", ["dev/network"], ["dev/a/network", "network"]),
        ("prod/**", ["prod/a", "prod/a/b"], ["prod", "dev/a"]),
        ("**/network", ["network", "dev/network", "dev/a/network"], ["dev/network2"]),
        ("dev/n?t", ["dev/net"], ["dev/n/t", "dev/nt"]),
        ("dev/[a-c]x", ["dev/ax"], ["dev/dx"]),
        ("dev/[!a]x", ["dev/bx"], ["dev/ax"]),
        ("{dev,prod}/a", ["dev/a", "prod/a"], ["staging/a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a[b", ["a[b"], ["ab"]),
        ("{a", ["a"], ["b"]),
    ],
)
def test_globs(pattern: str, fits: list[str], fails: list[str]) -> None:
    assert [name for name in fits + fails if glob_pattern(pattern).fullmatch(name)] == fits


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*a*b*c", "xaxbxc", True),
        ("*a*b*c", "xaxbx/c", False),
        ("**/*/**/*.tf", "a/b/c.tf", True),
        ("**/a/**/*.y{a,}ml", "x/a/b/c.yml", True),
        ("**/a/**/*.y{a,}ml", "x/a/b/c.yaml", True),
        ("**/a/**/*.y{a,}ml", "x/b/b/c.yaml", False),
        ("{a,{b,c*}}/*", "cd/x", True),
        ("{a,b", "b", True),
        ("a**b*c*", "a/b/bxc", True),
        ("*[z-a]*[!b]*", "xyc", True),
        ("[[a]b", "ab", True),
        ("x[!-~~]", "xb", True),
        ("[a--b]", "z", True),
    ],
)
def test_globs_with_several_stars(pattern: str, text: str, fits: bool) -> None:
    assert glob_pattern(pattern).fullmatch(text) is fits


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("*a" * 40 + "b", "a" * 200), ("**/a/" * 40 + "b", "a/" * 90 + "c"), ("{a,aa}" * 40 + "b", "a" * 90)],
)
def test_no_glob_takes_more_time_than_the_text_is_long(pattern: str, text: str) -> None:
    """As one expression each of these tries more ways than could ever be tried."""
    assert not glob_pattern(pattern).fullmatch(text)

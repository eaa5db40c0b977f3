"""Paths in code → files of the tree."""

from __future__ import annotations

import pytest

from orchestrator.project.reads import ABSENT, LISTED, Place, Reads, glob_pattern, read
from orchestrator.repository.facts import PathUse
from orchestrator.repository.hcl.text import GAP, Ref, Scope, Text
from orchestrator.repository.tree import Tree

FILES = ("m/a.json", "m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl", "s/f", "s/terraform.tfstate", "top")
MODULE, ROOT = Ref("path", "module"), Ref("path", "root")


def reads(path: Text, function: str = "file", pattern: Text | None = None) -> Reads:
    found = Reads()
    tree = Tree(
        {name: name for name in FILES}, lambda name: name.encode(), links={"s/out": "../../x", "s/l": "f"}
    )
    place = Place("m", "s", Scope(lambda ref: None))
    read(tree, PathUse(function, path, 1, pattern), "m/main.tf", place, found)
    return found


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
    found = reads(path)
    assert found.files == expected
    assert found.open == []


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
def test_what_cannot_be_told_is_reported(path: Text, code: str) -> None:
    found = reads(path)
    assert [one.code for one in found.findings] == [code]
    assert found.findings[0].file == "m/main.tf"
    assert bool(found.open) == (code == "path-unknown")


def test_a_plain_string_with_a_gap_is_taken_broadly_and_not_complained_of() -> None:
    found = reads((MODULE, "/t/", GAP), function="")
    assert set(found.files) == {"m/t/one.tpl", "m/t/two.tpl", "m/t/deep/x.tpl"}
    assert found.findings == []


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
    found = reads((MODULE,), "fileset", pattern)
    assert found.files == dict.fromkeys(expected, LISTED)


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

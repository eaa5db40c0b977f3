"""Conversions of code on checkout, submodules and LFS."""

from __future__ import annotations

import posixpath
import time
from pathlib import Path

import pytest

from orchestrator.guard.git_files import (
    MAX_STARS,
    OuterFiles,
    check_git_files,
    conversions,
    converting_macros,
    read_attributes,
)
from orchestrator.repository.loading import load, load_commit
from orchestrator.repository.tree import Tree
from tests.support.repo import Repo

CODE = "infra/envs/dev/net/main.tf"


def tree(files: dict[str, bytes]) -> Tree:
    return Tree({path: str(number) for number, path in enumerate(files)}, lambda path: files[path])


def converted(text: str, folder: str = "", code: str = CODE) -> bool:
    path = f"{folder}/.gitattributes" if folder else ".gitattributes"
    findings = list(conversions(tree({path: text.encode(), code: b""}), OuterFiles()))
    assert all((finding.file, finding.code) == (path, "git-conversion") for finding in findings)
    return bool(findings)


@pytest.mark.parametrize(
    "text",
    [
        "*.tf filter=x",
        "* working-tree-encoding=UTF-16",
        "*.tf ident",
        "**/net/** filter=lfs",
        "/infra/envs/dev/net/main.tf ident",
        "infra/envs/dev/net/main.tf ident",
        "infra/**/main.tf ident",
        '"main.tf" ident',
        '"m\\\\ain.tf" ident',
        "[attr]convert filter=x\n*.tf convert",
        "*.[tx]f ident",
        "m?in.tf ident",
        "*.TF ident",
        "*.tf -ident\n*.tf ident",
        "\ufeff*.tf ident",
        "  *.tf ident",
        "*.tf text ident eol=lf",
        '"*.t\\146" ident',
        '"x" ident\n"[attr]odd" ident\n*.tf odd',
        "*.tf odd\n[attr]odd ident",
        "[attr]odd -ident\n*.tf odd\n[attr]odd ident",
        "[attr]odd other\n[attr]other ident\n*.tf odd",
        "[attr]odd other\n[attr]other odd ident\n*.tf odd",
        "[attr] odd ident\n*.tf odd",
        "*.tf\tident\r",
        "[[:alpha:]]*.tf ident",
        "[]m]*.tf ident",
        "[!]x]*.tf ident",
        "[a\\]m]*.tf ident",
        "[l-n]ain.tf ident",
        "\\main.tf ident",
    ],
)
def test_attributes_that_convert_code(text: str) -> None:
    assert converted(text)


@pytest.mark.parametrize(
    "text",
    [
        "*.[z]f -ident",
        "*.TF -ident",
        "*.tf/ -ident",
        "//main.tf -ident",
        "*m*a*i*n*.*q -ident",
        "x\u2028*.tf -ident",
        "x\x0b*.tf -ident",
        "x\r*.tf -ident",
        "*.tf\u00a0-ident",
        "[attr]safe -ident\n*.tf safe=x",
        "!main.tf -ident",
        '"*.t\\144" -ident',
        "*.tf -ident " + "x" * 2_050,
        "*.tf -odd",
    ],
)
def test_what_git_may_not_take_for_the_opposite_leaves_the_conversion(text: str) -> None:
    """Each was tried with Git 2.39: the file is converted all the same."""
    assert converted(f"*.tf ident\n{text}")


def test_no_other_name_takes_a_conversion_away() -> None:
    """Git reads `.gitattributes` alone; a macro of a folder is none."""
    for path, text in (
        ("infra/.GITATTRIBUTES", "*.tf -ident"),
        ("infra/.gitattributes", "[attr]x -ident\n*.tf x"),
    ):
        files = {".gitattributes": b"*.tf ident", path: text.encode(), CODE: b""}
        assert list(conversions(tree(files), OuterFiles()))


@pytest.mark.parametrize(
    "text",
    [
        "*.png filter=lfs diff=lfs merge=lfs -text",
        "*.tf text eol=lf",
        "*.tf -filter",
        "*.tf ident\n*.tf -ident",
        "*.tf ident\n*.tf !ident",
        "# *.tf ident",
        "docs/*.tf ident",
        "main.tfx ident",
        "*.tf diff=hcl linguist-language=HCL",
        "*.bin binary",
        "*.[ch] ident",
        "*.[Pp][Nn][Gg] filter=lfs",
        "*.tf -odd\n[attr]odd ident",
    ],
)
def test_attributes_that_leave_code_alone(text: str) -> None:
    assert not converted(text)


def test_a_file_in_a_folder_counts_there_alone() -> None:
    assert converted("*.tf ident", "infra/envs")
    assert converted("net/*.tf ident", "infra/envs/dev")
    assert not converted("*.tf ident", "docs")
    files = {".gitattributes": b"*.tf ident", "infra/.gitattributes": b"*.tf -ident", CODE: b""}
    assert not list(conversions(tree(files), OuterFiles()))


@pytest.mark.parametrize("path", ["infra.yaml", "a/terraform.tfvars.json", ".terraform.lock.hcl", "x/m.tofu"])
def test_what_counts_as_code(path: str) -> None:
    assert converted("* ident", code=path)


def test_the_line_is_named() -> None:
    (finding,) = conversions(tree({".gitattributes": b"# x\n\n*.tf ident\n", CODE: b""}), OuterFiles())
    assert finding.line == 3
    assert CODE in finding.message


@pytest.mark.parametrize("stars", [5, 6])
def test_a_pattern_with_many_stars_counts_for_every_file(stars: int) -> None:
    """A match in linear time is not possible, and a file that is left out could be converted."""
    assert converted("*x" * stars + " ident") == (stars > MAX_STARS)


def test_hostile_patterns_take_no_time() -> None:
    began = time.process_time()
    assert converted("*a" * 2_000 + " ident", code="a" * 4_000 + ".tf")
    assert converted("*.tf ident\n*.tf -ident\n" * 2_000)
    macros = b"".join(b"[attr]a%d a%d a%d\n" % (number, number + 1, number + 2) for number in range(5_000))
    assert len(converting_macros([macros, b"[attr]a5001 ident\n"])) == 5_001
    assert time.process_time() - began < 5


def test_a_macro_of_the_top_counts_in_folders() -> None:
    files = {".gitattributes": b"[attr]odd filter=x\n", "infra/.gitattributes": b"*.tf odd\n", CODE: b""}
    (finding,) = conversions(tree(files), OuterFiles())
    assert finding.file == "infra/.gitattributes"
    files["infra/.gitattributes"] = b"[attr]odd text\n*.tf odd\n"
    assert [conversion.file for conversion in conversions(tree(files), OuterFiles())] == [
        "infra/.gitattributes"
    ]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        (".gitattributes", "*.tf filter=x\n", "git-conversion"),
        ("a/.gitattributes", "b/**/*.tf ident\n", "git-conversion"),
        (".gitmodules", '[submodule "x"]\nurl = https://example.com/x\n', "submodule"),
        (".lfsconfig", "[lfs]\nurl = https://example.com\n", "lfs-config"),
    ],
)
def test_files_above_the_project_are_read(tmp_path: Path, name: str, text: str, code: str) -> None:
    """In the working tree and in a commit, for a project below the top of its repository."""
    repo = Repo(tmp_path, {"a/b/infra.yaml": "environments: {dev: {}}\n", f"a/b/{CODE}": "# x\n"})
    base = load(tmp_path / "a/b")
    before = load_commit(base, repo.head)
    assert not list(check_git_files(base, before, ()))
    repo.write({name: text})
    expected = [(code, posixpath.relpath(name, "a/b"))]
    assert [
        (finding.code, finding.file) for finding in check_git_files(load(tmp_path / "a/b"), before, ())
    ] == expected
    repo.commit()
    after = load_commit(base, repo.head)
    assert [(finding.code, finding.file) for finding in check_git_files(after, before, ())] == expected
    if code != "git-conversion":
        assert not list(check_git_files(after, after, ()))


def test_attributes_above_that_name_other_folders_convert_nothing(tmp_path: Path) -> None:
    Repo(tmp_path, {".gitattributes": "/infra/** filter=x\n", "a/infra.yaml": "{}\n", f"a/{CODE}": "# x\n"})
    assert not list(check_git_files(load(tmp_path / "a"), None, ()))


@pytest.mark.parametrize("separator", ["\x1c", "\x1d", "\x1e", "\x1f", "\x85"])
def test_only_what_git_takes_for_a_blank_ends_a_pattern(separator: str) -> None:
    """Python's `split` takes more: a line of such characters alone has no word for it."""
    assert read_attributes(f"{separator}\n".encode(), ".gitattributes") == []
    data = f"*.tf filter=x\na{separator}b -filter\n".encode()
    assert [line.values for line in read_attributes(data, ".gitattributes")] == [{"filter": True}]

"""Conversions of code on checkout, submodules and LFS."""

from __future__ import annotations

import posixpath
import time
from pathlib import Path

import pytest

from orchestrator.guard.git_files import OuterFiles, conversions, judge, read_attributes
from orchestrator.project import load, load_commit
from orchestrator.repository.tree import Tree
from tests.support.repo import Repo

CODE = "infra/envs/dev/net/main.tf"


def tree(files: dict[str, bytes]) -> Tree:
    return Tree({path: str(number) for number, path in enumerate(files)}, lambda path: files[path])


def converted(text: str, folder: str = "", code: str = CODE) -> bool:
    path = f"{folder}/.gitattributes" if folder else ".gitattributes"
    findings = list(conversions(tree({path: text.encode(), code: b""}), OuterFiles()))
    assert all((one.file, one.code) == (path, "git-conversion") for one in findings)
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
    ],
)
def test_attributes_that_convert_code(text: str) -> None:
    assert converted(text)


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


def test_hostile_patterns_take_no_time() -> None:
    began = time.monotonic()
    assert converted("*a" * 2_000 + " ident", code="a" * 4_000 + ".tf")
    assert converted("*.tf ident\n*.tf -ident\n" * 2_000)
    assert len(read_attributes(b"[attr]a a a a\n" * 5_000, "x")) == 0
    assert time.monotonic() - began < 2


def test_a_macro_of_the_top_counts_in_folders() -> None:
    files = {".gitattributes": b"[attr]odd filter=x\n", "infra/.gitattributes": b"*.tf odd\n", CODE: b""}
    (finding,) = conversions(tree(files), OuterFiles())
    assert finding.file == "infra/.gitattributes"
    files["infra/.gitattributes"] = b"[attr]odd text\n*.tf odd\n"
    assert [one.file for one in conversions(tree(files), OuterFiles())] == ["infra/.gitattributes"]


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
    assert not list(judge(base, before, ()))
    repo.write({name: text})
    expected = [(code, posixpath.relpath(name, "a/b"))]
    assert [(one.code, one.file) for one in judge(load(tmp_path / "a/b"), before, ())] == expected
    repo.commit()
    after = load_commit(base, repo.head)
    assert [(one.code, one.file) for one in judge(after, before, ())] == expected
    if code != "git-conversion":
        assert not list(judge(after, after, ()))


def test_attributes_above_that_name_other_folders_convert_nothing(tmp_path: Path) -> None:
    Repo(tmp_path, {".gitattributes": "/infra/** filter=x\n", "a/infra.yaml": "{}\n", f"a/{CODE}": "# x\n"})
    assert not list(judge(load(tmp_path / "a"), None, ()))

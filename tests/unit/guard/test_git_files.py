"""Conversions of code on checkout, submodules and LFS."""

from __future__ import annotations

import time

import pytest

from orchestrator.guard.git_files import conversions, read_attributes
from orchestrator.repository.tree import Tree

CODE = "infra/envs/dev/net/main.tf"


def tree(files: dict[str, bytes]) -> Tree:
    return Tree({path: str(number) for number, path in enumerate(files)}, lambda path: files[path])


def converted(text: str, folder: str = "", code: str = CODE) -> bool:
    path = f"{folder}/.gitattributes" if folder else ".gitattributes"
    findings = list(conversions(tree({path: text.encode(), code: b""})))
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
    assert not list(conversions(tree(files)))


@pytest.mark.parametrize("path", ["infra.yaml", "a/terraform.tfvars.json", ".terraform.lock.hcl", "x/m.tofu"])
def test_what_counts_as_code(path: str) -> None:
    assert converted("* ident", code=path)


def test_the_line_is_named() -> None:
    (finding,) = conversions(tree({".gitattributes": b"# x\n\n*.tf ident\n", CODE: b""}))
    assert finding.line == 3
    assert CODE in finding.message


def test_hostile_patterns_take_no_time() -> None:
    began = time.monotonic()
    assert converted("*a" * 2_000 + " ident", code="a" * 4_000 + ".tf")
    assert converted("*.tf ident\n*.tf -ident\n" * 2_000)
    assert len(read_attributes(b"[attr]a a a a\n" * 5_000, "x")) == 0
    assert time.monotonic() - began < 2

"""Modules as Terraform merges them, and the variables that they get."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.repository.file_reads import CodeLocation, FileReads, add_file_read
from orchestrator.repository.hcl import read as read_file
from orchestrator.repository.hcl.text import NameScope, Ref, literal, resolve
from orchestrator.repository.modules import Product, code_files
from orchestrator.repository.source import Source
from orchestrator.repository.tree import Tree
from orchestrator.repository.variables import instances, root_scope


def source_of(files: Mapping[str, str], product: Product | None = "terraform") -> Source:
    data = {path: text.encode() for path, text in files.items()}
    ids = {path: f"{index:040x}" for index, path in enumerate(sorted(data))}
    return Source(Tree(ids, lambda path: data[path], commit="0" * 40), "modules", product=product)


def value(scope: NameScope, kind: str, name: str) -> str | None:
    lookup = scope.lookup(Ref(kind, name))
    return literal(resolve(*lookup)) if lookup is not None else None


@pytest.mark.parametrize(
    ("product", "files"),
    [
        ("terraform", ["b.tf", "x.tf", "x.tf.json", "a_override.tf", "override.tf.json"]),
        ("tofu", ["b.tf", "x.tf.json", "x.tofu", "y.tofu", "a_override.tf", "override.tf.json"]),
    ],
)
def test_which_files_are_read_and_in_which_order(product: Product, files: list[str]) -> None:
    names = ("override.tf.json", "x.tf", "x.tofu", "y.tofu", "b.tf", "x.tf.json", "a_override.tf")
    assert code_files((*names, ".h.tf", "x.tf~", "#x.tf#", "x.tfvars"), product) == files


@pytest.mark.parametrize(
    ("override", "expected"),
    [('"new"', "new"), ('join("", ["a"])', None), ("true ? 1 : 2", None), ("null", None)],
)
def test_an_unknown_version_is_never_the_older_version(override: str, expected: str | None) -> None:
    code = 'locals {{\n  p = {0}\n}}\nvariable "v" {{\n  default = {0}\n}}\n'
    source = source_of({"main.tf": code.format('"old"'), "x_override.tf": code.format(override)})
    scope = root_scope(source, "", (), ())
    assert value(scope, "local", "p") == expected
    assert value(scope, "var", "v") == expected


@pytest.mark.parametrize(
    ("files", "passed", "expected"),
    [
        ({}, (), "default"),
        ({}, ("TF_VAR_v",), None),
        ({"terraform.tfvars": 'v = "a"', "terraform.tfvars.json": '{"v": "b"}'}, (), "b"),
        ({"terraform.tfvars.json": '{"v": "b"}', ".c.auto.tfvars": 'v = "c"'}, ("TF_VAR_v",), "c"),
        ({"a.auto.tfvars": 'v = "a"', "Z.auto.tfvars.json": '{"v": "z"}'}, (), "a"),
        ({"a.auto.tfvars": "v = null"}, (), None),
        ({"a.auto.tfvars.json": '{"v": "$${x}"}'}, (), "$${x}"),
        ({"a.auto.tfvars.json": '{"v": ["x"]}'}, (), None),
        ({"a.auto.tfvars": "v = = 1"}, (), None),
        ({"a.auto.tfvars": "v = 1.50"}, (), None),
        ({"x.tfvars": 'v = "x"'}, (), "default"),
    ],
)
def test_what_sets_a_variable(files: dict[str, str], passed: tuple[str, ...], expected: str | None) -> None:
    source = source_of({"main.tf": 'variable "v" {\n  default = "default"\n}\n', **files})
    assert value(root_scope(source, "", (), passed), "var", "v") == expected


def test_null_means_the_default_where_null_is_no_value() -> None:
    code = 'variable "v" {\n  default = "default"\n  nullable = false\n}\n'
    source = source_of({"main.tf": code, "terraform.tfvars": "v = null"})
    assert value(root_scope(source, "", (), ()), "var", "v") == "default"


def test_the_folder_of_a_caller_stays_its_folder() -> None:
    source = source_of(
        {
            "root/main.tf": 'module "m" {\n  source = "../m"\n  folder = "${path.module}/rules"\n}\n',
            "m/main.tf": 'variable "folder" {}\noutput "x" {\n  value = file("${var.folder}/a")\n}\n',
            "root/rules/a": "a",
            "m/rules/a": "another",
        }
    )
    scopes = dict(instances(source, "root", root_scope(source, "root", (), ()), lambda path: True))
    reads = FileReads()
    [(file, use)] = source.directory("m").paths
    add_file_read(source.tree, use, file, CodeLocation("m", "root", scopes["m"]), reads)
    assert list(reads.files) == ["root/rules/a"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('[for f in fileset(path.module, "r/*.y") : file("${path.module}/${f}")]', {"r/a.y", "r/b.y"}),
        ('[for f in toset(local.l) : file("${path.module}/${f}")]', {"r/a.y", "r/b.y"}),
        ('{ for k, f in fileset("${path.module}/r", "a*") : k => file("${path.module}/r/${f}") }', {"r/a.y"}),
    ],
)
def test_names_that_fileset_finds(code: str, expected: set[str]) -> None:
    text = f'locals {{\n  l = fileset(path.module, "r/*.y")\n  x = {code}\n}}\n'
    source = source_of({"main.tf": text, "r/a.y": "", "r/b.y": "", "r/c.z": ""})
    reads = FileReads()
    for file, use in source.directory("").paths:
        add_file_read(source.tree, use, file, CodeLocation("", "", root_scope(source, "", (), ())), reads)
    assert {path for path, content in reads.files.items() if content != "listed"} == expected
    assert reads.open == []


def test_plain_arguments_that_name_files() -> None:
    code = (
        'resource "a" "b" {\n  source = "./x"\n  source_dir = "../f"\n  filename = "none"\n  name = "x"\n}\n'
    )
    source = source_of({"e/main.tf": code, "e/x": "", "f/m.py": "", "e/name": ""})
    reads = FileReads()
    for file, use in source.directory("e").paths:
        add_file_read(source.tree, use, file, CodeLocation("e", "e", root_scope(source, "e", (), ())), reads)
    assert set(reads.files) == {"e/x", "f/m.py"}
    assert reads.findings == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tf", b"x = " + b"(" * 200 + b"1" + b")" * 200),
        ("a.tf", b"x = " + b"(" * 200_000),
        ("a.tf", b"#" * (4 * 1024 * 1024 + 1)),
        ("a.tf.json", b'{"a":' * 200 + b"1" + b"}" * 200),
        ("a.tf.json", b'{"locals": {"x": "\\ud800"}}'),
        ("a.tf.json", b'{"a": 1, "a": 2}'),
        ("a.tf", b'x = "\x00"'),
        ("a.tf", b'x = "$$${a}"'),
    ],
)
def test_what_is_unknown_is_reported(name: str, data: bytes) -> None:
    assert read_file(name, data).problem is not None


def test_a_comment_hides_no_label() -> None:
    [block] = read_file("a.tf", b'data /* c */ "external" "x" {}\n').blocks
    assert block.labels == ("external", "x")

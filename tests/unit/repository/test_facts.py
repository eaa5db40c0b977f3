"""What a module of one HCL file says: tables of snippets."""

from __future__ import annotations

import pytest

from orchestrator.repository.facts import ModuleFacts, PathUse, module_facts, template_uses
from orchestrator.repository.hcl import Template, read
from orchestrator.repository.hcl.text import NULL, UNKNOWN, Ref, Text
from orchestrator.repository.modules import merge_files

MODULE = Ref("path", "module")
GAP = Ref("?")


def facts(text: str | bytes) -> ModuleFacts:
    data = text if isinstance(text, bytes) else text.encode()
    return module_facts(merge_files([read("main.tf", data)]))


def paths(text: str) -> list[PathUse]:
    return [use for _, use in facts(text).paths]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"plain"', ("plain",)),
        ('""', ("",)),
        ('"a\\"b\\\\c\\n"', ('a"b\\c\n',)),
        ('"\\u00e9 and é"', ("é and é",)),
        ('"$${no} %%{no} ${var.x}"', ("${no} %{no} ", Ref("var", "x"))),
        ('" a ${var.x} b "', (" a ", Ref("var", "x"), " b ")),
        ("var.x", (Ref("var", "x"),)),
        ("local.x", (Ref("local", "x"),)),
        ("(var.x)", (Ref("var", "x"),)),
        ("path.module", (MODULE,)),
        ('"${path.module}/x"', (MODULE, "/x")),
        ('abspath("${path.module}/x")', (MODULE, "/x")),
        ("12", ("12",)),
        ("true", ("true",)),
        ("null", NULL),
        ("var.x.y", UNKNOWN),
        ('var.x["y"]', UNKNOWN),
        ("each.key", (Ref("each", "key"),)),
        ('var.x ? "a" : "b"', UNKNOWN),
        ('join("/", ["a"])', UNKNOWN),
        ('"%{ if var.x }a%{ endif }b"', (GAP, "b")),
        ('"${upper("x")}/y"', (GAP, "/y")),
        ('"${"${"x"}"}"', ("x",)),
        ("<<EOT\n  a ${var.x}\nEOT", ("  a ", Ref("var", "x"), "\n")),
    ],
)
def test_strings(expression: str, expected: Text) -> None:
    value = facts(f"locals {{\n  x = {expression}\n}}\n").locals.get("x", UNKNOWN)
    assert value == expected


@pytest.mark.parametrize(
    ("code", "kind", "empty", "attributes"),
    [
        ('backend "gcs" {}', "gcs", True, {}),
        ('backend "gcs" {\n  # nothing\n}', "gcs", True, {}),
        ('backend "gcs" { bucket = "b" }', "gcs", False, {"bucket": ("b",)}),
        ('backend "local" {\n path = var.p\n}', "local", False, {"path": (Ref("var", "p"),)}),
        ("backend gcs {}", "gcs", True, {}),
        ('cloud { organization = "o" }', "cloud", False, {"organization": ("o",)}),
    ],
)
def test_backends(code: str, kind: str, empty: bool, attributes: dict[str, Text]) -> None:
    block = facts(f"terraform {{\n{code}\n}}\n").backend
    assert block is not None
    assert (block.kind, block.empty, block.attributes, block.line) == (kind, empty, attributes, 2)


def test_terraform_block() -> None:
    repository_facts = facts(
        'terraform {\n  required_version = ">= 1.11"\n  required_providers {\n'
        '    google = {\n      source = "hashicorp/google"\n      version = "~> 7"\n    }\n'
        '    random = "~> 3"\n    own = { source = "example.com/a/own" }\n  }\n}\n'
    )
    assert repository_facts.required_version == (">= 1.11",)
    assert repository_facts.required_providers == {
        "google": "hashicorp/google",
        "random": "hashicorp/random",
        "own": "example.com/a/own",
    }
    assert repository_facts.backend is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"../x"', ("../x",)),
        ('"${"../x"}"', ("../x",)),
        ("var.source", (Ref("var", "source"),)),
        ('"../${local.name}"', ("../", Ref("local", "name"))),
    ],
)
def test_module_sources(source: str, expected: Text) -> None:
    [call] = facts(f'\nmodule "m" {{\n  source = {source}\n  a = "b"\n  c = [1]\n}}\n').calls.values()
    assert (call.name, call.source, call.line) == ("m", expected, 2)
    assert call.arguments == {"a": ("b",), "c": UNKNOWN}


def test_one_line_blocks_windows_line_ends_and_a_byte_order_mark() -> None:
    text = '\ufeffmodule "m" { source = "./x" }\r\nvariable "v" { default = "d" }\r\n'
    repository_facts = facts(text)
    assert [call.source for call in repository_facts.calls.values()] == [("./x",)]
    assert repository_facts.variables["v"].default == ("d",)
    assert repository_facts.broken == ()


@pytest.mark.parametrize(
    ("expression", "uses"),
    [
        ("data.terraform_remote_state.n.outputs.x", {("x", False)}),
        ('data.terraform_remote_state.n.outputs["x"]', {("x", False)}),
        ("data.terraform_remote_state.n.outputs.x.y[0]", {("x", False)}),
        ('data.terraform_remote_state.n["k"].outputs.x', {("x", False)}),
        ("data.terraform_remote_state.n[0].outputs.x", {("x", False)}),
        ("data.terraform_remote_state.n[*].outputs.x", {("x", False)}),
        ("data.terraform_remote_state.n.outputs[var.k]", {(None, False)}),
        ("data.terraform_remote_state.n.outputs", {(None, False)}),
        ("data.terraform_remote_state.n", {(None, False)}),
        ("try(data.terraform_remote_state.n.outputs.x, null)", {("x", True)}),
        ("can(data.terraform_remote_state.n.outputs.x)", {("x", True)}),
        ('"a ${data.terraform_remote_state.n.outputs.x}"', {("x", False)}),
        ("[for k in data.terraform_remote_state.n.outputs.xs : k]", {("xs", False)}),
        ('"data.terraform_remote_state.n.outputs.x"', set()),
        ('"y" # data.terraform_remote_state.n.outputs.x', set()),
        ("<<EOT\n${data.terraform_remote_state.n.outputs.x}\nEOT", {("x", False)}),
    ],
)
def test_outputs_read(expression: str, uses: set[tuple[str | None, bool]]) -> None:
    outputs = facts(f"locals {{\n  a = {expression}\n}}\n").outputs
    assert {(use.output, use.optional) for use in outputs} == uses
    assert all(use.name == "n" for use in outputs)


def test_a_mere_dependency_reads_no_output() -> None:
    repository_facts = facts('resource "a_b" "c" {\n  depends_on = [data.terraform_remote_state.n]\n}\n')
    assert repository_facts.outputs == ()


def test_remote_state() -> None:
    [state] = facts(
        'data "terraform_remote_state" "n" {\n  backend = "gcs"\n  workspace = "default"\n'
        '  config = {\n    bucket = var.b\n    "prefix" = "p"\n  }\n  defaults = { x = "" }\n}\n'
    ).remote_states.values()
    assert state.backend == ("gcs",)
    assert state.config == {"bucket": (Ref("var", "b"),), "prefix": ("p",)}
    assert state.defaults == {"x"}
    assert state.line == 1


def test_remote_state_whose_config_is_computed() -> None:
    [state] = facts(
        'data "terraform_remote_state" "n" {\n  backend = "gcs"\n  config = var.c\n}\n'
    ).remote_states.values()
    assert state.config is None


@pytest.mark.parametrize(
    ("expression", "uses"),
    [
        ('file("x")', [("file", ("x",))]),
        ('file( "${path.module}/x" )', [("file", (MODULE, "/x"))]),
        (
            'templatefile("${path.module}/t/${var.n}.tpl", {})',
            [("templatefile", (MODULE, "/t/", Ref("var", "n"), ".tpl"))],
        ),
        ('fileexists("x")', [("fileexists", ("x",))]),
        *(
            (f'{name}("x")', [(name, ("x",))])
            for name in (
                *("filebase64", "filemd5", "filesha1", "filesha256", "filesha512"),
                *("filebase64sha256", "filebase64sha512"),
            )
        ),
        ('yamldecode(file("x"))', [("file", ("x",))]),
        ('"a ${file("x")}"', [("file", ("x",))]),
        ("file(var.x)", [("file", (Ref("var", "x"),))]),
        ('templatestring("x", {})', []),
        ('profile("x")', []),
        ('"file(x)"', []),
        ('"${path.module}/x.zip"', [("", (MODULE, "/x.zip"))]),
        ('"${path.root}/x.zip"', [("", (Ref("path", "root"), "/x.zip"))]),
        ('"see ${path.module}/x.zip"', []),
        ("path.module", []),
    ],
)
def test_paths_read(expression: str, uses: list[tuple[str, Text]]) -> None:
    path_uses = paths(f'locals {{\n  # file("comment")\n  a = {expression}\n}}\n')
    assert [(use.function, use.path) for use in path_uses] == uses
    assert all(use.line == 3 for use in path_uses)


def test_fileset_keeps_its_pattern() -> None:
    [use] = paths('locals {\n  a = fileset("${path.module}/x", "**/*.json")\n}\n')
    assert use == PathUse("fileset", (MODULE, "/x"), 2, ("**/*.json",))


def test_types_and_their_providers() -> None:
    types = facts(
        'resource "google_a" "x" {\n  provider = google-beta.eu\n}\ndata "aws_b" "x" {}\n'
        'ephemeral "random_c" "x" {}\ncheck "c" {\n  data "http" "x" {}\n}\nprovider "tls" {}\n'
    ).types
    assert types.resources == {"google_a"}
    assert types.data_sources == {"aws_b", "http"}
    assert types.ephemeral == {"random_c"}
    assert types.providers == {"google-beta", "aws", "random", "http", "tls"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('resource "a" "b" {\n  x = 1\n', 1),
        ('a = "b"\nlocals {\n  x = = 1\n}\n', 3),
        ("a b c\n", 1),
        ('locals {\n  x = "unclosed\n}\n', 1),
    ],
)
def test_what_does_not_parse_is_reported_with_its_line(text: str, line: int) -> None:
    repository_facts = facts(text)
    [(_, at, _)] = repository_facts.broken
    assert abs((at or 0) - line) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "locals {\n  x = 1e5\n  y = 2E-3\n}\n",
        "locals {\n  x = { for k, v in var.m : k => v... if v != null }\n}\n",
        "locals {\n  x = provider::terraform::encode_tfvars({ a = 1 })\n}\n",
        "locals {\n  x = <<-EOT\n    %{ for s in var.l ~}\n    ${s}\n    %{ endfor ~}\n  EOT\n}\n",
        "locals {\n  x = (\n    var.a\n    ? 1\n    : 2\n  )\n}\n",
        'locals { x = "${~ var.a ~}" }\n',
        "a = aws_x.y.*.id\nb = aws_x.y[*].id\nc = data.x.y.0.z\n",
        "a = -x\nb = 5 - -1\nc = !(x || y)\nd = (1 + 2) * 3 % 4\n",
        'a = "$"\nb = "$$"\nc = "100%"\nd = "a$b"\ne = "$$${x}"\nf = "x # y // z /* w"\n',
        'a = <<EOT\n"quoted" \\n ${x}\n$ % $${x} %%{y}\nEOT\n',
        "a = <<EOT\n${jsonencode({\n  x = 1\n})}\nEOT\n",
        "a = [<<A\nx\nA\n, <<B\ny\nB\n]\n",
        'a = { (x) = 1, "${x}-y" = 2, x.y = 3, z : 4, }\n',
        "a = [\n  # c\n  1, # d\n  /* e */ 2,\n]\n",
        "a = foo(\n  x...\n)\n# end",
        "ünï = 1\na-b_c = 2\n",
        'import {\n  to = a.b["c"]\n  id = "x"\n}\n',
    ],
)
def test_what_terraform_reads_parses(text: str) -> None:
    assert facts(text).broken == ()


def test_what_init_looks_at_changes_with_it_and_with_nothing_else() -> None:
    settings = facts('module "m" {\n  source = "a/b/c"\n  version = "1"\n  x = 1\n}\n').settings
    assert settings == facts('module "m" {\n  source = "a/b/c"\n  version = "1"\n  x = 2\n}\n').settings
    assert settings != facts('module "m" {\n  source = "a/b/c"\n  version = "2"\n  x = 1\n}\n').settings


def test_templates() -> None:
    template = Template('a ${var.x} "b" ${file("y")}')
    assert template.text == ("a ", Ref("var", "x"), ' "b" ', GAP)
    assert [call.text(0) for call in template.calls({"file"})] == [("y",)]
    assert [use.path for use in template_uses(b'hello ${file("z")}\n')] == [("z",)]
    assert template_uses(b"hello ${name}\n") == ()


def test_bytes_that_are_not_utf8_are_preserved() -> None:
    repository_facts = facts(b'locals {\n  x = "\xff"\n}\nmodule "m" {\n  source = "./a"\n}\n')
    assert [call.source for call in repository_facts.calls.values()] == [("./a",)]

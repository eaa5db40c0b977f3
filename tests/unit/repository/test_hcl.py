"""HCL and Terraform's JSON as blocks, with lines and strings."""

from __future__ import annotations

import json

import pytest

from orchestrator.repository.hcl import File, read

CODE = b"""
variable "roles" {
  type    = set(string)
  default = ["roles/run.admin", "x-${var.y}"]

  validation {
    condition     = true
    error_message = "No."
  }
}

terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 7.0" }
  }
}
"""


def test_blocks_have_labels_lines_and_what_is_in_them() -> None:
    variable, terraform = read("main.tf", CODE).blocks

    assert (variable.kind, variable.labels, variable.name, variable.line) == (
        "variable",
        ("roles",),
        "roles",
        2,
    )
    assert variable.attributes["type"].source == "set(string)"
    assert variable.of("validation")[0].attributes["error_message"].value == "No."
    (required,) = terraform.of("required_providers")
    elements = required.attributes["google"].elements
    assert {name: element.value for name, element in elements.items()} == {
        "source": "hashicorp/google",
        "version": "~> 7.0",
    }
    assert elements["version"].line == 14


def test_strings_have_their_location() -> None:
    strings = {(string.text, string.line, string.path) for string in read("main.tf", CODE).strings()}

    assert ("roles/run.admin", 4, ("variable", "default")) in strings
    assert ("x-", 4, ("variable", "default")) in strings
    assert ("No.", 8, ("variable", "validation", "error_message")) in strings


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"plain"', "plain"),
        ('""', ""),
        (r'"a\"b"', 'a"b'),
        ('"a-${var.b}"', None),
        ('["a"]', None),
        ('"a" == "b"', None),
        ('upper("a")', None),
        ("true", None),
    ],
)
def test_only_a_plain_string_has_a_value(expression: str, value: str | None) -> None:
    assert read("x.tfvars", f"x = {expression}\n".encode()).attributes["x"].value == value


def test_what_does_not_parse_leaves_the_rest() -> None:
    file = read("main.tf", b'variable "a" {}\nvariable "b" {\n  type = \n}\noutput "c" { value = 1 }\n')

    assert "a" in {block.name for block in file.blocks}


def test_json_gives_the_same_blocks() -> None:
    document = {
        "variable": {
            "roles": {"type": "set(string)", "validation": {"condition": True, "error_message": "No."}}
        },
        "resource": {"google_x": {"this": {"member": "allUsers"}}},
        "run": [{"first": {"assert": [{"condition": "1", "error_message": "m"}]}}],
    }
    file: File = read("main.tf.json", json.dumps(document).encode())

    assert file.of("variable")[0].of("validation")[0].attributes["error_message"].value == "No."
    assert file.of("resource")[0].labels == ("google_x", "this")
    assert file.of("resource")[0].attributes["member"].value == "allUsers"
    assert file.of("run")[0].of("assert")
    assert read("main.tf.json", b"not json").blocks == ()

"""Terraform's JSON syntax says the same as HCL does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.repository.facts import ModuleFacts, PathUse, module_facts
from orchestrator.repository.hcl import read
from orchestrator.repository.hcl.text import NULL, UNKNOWN, Ref
from orchestrator.repository.modules import merge_files


def facts(content: Any) -> ModuleFacts:
    data = content if isinstance(content, bytes) else json.dumps(content, indent=1).encode()
    return module_facts(merge_files([read("main.tf.json", data)]))


def hcl() -> ModuleFacts:
    return module_facts(merge_files([read("main.tf", HCL.encode())]))


HCL = """
terraform {
  required_version = ">= 1.11"
  backend "gcs" {
    bucket = "b"
  }
  required_providers {
    google = { source = "hashicorp/google" }
  }
}
module "m" {
  source = "../m"
  name   = "x-${var.a}"
}
data "terraform_remote_state" "n" {
  backend = "gcs"
  config  = { bucket = var.b, prefix = "p" }
}
locals {
  x = data.terraform_remote_state.n.outputs.out
  y = file("${path.module}/y")
}
variable "v" {
  default = "d"
}
resource "google_a" "x" {}
"""

JSON: dict[str, Any] = {
    "//": "a comment",
    "terraform": {
        "required_version": ">= 1.11",
        "backend": {"gcs": {"bucket": "b"}},
        "required_providers": {"google": {"source": "hashicorp/google"}},
    },
    "module": {"m": {"source": "../m", "name": "x-${var.a}"}},
    "data": {
        "terraform_remote_state": {
            "n": {"backend": "gcs", "config": {"bucket": "${var.b}", "prefix": "p"}},
        }
    },
    "locals": {
        "x": "${data.terraform_remote_state.n.outputs.out}",
        "y": '${file("${path.module}/y")}',
    },
    "variable": {"v": {"default": "d"}},
    "resource": {"google_a": {"x": {}}},
}


@pytest.mark.parametrize(
    "field",
    ["required_version", "required_providers", "outputs", "locals", "variables", "types", "broken"],
)
def test_it_equals_what_hcl_reads(field: str) -> None:
    assert getattr(facts(JSON), field) == getattr(hcl(), field)


def test_blocks_but_for_their_lines() -> None:
    from_json, same = facts(JSON), hcl()
    assert from_json.backend is not None
    assert same.backend is not None
    assert from_json.backend.attributes == same.backend.attributes
    assert [(c.name, c.source, c.arguments) for c in from_json.calls.values()] == [
        (c.name, c.source, c.arguments) for c in same.calls.values()
    ]
    assert [s.config for s in from_json.remote_states.values()] == [
        s.config for s in same.remote_states.values()
    ]
    assert [use.path for _, use in from_json.paths] == [use.path for _, use in same.paths]


def test_arrays_of_blocks() -> None:
    repository_facts = facts(
        {"module": [{"a": [{"source": "./a"}]}, {"b": {"source": "./b"}}], "locals": [{"x": "1"}]}
    )
    assert list(repository_facts.calls) == ["a", "b"]
    assert repository_facts.locals == {"x": ("1",)}


def test_a_plain_path_is_read() -> None:
    repository_facts = facts({"resource": {"a_b": {"x": {"source": "${path.module}/x.zip"}}}})
    assert PathUse("", (Ref("path", "module"), "/x.zip"), 5) in [use for _, use in repository_facts.paths]


def test_depends_on_and_comments_read_nothing() -> None:
    repository_facts = facts(
        {"resource": {"a_b": {"x": {"depends_on": ["data.terraform_remote_state.n"], "//": '${file("x")}'}}}}
    )
    assert repository_facts.outputs == ()
    assert repository_facts.paths == ()


@pytest.mark.parametrize(
    ("data", "line"),
    [(b'{\n "a": 1,\n}', 3), (b"1", 1), (b"", 1), (b"[" * 100_000, 1)],
)
def test_what_does_not_parse(data: bytes, line: int | None) -> None:
    [(_, at, _)] = facts(data).broken
    assert at == line


def test_what_is_no_string() -> None:
    from_json = facts({"locals": {"a": None, "b": True, "c": 2, "d": [], "e": 1.50, "f": 1e30}}).locals
    assert from_json == {"a": NULL, "b": ("true",), "c": ("2",), "d": UNKNOWN, "e": ("1.5",), "f": UNKNOWN}


def test_strings_that_terraform_takes_as_they_stand() -> None:
    repository_facts = facts(
        {
            "module": {"m": {"source": "./$${x}", "name": "$${x}"}},
            "variable": {"v": {"default": "${x}"}},
            "terraform": {"backend": {"gcs": {"bucket": "${x}"}}},
        }
    )
    assert repository_facts.calls["m"].source == ("./$${x}",)
    assert repository_facts.calls["m"].arguments["name"] == ("${x}",)
    assert repository_facts.variables["v"].default == ("${x}",)
    assert repository_facts.backend is not None
    assert repository_facts.backend.attributes == {"bucket": ("${x}",)}
